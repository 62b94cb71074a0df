package orchestrator

import (
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/google/go-cmp/cmp"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

const oneOffJSON = `{"family": "medusa", "cpu": "256", "containerDefinitions": [
	{"name": "init", "image": "h.x/medusa:latest", "essential": false, "command": ["write-config"]},
	{"name": "medusa", "image": "h.x/medusa:latest", "command": ["start"], "entryPoint": ["tini", "--"], "stopTimeout": 30,
	 "healthCheck": {"command": ["CMD", "x"]}, "portMappings": [{"containerPort": 9000, "hostPort": 9000}], "restartPolicy": {"enabled": true},
	 "environment": [{"name": "A", "value": "b"}], "links": ["worker:w"], "volumesFrom": [{"sourceContainer": "worker"}],
	 "dependsOn": [{"containerName": "init", "condition": "SUCCESS"}, {"containerName": "db-proxy", "condition": "HEALTHY"}]},
	{"name": "worker", "image": "h.x/medusa:latest", "command": ["worker"]},
	{"name": "db-proxy", "image": "proxy:1", "essential": true, "healthCheck": {"command": ["CMD", "y"]}, "portMappings": [{"containerPort": 5432, "hostPort": 5432}]},
	{"name": "nginx", "image": "nginx:1", "dependsOn": [{"containerName": "medusa", "condition": "HEALTHY"}, {"containerName": "worker", "condition": "START"}]}]}`

func TestOneOff(t *testing.T) {
	in, err := decode[ecs.RegisterTaskDefinitionInput]("t.json", []byte(oneOffJSON))
	if err != nil {
		t.Fatal(err)
	}
	digest := release.Digest("sha256:" + strings.Repeat("a", 64))
	container, err := oneOff(in, release.Image{Repository: "127.0.0.1:4566/medusa", Digest: digest}, []string{"migrate", "--all"})
	if err != nil || container != "medusa" {
		t.Fatalf("got %s, %v", container, err)
	}
	pinned := aws.String("h.x/medusa@" + string(digest))
	want := &ecs.RegisterTaskDefinitionInput{Family: aws.String("medusa-migrate"), Cpu: aws.String("256"), ContainerDefinitions: []types.ContainerDefinition{
		{Name: aws.String("init"), Image: pinned, Essential: aws.Bool(false), Command: []string{"write-config"}},
		{Name: aws.String("medusa"), Image: pinned, Essential: aws.Bool(true), Command: []string{"migrate", "--all"}, EntryPoint: []string{"tini", "--"},
			StopTimeout: aws.Int32(30), Environment: []types.KeyValuePair{{Name: aws.String("A"), Value: aws.String("b")}},
			DependsOn: []types.ContainerDependency{{ContainerName: aws.String("init"), Condition: "SUCCESS"}, {ContainerName: aws.String("db-proxy"), Condition: "HEALTHY"}}},
		{Name: aws.String("db-proxy"), Image: aws.String("proxy:1"), Essential: aws.Bool(false), HealthCheck: &types.HealthCheck{Command: []string{"CMD", "y"}}},
		{Name: aws.String("nginx"), Image: aws.String("nginx:1"), Essential: aws.Bool(false)},
	}}
	if diff := cmp.Diff(canonical(reflect.ValueOf(want), ""), canonical(reflect.ValueOf(in), "")); diff != "" {
		t.Error(diff)
	}
	for _, c := range in.ContainerDefinitions { // what canonical does not tell apart
		if aws.ToString(c.Name) != "medusa" && (c.Essential == nil || *c.Essential) {
			t.Errorf("%s is essential: it would keep the task alive", *c.Name)
		}
	}
}

func TestMigrateFamily(t *testing.T) {
	for family, want := range map[string]string{"medusa": "medusa-migrate", strings.Repeat("x", 255): strings.Repeat("x", 247) + "-migrate"} {
		if got := migrateFamily(family); got != want {
			t.Errorf("got %s", got)
		}
	}
}

func TestAppContainer(t *testing.T) {
	one := func(name, image string, essential *bool) types.ContainerDefinition {
		return types.ContainerDefinition{Name: &name, Image: &image, Essential: essential}
	}
	for want, all := range map[string][]types.ContainerDefinition{
		"a": {one("x", "h.x/other", nil), one("a", "h.x/app", nil), one("b", "h.x/app", nil)},
		"b": {one("a", "h.x/app", aws.Bool(false)), one("b", "h.x/app", nil)},
		"c": {one("c", "h.x/app", aws.Bool(false)), one("x", "h.x/other", nil)},
	} {
		if got := appContainer(all, "h.y/app"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestTaskVolumes(t *testing.T) {
	from := types.ServiceVolumeConfiguration{}
	fill(t, reflect.ValueOf(&from).Elem())
	got := taskVolumes([]types.ServiceVolumeConfiguration{from, {Name: aws.String("plain")}})
	if len(got) != 2 || got[1].ManagedEBSVolume != nil || *got[0].Name != "text" {
		t.Fatalf("got %+v", got)
	}
	made := reflect.ValueOf(got[0].ManagedEBSVolume).Elem()
	for field := range reflect.TypeFor[types.ServiceManagedEBSVolumeConfiguration]().Fields() {
		if field.IsExported() && !made.FieldByName(field.Name).IsValid() || field.IsExported() && made.FieldByName(field.Name).IsZero() {
			t.Errorf("%s of the service's volume got lost", field.Name)
		}
	}
	if got := taskVolumes(nil); got != nil {
		t.Errorf("got %+v", got)
	}
}

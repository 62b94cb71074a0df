package orchestrator

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// registered is what ECS makes of taskJSON.
func registered() *types.TaskDefinition {
	return &types.TaskDefinition{
		Family: aws.String("medusa"), Revision: 3, TaskDefinitionArn: aws.String("arn:t:3"), Status: types.TaskDefinitionStatusActive,
		RegisteredAt: aws.Time(time.Unix(1, 0)), Compatibilities: []types.Compatibility{"EC2", "FARGATE"},
		RequiresAttributes:      []types.Attribute{{Name: aws.String("com.amazonaws.ecs.capability.logging-driver.awslogs")}},
		Cpu:                     aws.String("256"),
		RequiresCompatibilities: []types.Compatibility{types.CompatibilityFargate},
		RuntimePlatform:         &types.RuntimePlatform{CpuArchitecture: types.CPUArchitectureArm64, OperatingSystemFamily: types.OSFamilyLinux},
		Volumes:                 []types.Volume{}, PlacementConstraints: []types.TaskDefinitionPlacementConstraint{},
		ContainerDefinitions: []types.ContainerDefinition{{
			Name: aws.String("medusa"), Image: aws.String("127.0.0.1:4566/medusa:latest"), Essential: aws.Bool(true), Cpu: 0,
			PortMappings:     []types.PortMapping{{ContainerPort: aws.Int32(9000), Protocol: types.TransportProtocolTcp}},
			Environment:      []types.KeyValuePair{{Name: aws.String("A"), Value: aws.String("1")}},
			MountPoints:      []types.MountPoint{},
			DockerLabels:     map[string]string{"Any.Key": "is kept"},
			LogConfiguration: &types.LogConfiguration{LogDriver: types.LogDriverAwslogs, Options: map[string]string{"awslogs-group": "/ecs/medusa"}},
			HealthCheck:      &types.HealthCheck{Command: []string{"CMD", "/health"}, Interval: aws.Int32(5), Timeout: aws.Int32(5), Retries: aws.Int32(3)},
		}},
	}
}

func TestSameDefinition(t *testing.T) {
	cases := map[string]struct {
		change func(*ecs.RegisterTaskDefinitionInput)
		same   bool
	}{
		"as registered":        {func(*ecs.RegisterTaskDefinitionInput) {}, true},
		"essential by default": {func(in *ecs.RegisterTaskDefinitionInput) { in.ContainerDefinitions[0].Essential = nil }, true},
		"protocol by default":  {func(in *ecs.RegisterTaskDefinitionInput) { in.ContainerDefinitions[0].PortMappings[0].Protocol = "" }, true},
		"units":                {func(in *ecs.RegisterTaskDefinitionInput) { in.Cpu = aws.String(".25 vCPU") }, true},
		"empty list":           {func(in *ecs.RegisterTaskDefinitionInput) { in.Volumes = []types.Volume{} }, true},
		"tags":                 {func(in *ecs.RegisterTaskDefinitionInput) { in.Tags = []types.Tag{{Key: aws.String("a")}} }, true},
		"other cpu":            {func(in *ecs.RegisterTaskDefinitionInput) { in.Cpu = aws.String("512") }, false},
		"no health check":      {func(in *ecs.RegisterTaskDefinitionInput) { in.ContainerDefinitions[0].HealthCheck = nil }, false},
		"other image":          {func(in *ecs.RegisterTaskDefinitionInput) { in.ContainerDefinitions[0].Image = aws.String("x") }, false},
		"not essential":        {func(in *ecs.RegisterTaskDefinitionInput) { in.ContainerDefinitions[0].Essential = aws.Bool(false) }, false},
		"other architecture":   {func(in *ecs.RegisterTaskDefinitionInput) { in.RuntimePlatform = nil }, false},
		"empty value":          {func(in *ecs.RegisterTaskDefinitionInput) { in.ContainerDefinitions[0].DockerLabels["B"] = "" }, false},
		"empty argument":       {func(in *ecs.RegisterTaskDefinitionInput) { in.ContainerDefinitions[0].Command = []string{""} }, false},
		"turned around": {func(in *ecs.RegisterTaskDefinitionInput) {
			in.ContainerDefinitions[0].HealthCheck.Command = []string{"/health", "CMD"}
		}, false},
		"versions follow the tag": {func(in *ecs.RegisterTaskDefinitionInput) {
			in.ContainerDefinitions[0].VersionConsistency = types.VersionConsistencyDisabled
		}, false},
		"another container": {func(in *ecs.RegisterTaskDefinitionInput) {
			in.ContainerDefinitions = append(in.ContainerDefinitions, types.ContainerDefinition{Name: aws.String("x")})
		}, false},
		"one variable more": {func(in *ecs.RegisterTaskDefinitionInput) {
			in.ContainerDefinitions[0].Environment = append(in.ContainerDefinitions[0].Environment, types.KeyValuePair{Name: aws.String("B")})
		}, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			in, err := decode[ecs.RegisterTaskDefinitionInput]("t.json", []byte(taskJSON))
			if err != nil {
				t.Fatal(err)
			}
			c.change(in)
			before, have := mustJSON(t, in), registered()
			if got := sameDefinition(in, have); got != c.same {
				t.Errorf("got %t, want %t", got, c.same)
			}
			if mustJSON(t, in) != before || mustJSON(t, have) != mustJSON(t, registered()) {
				t.Error("comparing changed what is compared")
			}
		})
	}
}

func TestTheOrderOfVariablesMeansNothing(t *testing.T) {
	variables := func(names ...string) (all []types.KeyValuePair) {
		for _, n := range names {
			all = append(all, types.KeyValuePair{Name: aws.String(n), Value: aws.String("v")})
		}
		return all
	}
	want := &ecs.RegisterTaskDefinitionInput{ContainerDefinitions: []types.ContainerDefinition{{Environment: variables("A", "B", "C")}}}
	have := &types.TaskDefinition{ContainerDefinitions: []types.ContainerDefinition{{Environment: variables("C", "A", "B")}}}
	if !sameDefinition(want, have) {
		t.Error("they say the same")
	}
}

func TestPlainUnits(t *testing.T) {
	for written, want := range map[string]string{
		"256": "256", "1 vCPU": "1024", ".5 vcpu": "512", "2 GB": "2048", "0.5GB": "512", "1vCPU": "1024", "nonsense": "nonsense",
	} {
		if got := *plainUnits(&written); got != want {
			t.Errorf("%q: got %q, want %q", written, got, want)
		}
	}
	if plainUnits(nil) != nil {
		t.Error("nothing stays nothing")
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

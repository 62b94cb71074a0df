package orchestrator

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

const taskJSON = `{
  "family": "medusa",
  "cpu": "256",
  "requiresCompatibilities": ["FARGATE"],
  "runtimePlatform": {"cpuArchitecture": "ARM64"},
  "containerDefinitions": [
    {
      "name": "medusa",
      "image": "127.0.0.1:4566/medusa:latest",
      "essential": true,
      "portMappings": [{"containerPort": 9000, "protocol": "tcp"}],
      "environment": [{"name": "A", "value": "1"}],
      "dockerLabels": {"Any.Key": "is kept"},
      "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/medusa"}},
      "healthCheck": {"command": ["CMD", "/health"], "interval": 5}
    }
  ]
}`

func TestDecode(t *testing.T) {
	got, err := decode[ecs.RegisterTaskDefinitionInput]("t.json", []byte(taskJSON))
	if err != nil {
		t.Fatal(err)
	}
	want := &ecs.RegisterTaskDefinitionInput{
		Family: aws.String("medusa"), Cpu: aws.String("256"),
		RequiresCompatibilities: []types.Compatibility{types.CompatibilityFargate},
		RuntimePlatform:         &types.RuntimePlatform{CpuArchitecture: types.CPUArchitectureArm64},
		ContainerDefinitions: []types.ContainerDefinition{{
			Name: aws.String("medusa"), Image: aws.String("127.0.0.1:4566/medusa:latest"), Essential: aws.Bool(true),
			PortMappings:     []types.PortMapping{{ContainerPort: aws.Int32(9000), Protocol: types.TransportProtocolTcp}},
			Environment:      []types.KeyValuePair{{Name: aws.String("A"), Value: aws.String("1")}},
			DockerLabels:     map[string]string{"Any.Key": "is kept"},
			LogConfiguration: &types.LogConfiguration{LogDriver: types.LogDriverAwslogs, Options: map[string]string{"awslogs-group": "/ecs/medusa"}},
			HealthCheck:      &types.HealthCheck{Command: []string{"CMD", "/health"}, Interval: aws.Int32(5)},
		}},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(ecs.RegisterTaskDefinitionInput{}, types.RuntimePlatform{}, types.ContainerDefinition{},
		types.PortMapping{}, types.KeyValuePair{}, types.LogConfiguration{}, types.HealthCheck{})); diff != "" {
		t.Error(diff)
	}
}

func TestDecodeRefuses(t *testing.T) {
	cases := map[string]struct{ json, want string }{
		"unknown member": {"{\n  \"servicename\": \"x\"\n}", "s.json:2:3: unknown member \"servicename\" in CreateService\n  did you mean \"serviceName\"?"},
		"capital":        {`{"ServiceName": "x"}`, `s.json:1:2: unknown member "ServiceName" in CreateService` + "\n" + `  did you mean "serviceName"?`},
		"nested": {`{"deploymentConfiguration": {"deploymentCircuitBreaker": {"enabel": true}}}`,
			`s.json:1:59: unknown member "enabel" in DeploymentCircuitBreaker` + "\n" + `  did you mean "enable"? (known: `},
		"string for number": {`{"desiredCount": "2"}`, "s.json:1:18: \"desiredCount\" is a string, but a whole number is expected\n  write it without quotes: 2"},
		"number for string": {`{"platformVersion": 1.4}`, "s.json:1:21: \"platformVersion\" is the number 1.4, but a string is expected\n  write it in quotes: \"1.4\""},
		"string for bool":   {`{"enableExecuteCommand": "true"}`, "expected\n  write it without quotes: true"},
		"fraction":          {`{"desiredCount": 1.5}`, `"desiredCount" is the number 1.5, but a whole number is expected`},
		"too large":         {`{"desiredCount": 99999999999}`, `a whole number is expected`},
		"object for list":   {`{"tags": {"a": [1, {}]}, "desiredCount": true}`, "s.json:1:10: \"tags\" is an object, but a list is expected\ns.json:1:42: \"desiredCount\" is true or false"},
		"list for object":   {`{"deploymentConfiguration": [[{}]]}`, `is a list, but an object is expected`},
		"enum":              {`{"launchType": "FARGAT"}`, "s.json:1:16: \"launchType\": \"FARGAT\" is not known\n  did you mean \"FARGATE\"? (known: "},
		"null":              {`{"cluster": null}`, "s.json:1:13: \"cluster\" is null\n  remove the member"},
		"twice":             {"{\"cluster\": \"a\",\n\"cluster\": \"b\"}", `s.json:2:1: member "cluster" appears twice`},
		"item":              {`{"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["a", 2]}}}`, `item 2 of "subnets" is the number 2`},
		"not an object":     {`[]`, `s.json:1:1: the definition is a list`},
		"too early":         {"{\"cluster\": \"a\"", "s.json:1:16: not JSON: it ends too early\n  a closing bracket"},
		"empty":             {"", "s.json:1:1: not JSON: it ends too early"},
		"comment":           {"{\n  // a comment\n}", "s.json:2:3: not JSON"},
		"comma":             {"{\"cluster\": \"a\",\n}", "s.json:2:1: not JSON"},
		"more":              {"{}\n{}", "s.json:2:1: something follows"},
		"letters count":     {"{\"cluster\": \"äöü\", \"x\": 1}", `s.json:1:20: unknown member "x"`},
		"union, unknown": {`{"serviceConnectConfiguration": {"enabled": true, "containerConfigurations": [{"loglevel": "INFO"}]}}`,
			`unknown member "loglevel" in ServiceConnectContainerConfiguration` + "\n" + `  did you mean "logLevel"? (known: logLevel)`},
		"union, empty":      {`{"serviceConnectConfiguration": {"enabled": true, "containerConfigurations": [{}]}}`, `item 1 of "containerConfigurations" must have exactly one member, not 0`},
		"skips the unknown": {`{"nope": {"a": [1, {"b": []}]}, "neither": 1}`, `s.json:1:33: unknown member "neither"`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := decode[ecs.CreateServiceInput]("s.json", []byte(c.json))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got\n%v\nwant\n%s", err, c.want)
			}
		})
	}
}

// TestDecodeKnowsEveryType walks all that a definition can hold: a kind that the decoder cannot fill in would refuse
// a good file.
func TestDecodeKnowsEveryType(t *testing.T) {
	var walk func(reflect.Type, string)
	walk = func(typ reflect.Type, path string) {
		switch typ.Kind() {
		case reflect.Pointer:
			walk(typ.Elem(), path)
		case reflect.Slice:
			walk(typ.Elem(), path+"[]")
		case reflect.Map:
			if typ.Key().Kind() != reflect.String {
				t.Errorf("%s: map key %s", path, typ.Key())
			}
			walk(typ.Elem(), path+"{}")
		case reflect.Struct:
			for f := range typ.Fields() {
				if f.IsExported() {
					walk(f.Type, path+"."+memberName(f.Name))
				}
			}
		case reflect.String, reflect.Bool, reflect.Int32, reflect.Int64, reflect.Float32, reflect.Float64:
		case reflect.Interface:
			for name, member := range choices(typ) {
				if !reflect.PointerTo(member).Implements(typ) {
					t.Errorf("%s: %s is no %s", path, member, typ)
				}
				value, ok := member.FieldByName("Value")
				if !ok {
					t.Fatalf("%s: %s holds no value", path, member)
				}
				walk(value.Type, path+"."+name)
			}
			if len(choices(typ)) == 0 && typ != documentType {
				t.Errorf("%s: a union without members: %s", path, typ)
			}
		default:
			t.Errorf("%s: %s", path, typ)
		}
	}
	walk(reflect.TypeFor[ecs.RegisterTaskDefinitionInput](), "task")
	walk(reflect.TypeFor[ecs.CreateServiceInput](), "service")
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(taskJSON))
	f.Add([]byte(`{"serviceName":"a","desiredCount":2,"tags":[{"key":"a"}],"deploymentConfiguration":{"lifecycleHooks":[{"hookDetails":{"a":[1]}}]}}`))
	f.Add([]byte(`{"a":[{"b":`))
	f.Add([]byte("{\"\xff\": null}"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, try := range []func() (bool, error){
			func() (bool, error) {
				in, err := decode[ecs.RegisterTaskDefinitionInput]("f.json", raw)
				return in == nil, err
			},
			func() (bool, error) {
				in, err := decode[ecs.CreateServiceInput]("f.json", raw)
				return in == nil, err
			},
		} {
			nothing, err := try()
			if nothing != (err != nil) {
				t.Fatalf("a result and an error, or neither, of %q", raw)
			}
			var wrong *DefinitionError
			if err != nil && (!errors.As(err, &wrong) || len(wrong.Problems) == 0) {
				t.Fatalf("no problem is named: %v", err)
			}
			if wrong == nil {
				continue
			}
			for _, p := range wrong.Problems {
				if p.Line < 1 || p.Column < 1 {
					t.Fatalf("a problem without a place: %v", p)
				}
			}
		}
		if line, column := memberPosition(raw, "tags"); line < 1 || column < 1 {
			t.Fatalf("tags at %d:%d of %q", line, column, raw)
		}
	})
}

// FuzzSettings: what CreateService takes, UpdateService takes as well, as far as it is settable.
func FuzzSettings(f *testing.F) {
	f.Add([]byte(`{"serviceName": "a", "desiredCount": 0, "enableExecuteCommand": false, "tags": [{"key": "a"}], "loadBalancers": [], "launchType": "EC2"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		def := release.Definition{ServicePath: "s.json", Service: raw}
		_, wrong := decode[ecs.CreateServiceInput](def.ServicePath, raw)
		in, _, err := settingsOf(def)
		if len(raw) > 0 && (err != nil) != (wrong != nil) || in == nil && err == nil {
			t.Fatalf("%q: %v, as a whole %v", raw, err, wrong)
		}
	})
}

func TestNearestWord(t *testing.T) {
	known := []string{"serviceName", "desiredCount", "launchType", "tags"}
	for word, want := range map[string]string{
		"servicename": "serviceName", "desiredCont": "desiredCount", "tag": "tags", "entirelyElse": "", "": "",
	} {
		if got := nearestWord(word, known); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}

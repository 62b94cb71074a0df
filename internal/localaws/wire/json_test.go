package wire

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/document"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestDecodeJSON(t *testing.T) {
	tests := []struct {
		name, body string
		want       any // pointer to the input
	}{
		{"empty body", "", &ecs.DescribeServicesInput{}},
		{"empty object", " {} ", &ecs.DescribeServicesInput{}},
		{"null is absent", `{"services":null,"cluster":null}`, &ecs.DescribeServicesInput{}},
		{"unknown members are ignored", `{"cluster":"c","later":{"a":[1]}}`, &ecs.DescribeServicesInput{Cluster: aws.String("c")}},
		{"lists and enums", `{"services":["a","b"],"include":["TAGS"]}`,
			&ecs.DescribeServicesInput{Services: []string{"a", "b"}, Include: []types.ServiceField{types.ServiceFieldTags}}},
		{"empty list is not absent", `{"services":[]}`, &ecs.DescribeServicesInput{Services: []string{}}},
		{"nulls in lists are dropped", `{"services":["a",null]}`, &ecs.DescribeServicesInput{Services: []string{"a"}}},
		{"numbers, also when written as fractions", `{"desiredCount":2.0,"service":"s","forceNewDeployment":true,"healthCheckGracePeriodSeconds":1e1}`,
			&ecs.UpdateServiceInput{DesiredCount: aws.Int32(2), Service: aws.String("s"), ForceNewDeployment: true, HealthCheckGracePeriodSeconds: aws.Int32(10)}},
		{"nested", `{"family":"f","containerDefinitions":[{"name":"c","cpu":3,"dockerLabels":{"k":"v"},"portMappings":[{"containerPort":80,"protocol":"tcp"}]}]}`,
			&ecs.RegisterTaskDefinitionInput{Family: aws.String("f"), ContainerDefinitions: []types.ContainerDefinition{{
				Name: aws.String("c"), Cpu: 3, DockerLabels: map[string]string{"k": "v"},
				PortMappings: []types.PortMapping{{ContainerPort: aws.Int32(80), Protocol: types.TransportProtocolTcp}},
			}}}},
		{"timestamp", `{"createdAt":{"after":1700000000.25}}`,
			&ecs.ListServiceDeploymentsInput{CreatedAt: &types.CreatedAt{After: aws.Time(time.UnixMilli(1700000000250).UTC())}}},
		{"blob and long", `{"layerPartBlob":"aGk=","partLastByte":5000000000}`,
			&ecr.UploadLayerPartInput{LayerPartBlob: []byte("hi"), PartLastByte: aws.Int64(5000000000)}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := reflect.New(reflect.TypeOf(test.want).Elem())
			if err := (&shapes{}).decodeJSON([]byte(test.body), got.Elem()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got.Interface(), cmpopts.IgnoreUnexported(ecs.DescribeServicesInput{}, ecs.UpdateServiceInput{},
				ecs.RegisterTaskDefinitionInput{}, types.ContainerDefinition{}, types.PortMapping{}, ecs.ListServiceDeploymentsInput{},
				types.CreatedAt{}, ecr.UploadLayerPartInput{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDecodeJSONRefuses(t *testing.T) {
	tests := []struct{ name, body, code, says string }{
		{"not JSON", `{"family":`, "SerializationException", "not JSON"},
		{"two values", `{} {}`, "SerializationException", "more than one"},
		{"a list", `[]`, "SerializationException", "must be a JSON object"},
		{"string for integer", `{"containerDefinitions":[{"name":"a"},{"cpu":"3"}]}`, "SerializationException",
			"STRING_VALUE can not be converted to an Integer at 'containerDefinitions.2.member.cpu'"},
		{"fraction for integer", `{"containerDefinitions":[{"cpu":1.5}]}`, "SerializationException", "an Integer"},
		{"too large", `{"containerDefinitions":[{"cpu":3000000000}]}`, "SerializationException", "an Integer"},
		{"number for string", `{"family":1}`, "SerializationException", "NUMBER_VALUE can not be converted to a String at 'family'"},
		{"string for boolean", `{"enableFaultInjection":"true"}`, "SerializationException", "a Boolean"},
		{"string for list", `{"containerDefinitions":"x"}`, "SerializationException", "a list"},
		{"list for structure", `{"runtimePlatform":[]}`, "SerializationException", "a structure at 'runtimePlatform'"},
		{"list for map", `{"containerDefinitions":[{"dockerLabels":[]}]}`, "SerializationException", "a map"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var in ecs.RegisterTaskDefinitionInput
			wantFault(t, (&shapes{}).decodeJSON([]byte(test.body), reflect.ValueOf(&in).Elem()), test.code, test.says)
		})
	}
	var update ecs.UpdateServiceInput
	body := `{"deploymentConfiguration":{"lifecycleHooks":[{"hookDetails":{"a":1}}]}}`
	wantFault(t, (&shapes{}).decodeJSON([]byte(body), reflect.ValueOf(&update).Elem()), "NotImplementedException", "hookDetails")
	var upload ecr.UploadLayerPartInput
	wantFault(t, (&shapes{}).decodeJSON([]byte(`{"layerPartBlob":"%%"}`), reflect.ValueOf(&upload).Elem()), "SerializationException", "base64")
	var list ecs.ListServiceDeploymentsInput
	wantFault(t, (&shapes{}).decodeJSON([]byte(`{"createdAt":{"after":"now"}}`), reflect.ValueOf(&list).Elem()), "SerializationException", "Timestamp")
}

func TestEncodeJSON(t *testing.T) {
	at := time.Date(2026, 11, 23, 1, 2, 3, 456789000, time.UTC)
	tests := []struct {
		name string
		out  any
		want string
	}{
		{"nil output", (*ecs.DeleteClusterOutput)(nil), `{}`},
		{"lists of the output are always there", &ecs.DescribeServicesOutput{}, `{"failures":[],"services":[]}`},
		{"deeper lists when they are set", &ecs.CreateClusterOutput{Cluster: &types.Cluster{Tags: []types.Tag{}, ClusterName: aws.String("c")}},
			`{"cluster":{"activeServicesCount":0,"clusterName":"c","pendingTasksCount":0,"registeredContainerInstancesCount":0,"runningTasksCount":0,"tags":[]}}`},
		{"zero scalars and absent enums", &ecs.UpdateServiceOutput{Service: &types.Service{Deployments: []types.Deployment{{CreatedAt: &at}}}},
			`{"service":{"deployments":[{"createdAt":1795395723.456,"desiredCount":0,"failedTasks":0,"pendingCount":0,"runningCount":0}],` +
				`"desiredCount":0,"enableECSManagedTags":false,"enableExecuteCommand":false,"pendingCount":0,"runningCount":0}}`},
		{"maps in order", &ecs.DescribeTaskDefinitionOutput{TaskDefinition: &types.TaskDefinition{ContainerDefinitions: []types.ContainerDefinition{
			{DockerLabels: map[string]string{"b": "\"<é>", "a": ""}}}}},
			`{"tags":[],"taskDefinition":{"containerDefinitions":[{"cpu":0,"dockerLabels":{"a":"","b":"\"<é>"}}],"revision":0}}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := (&shapes{}).encodeJSON(test.out)
			if err != nil {
				t.Fatal(err)
			}
			var a, b any
			if err := json.Unmarshal(got, &a); err != nil {
				t.Fatalf("%s: %v", got, err)
			}
			if err := json.Unmarshal([]byte(test.want), &b); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(b, a); diff != "" {
				t.Errorf("%s\n%s", got, diff)
			}
		})
	}
}

func TestEncodeDocumentAndUnion(t *testing.T) {
	hook := types.DeploymentLifecycleHook{HookDetails: document.NewLazyDocument(map[string]any{"a": 1})}
	got, err := (&shapes{}).encodeJSON(&hook)
	if err != nil || !strings.Contains(string(got), `"hookDetails":{"a":1}`) {
		t.Errorf("%s, %v", got, err)
	}
	union := struct{ Config types.SharingStrategy }{&types.UnknownUnionMember{}}
	if _, err := (&shapes{}).encodeJSON(&union); err == nil || !strings.Contains(err.Error(), "union") {
		t.Errorf("a union was encoded: %v", err)
	}
}

func TestCapitalisedMembers(t *testing.T) {
	known := &shapes{capitalised: func(t reflect.Type) bool { return t == reflect.TypeFor[types.Tag]() }}
	var in ecs.TagResourceInput
	const body = `{"resourceArn":"arn","tags":[{"Key":"k","Value":"v","key":"ignored"}]}`
	if err := known.decodeJSON([]byte(body), reflect.ValueOf(&in).Elem()); err != nil || *in.Tags[0].Key != "k" {
		t.Fatalf("%+v, %v", in, err)
	}
	got, err := known.encodeJSON(&in)
	if want := `{"resourceArn":"arn","tags":[{"Key":"k","Value":"v"}]}`; err != nil || string(got) != want {
		t.Errorf("%s, %v", got, err)
	}
}

func FuzzDecodeJSON(f *testing.F) {
	f.Add([]byte(`{"family":"f","containerDefinitions":[{"name":"c","cpu":3,"environment":[{"name":"A","value":"b"}]}],"memory":"512"}`))
	f.Add([]byte(`{"containerDefinitions":[null,{"dockerLabels":{"":null}}],"tags":[{"key":"k"}]}`))
	f.Add([]byte(`{"runtimePlatform":{"cpuArchitecture":"ARM64"}}`))
	known := &shapes{}
	f.Fuzz(func(t *testing.T, body []byte) {
		var in ecs.RegisterTaskDefinitionInput
		if err := known.decodeJSON(body, reflect.ValueOf(&in).Elem()); err != nil {
			return
		}
		// What was decoded encodes, and decodes to the same.
		first, err := known.encodeJSON(&in)
		if err != nil {
			t.Fatal(err)
		}
		var again ecs.RegisterTaskDefinitionInput
		if err := known.decodeJSON(first, reflect.ValueOf(&again).Elem()); err != nil {
			t.Fatalf("%s: %v", first, err)
		}
		second, err := known.encodeJSON(&again)
		if err != nil || string(first) != string(second) {
			t.Errorf("%s\n%s\n%v", first, second, err)
		}
	})
}

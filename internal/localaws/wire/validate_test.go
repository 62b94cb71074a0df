package wire

import (
	"reflect"
	"regexp"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func TestViolations(t *testing.T) {
	task := &ecs.RegisterTaskDefinitionInput{
		Family:                  aws.String("f"),
		RequiresCompatibilities: []types.Compatibility{"FARGATE", "MOON"},
		ContainerDefinitions: []types.ContainerDefinition{
			{Name: aws.String("a")},
			{PortMappings: []types.PortMapping{{Protocol: "tcp"}, {Protocol: "carrier-pigeon"}}},
		},
	}
	tests := []struct {
		name  string
		check func(v *Violations)
		want  string // empty: fine
	}{
		{"all there", func(v *Violations) {
			v.Require(task, "Family", "ContainerDefinitions", "ContainerDefinitions.PortMappings.Protocol")
		}, ""},
		{"parent missing", func(v *Violations) { v.Require(task, "RuntimePlatform.CpuArchitecture", "Tags.Key") }, ""},
		{"one missing", func(v *Violations) { v.Require(task, "Cpu") },
			"1 validation error detected: Value null at 'cpu' failed to satisfy constraint: Member must not be null"},
		{"in a list", func(v *Violations) { v.Require(task, "ContainerDefinitions.Name") },
			"1 validation error detected: Value null at 'containerDefinitions.2.member.name' failed to satisfy constraint: Member must not be null"},
		{"two missing", func(v *Violations) { v.Require(task, "Memory", "NetworkMode") },
			"2 validation errors detected: Value null at 'memory' failed to satisfy constraint: Member must not be null; " +
				"Value null at 'networkMode' failed to satisfy constraint: Member must not be null"},
		{"enums", func(v *Violations) { v.enums(reflect.ValueOf(task), "") },
			"2 validation errors detected: Value 'carrier-pigeon' at 'containerDefinitions.2.member.portMappings.2.member.protocol' failed to satisfy constraint: " +
				"Member must satisfy enum value set: [tcp, udp]; " +
				"Value 'MOON' at 'requiresCompatibilities.2.member' failed to satisfy constraint: Member must satisfy enum value set: [EC2, FARGATE, EXTERNAL, MANAGED_INSTANCES]"},
		{"range absent", func(v *Violations) { v.Range("maxResults", nil, 1, 100) }, ""},
		{"range inside", func(v *Violations) {
			v.Range("maxResults", aws.Int32(1), 1, 100)
			v.Range("maxResults", aws.Int32(100), 1, 100)
		}, ""},
		{"range below", func(v *Violations) { v.Range("maxResults", aws.Int32(0), 1, 100) },
			"1 validation error detected: Value '0' at 'maxResults' failed to satisfy constraint: Member must have value greater than or equal to 1"},
		{"range above", func(v *Violations) { v.Range("maxResults", aws.Int32(101), 1, 100) },
			"1 validation error detected: Value '101' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 100"},
		{"length", func(v *Violations) {
			v.Length("name", "a", 1, 1, 2)
			v.Length("name", "", 0, 1, 2)
			v.Length("name", "abc", 3, 1, 2)
		},
			"2 validation errors detected: Value '' at 'name' failed to satisfy constraint: Member must have length greater than or equal to 1; " +
				"Value 'abc' at 'name' failed to satisfy constraint: Member must have length less than or equal to 2"},
		{"pattern", func(v *Violations) {
			v.Match("name", nil, regexp.MustCompile("^a$"))
			v.Match("name", aws.String("a"), regexp.MustCompile("^a$"))
			v.Match("name", aws.String("b"), regexp.MustCompile("^a$"))
		}, "1 validation error detected: Value 'b' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: ^a$"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var v Violations
			test.check(&v)
			err := v.Err()
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || err.Error() != "InvalidParameterException: "+test.want {
				t.Errorf("got  %v\nwant InvalidParameterException: %s", err, test.want)
			}
		})
	}
}

func TestRequireOfAnUnknownMemberPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a misspelt member was accepted")
		}
	}()
	_ = Required(&ecs.DescribeClustersInput{}, "Custers")
}

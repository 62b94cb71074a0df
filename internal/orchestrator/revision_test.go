package orchestrator

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/google/go-cmp/cmp"
)

// fill gives every member of a value, however deep, something to say.
func fill(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem())
	case reflect.Struct:
		for field := range v.Type().Fields() {
			if field.IsExported() {
				fill(t, v.FieldByIndex(field.Index))
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(t, v.Index(0))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("Any.Key"), reflect.ValueOf("value"))
	case reflect.String:
		v.SetString("text")
	case reflect.Int32, reflect.Int64:
		v.SetInt(7)
	case reflect.Float32, reflect.Float64:
		v.SetFloat(7.5)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Interface:
		for _, member := range choices(v.Type()) {
			one := reflect.New(member)
			fill(t, one.Elem())
			v.Set(one)
		}
	default:
		t.Fatalf("nobody knows how to fill %s", v.Type())
	}
}

// readOnly are the members of a registered task definition that nobody registers.
var readOnly = []string{
	"Compatibilities", "DeleteRequestedAt", "DeregisteredAt", "RegisteredAt", "RegisteredBy", "RequiresAttributes", "Revision", "Status", "TaskDefinitionArn",
}

// TestEveryMemberIsRegisteredAgain breaks when AWS gives task definitions a member that would be lost.
func TestEveryMemberIsRegisteredAgain(t *testing.T) {
	var have taskRevision
	definition := reflect.ValueOf(&have.definition).Elem()
	for field := range definition.Type().Fields() {
		if field.IsExported() && !slices.Contains(readOnly, field.Name) {
			fill(t, definition.FieldByIndex(field.Index))
		}
	}
	have.tags = []types.Tag{{Key: aws.String("team"), Value: aws.String("shop")}}
	before := mustJSON(t, have.definition)
	in := reflect.ValueOf(have.registerable()).Elem()
	for field := range in.Type().Fields() {
		if !field.IsExported() {
			continue
		}
		carried := in.FieldByIndex(field.Index).Interface()
		want := any(have.tags)
		if field.Name != "Tags" {
			source := definition.FieldByName(field.Name)
			if !source.IsValid() {
				t.Errorf("RegisterTaskDefinition takes %s, and nothing says where to get it from", field.Name)
				continue
			}
			want = source.Interface()
		}
		if reflect.ValueOf(carried).IsZero() || !reflect.DeepEqual(carried, want) {
			t.Errorf("%s is %v, want %v", field.Name, carried, want)
		}
	}
	for field := range definition.Type().Fields() {
		if _, taken := in.Type().FieldByName(field.Name); field.IsExported() && !taken && !slices.Contains(readOnly, field.Name) {
			t.Errorf("a task definition has %s: is it to be registered again, or ECS's own?", field.Name)
		}
	}
	if have.definition.ContainerDefinitions[0].Image = aws.String("changed"); before == mustJSON(t, have.definition) {
		t.Error("the test compares nothing")
	}
	if image := in.Addr().Interface().(*ecs.RegisterTaskDefinitionInput).ContainerDefinitions[0].Image; *image == "changed" {
		t.Error("what is registered shares its containers with what was described")
	}
}

func TestTagsOfAWSAreNotRegistered(t *testing.T) {
	tag := func(key string) types.Tag { return types.Tag{Key: &key} }
	got := ownTags([]types.Tag{tag("aws:cloudformation:stack-name"), tag("team"), tag("AWS:x"), tag("aws")})
	if diff := cmp.Diff([]string{"team", "aws"}, []string{*got[0].Key, *got[1].Key}); diff != "" || len(got) != 2 {
		t.Error(diff)
	}
}

// TestCanonicalIsADefinition: what canonical names is what the decoder takes, for every member that there is. The words
// of enumerations are made up here, so they are the only thing to complain of.
func TestCanonicalIsADefinition(t *testing.T) {
	var d types.TaskDefinition
	for field := range reflect.TypeFor[types.TaskDefinition]().Fields() {
		if field.IsExported() && !slices.Contains(readOnly, field.Name) {
			fill(t, reflect.ValueOf(&d).Elem().FieldByIndex(field.Index))
		}
	}
	raw := mustJSON(t, canonical(reflect.ValueOf(d), ""))
	_, err := decode[types.TaskDefinition]("t.json", []byte(raw))
	var wrong *DefinitionError
	if !errors.As(err, &wrong) {
		t.Fatalf("got %v", err)
	}
	for _, p := range wrong.Problems {
		if !strings.HasSuffix(p.Text, `"text" is not known`) {
			t.Errorf("%s", p)
		}
	}
}

// TestEveryMemberOfAServiceFileHasAPlace breaks when AWS gives services a member of which nobody has said whether a
// release brings it.
func TestEveryMemberOfAServiceFileHasAPlace(t *testing.T) {
	for field := range reflect.TypeFor[ecs.CreateServiceInput]().Fields() {
		if !field.IsExported() {
			continue
		}
		places := 0
		member := memberName(field.Name)
		for _, is := range []bool{settable(member), slices.Contains(fixedMembers, member), slices.Contains(identityMembers, member), member == "tags"} {
			if is {
				places++
			}
		}
		if places != 1 {
			t.Errorf("%s has %d places", member, places)
		}
		_, told := reflect.TypeFor[types.Service]().FieldByName(field.Name)
		if settable(member) && !told && !slices.Contains(revisionMembers, member) {
			t.Errorf("%s is a setting, and nothing says where ECS tells it", member)
		}
	}
	told := reflect.TypeFor[types.ServiceRevision]()
	for _, member := range revisionMembers {
		if _, ok := fieldOf(told, member); !ok {
			t.Errorf("a service revision does not tell %s", member)
		}
	}
}

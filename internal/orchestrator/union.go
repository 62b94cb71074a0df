package orchestrator

import (
	"reflect"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// choices are the members of a union, by name: in JSON an object with exactly one of them. Reflection finds an
// interface's implementations nowhere, so they are listed; a test holds the list to the SDK.
func choices(union reflect.Type) map[string]reflect.Type {
	switch union {
	case reflect.TypeFor[types.SharingStrategy]():
		return map[string]reflect.Type{"nvidiaMps": reflect.TypeFor[types.SharingStrategyMemberNvidiaMps]()}
	case reflect.TypeFor[types.ServiceConnectContainerConfiguration]():
		return map[string]reflect.Type{"logLevel": reflect.TypeFor[types.ServiceConnectContainerConfigurationMemberLogLevel]()}
	}
	return nil
}

// union reads an object that chooses one of several members.
func (d *decoder) union(v reflect.Value, at int, what string) error {
	known := choices(v.Type())
	chosen := 0
	err := d.members(func(name string, at int) error {
		chosen++
		member, ok := known[name]
		if !ok {
			var names []string
			for n := range known {
				names = append(names, n)
			}
			slices.Sort(names)
			d.problem(at, suggest(name, names, ""), "unknown member %q in %s", name, shapeName(v.Type()))
			return d.skipValue()
		}
		one := reflect.New(member)
		if err := d.value(one.Elem().FieldByName("Value"), strconv.Quote(name)); err != nil {
			return err
		}
		v.Set(one)
		return nil
	})
	if err == nil && chosen != 1 {
		d.problem(at, "", "%s must have exactly one member, not %d", what, chosen)
	}
	return err
}

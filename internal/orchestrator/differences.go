package orchestrator

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// listKeys are the members by which the items of a list are told apart, by the list's name: such a list is compared item by
// item, whatever the order.
var listKeys = map[string][]string{
	"containerDefinitions": {"name"}, "environment": {"name"}, "secrets": {"name"}, "secretOptions": {"name"}, "volumes": {"name"},
	"ulimits": {"name"}, "portMappings": {"containerPort", "protocol"}, "mountPoints": {"containerPath"},
	"volumesFrom": {"sourceContainer"}, "systemControls": {"namespace"}, "dependsOn": {"containerName"}, "extraHosts": {"hostname"},
	"resourceRequirements": {"type"}, "loadBalancers": {"containerName", "containerPort"}, "capacityProviderStrategy": {"capacityProvider"},
	"volumeConfigurations": {"name"}, "tags": {"key"},
}

// listValues are the lists whose items are a name and a value: the value alone is compared.
var listValues = map[string]string{
	"environment": "value", "secrets": "valueFrom", "secretOptions": "valueFrom", "systemControls": "value", "extraHosts": "ipAddress", "tags": "value",
}

// comparison gathers what one side says otherwise than the other. Both are what canonical gives.
type comparison struct {
	where string
	// partial leaves members that the wanted side does not have uncompared, and takes an empty value for an absent one.
	partial bool
	found   []release.Difference
}

// walk compares what a member is with what it shall be. name is the member's name, or what stands for it in a list.
func (c *comparison) walk(path, name string, from, to any) {
	if c.agree(from, to) {
		return
	}
	have, isObject := from.(map[string]any)
	wanted, bothAre := to.(map[string]any)
	if isObject && bothAre {
		c.members(path, name, have, wanted)
		return
	}
	before, hasKeys := byKey(name, from)
	after, bothHave := byKey(name, to)
	if hasKeys && bothHave {
		c.items(path, name, before, after)
		return
	}
	if c.partial && from == nil {
		from = zeroOf(to)
	}
	c.found = append(c.found, release.Difference{Where: c.where, Path: path, From: shown(name, from), To: shown(name, to)})
}

// zeroOf is what an absent truth value or number stands for; nil for all else.
func zeroOf(v any) any {
	switch v.(type) {
	case bool:
		return false
	case int64, float64:
		return int64(0)
	}
	return nil
}

// members compares two objects.
func (c *comparison) members(path, name string, from, to map[string]any) {
	for _, member := range c.union(from, to) {
		below := member
		if path != "" {
			below = path + "." + member
		}
		c.walk(below, nameBelow(name, member), from[member], to[member])
	}
}

// items compares two lists of items with keys.
func (c *comparison) items(path, name string, from, to map[string]any) {
	whole := comparison{where: c.where} // an item that is not listed goes, also in a partial comparison
	for _, key := range whole.union(from, to) {
		below := path + "[" + key + "]"
		if _, plain := listValues[name]; plain {
			c.walk(below, nameBelow(name, key), from[key], to[key])
			continue
		}
		c.walk(below, name, from[key], to[key])
	}
}

// union lists the members to compare, sorted.
func (c *comparison) union(from, to map[string]any) []string {
	members := slices.Collect(maps.Keys(to))
	if !c.partial {
		members = slices.AppendSeq(members, maps.Keys(from))
	}
	slices.Sort(members)
	return slices.Compact(members)
}

// agree reports whether two values say the same.
func (c *comparison) agree(from, to any) bool {
	if !c.partial {
		return reflect.DeepEqual(from, to)
	}
	if isEmpty(from) && isEmpty(to) {
		return true
	}
	switch wanted := to.(type) {
	case map[string]any:
		have, ok := from.(map[string]any)
		for member, value := range wanted {
			ok = ok && c.agree(have[member], value)
		}
		return ok
	case []any:
		have, ok := from.([]any)
		ok = ok && len(have) == len(wanted)
		for i := range wanted {
			ok = ok && c.agree(have[i], wanted[i])
		}
		return ok
	}
	return sameScalar(from, to)
}

// sameScalar compares strings, truth values and numbers; 50 and 50.0 are one number.
func sameScalar(a, b any) bool {
	x, isNumber := asNumber(a)
	y, alsoNumber := asNumber(b)
	if isNumber && alsoNumber {
		return x == y
	}
	return reflect.DeepEqual(a, b)
}

func asNumber(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

func isEmpty(v any) bool {
	if v == nil {
		return true
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Map, reflect.Slice:
		return r.Len() == 0
	default:
		return r.IsZero()
	}
}

// byKey indexes the items of a list by their keys; false when it is no list with keys, or two items share one. A list
// of names and values that is not there is an empty one.
func byKey(list string, v any) (map[string]any, bool) {
	parts, ok := listKeys[list]
	items, isList := v.([]any)
	_, plain := listValues[list]
	if !ok || !isList && (v != nil || !plain) {
		return nil, false
	}
	indexed := map[string]any{}
	for _, item := range items {
		object, ok := item.(map[string]any)
		key := keyOf(object, parts)
		if _, double := indexed[key]; !ok || key == "" || double {
			return nil, false
		}
		indexed[key] = item
		if plain {
			indexed[key] = object[listValues[list]]
			if indexed[key] == nil {
				indexed[key] = "" // a variable without a value is not an absent one
			}
		}
	}
	return indexed, true
}

// keyOf joins an item's keys: "9000/tcp". An optional key that is missing is left out.
func keyOf(item map[string]any, parts []string) string {
	var all []string
	for i, part := range parts {
		switch v := item[part]; {
		case v != nil:
			all = append(all, fmt.Sprint(v))
		case i == 0:
			return ""
		}
	}
	return strings.Join(all, "/")
}

package orchestrator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs/document"
)

// unordered are the lists whose order means nothing.
var unordered = map[string]bool{
	"Environment": true, "Secrets": true, "SecretOptions": true, "PortMappings": true, "MountPoints": true, "VolumesFrom": true,
	"Ulimits": true, "RequiresCompatibilities": true, "Volumes": true, "SystemControls": true, "ExtraHosts": true,
	"ResourceRequirements": true, "PlacementConstraints": true, "DependsOn": true,
}

// canonical turns one of the SDK's values into what its JSON would be decoded to (maps, lists, strings, whole numbers,
// floats and truth values), without whatever is empty and with lists sorted where their order means nothing. nil stands
// for empty.
func canonical(v reflect.Value, field string) any {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return canonical(v.Elem(), field)
	case reflect.Interface:
		return canonicalChoice(v)
	case reflect.Struct:
		return canonicalStruct(v)
	case reflect.Map:
		return canonicalMap(v)
	case reflect.Slice:
		return canonicalList(v, field)
	}
	if v.IsZero() {
		return nil
	}
	return scalarOf(v)
}

// scalarOf is a string, int64, float64 or bool, whatever the SDK's name for its type is.
func scalarOf(v reflect.Value) any {
	switch v.Kind() {
	case reflect.String:
		return v.String()
	case reflect.Int32, reflect.Int64:
		return v.Int()
	case reflect.Float32, reflect.Float64:
		return v.Float()
	case reflect.Bool:
		return v.Bool()
	}
	return fmt.Sprint(v.Interface())
}

// canonicalChoice is a union, an object with the one member that was chosen, or a free-form document.
func canonicalChoice(v reflect.Value) any {
	if v.IsNil() {
		return nil
	}
	if free, ok := v.Interface().(document.Interface); ok {
		return canonicalDocument(free)
	}
	for name, member := range choices(v.Type()) {
		if v.Elem().Type() == reflect.PointerTo(member) {
			return map[string]any{name: canonical(v.Elem().Elem().FieldByName("Value"), "")}
		}
	}
	return fmt.Sprint(v.Interface()) // of an SDK newer than choices
}

func canonicalDocument(free document.Interface) any {
	raw, err := free.MarshalSmithyDocument()
	if err != nil {
		return err.Error()
	}
	plain, err := plainJSON(raw)
	if err != nil {
		return err.Error()
	}
	return plain
}

// plainJSON decodes JSON to what canonical gives, empty values included.
func plainJSON(raw []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	return plainNumbers(v), nil
}

// plainNumbers makes an int64 or float64 of every number.
func plainNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return i
		}
		f, err := v.Float64()
		if err != nil {
			return v.String()
		}
		return f
	case map[string]any:
		for key, item := range v {
			v[key] = plainNumbers(item)
		}
	case []any:
		for i, item := range v {
			v[i] = plainNumbers(item)
		}
	}
	return v
}

func canonicalStruct(v reflect.Value) any {
	members := map[string]any{}
	for field := range v.Type().Fields() {
		if !field.IsExported() {
			continue
		}
		if c := canonical(v.FieldByIndex(field.Index), field.Name); c != nil {
			members[memberName(field.Name)] = c
		}
	}
	return orNil(members)
}

func canonicalMap(v reflect.Value) any {
	entries := map[string]any{}
	for key, value := range v.Seq2() {
		// An empty value of a map is not an absent one.
		entries[key.String()] = scalarOf(value)
	}
	return orNil(entries)
}

func orNil(m map[string]any) any {
	if len(m) == 0 {
		return nil
	}
	return m
}

func canonicalList(v reflect.Value, field string) any {
	var items []any
	for _, item := range v.Seq2() {
		// An empty item of a list is not an absent one, say the argument "" of a command.
		items = append(items, canonical(item, ""))
	}
	if len(items) == 0 {
		return nil
	}
	if unordered[field] {
		sortItems(items)
	}
	return items
}

func sortItems(items []any) {
	slices.SortFunc(items, func(a, b any) int { return strings.Compare(sortKey(a), sortKey(b)) })
}

// sortKey is a text that is equal for equal items.
func sortKey(item any) string {
	text, err := json.Marshal(item) // of maps, lists and strings alone: map keys come sorted
	if err != nil {
		return fmt.Sprint(item)
	}
	return string(text)
}

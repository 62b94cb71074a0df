package wire

import (
	"encoding/base64"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// param is a node of a Query request's parameters: "Tags.member.1.Key=x" is a path of four.
type param struct {
	value    *string
	children map[string]*param
}

func paramsOf(form url.Values) *param {
	root := &param{}
	for name, values := range form {
		at := root
		for part := range strings.SplitSeq(name, ".") {
			if at.children == nil {
				at.children = map[string]*param{}
			}
			if at.children[part] == nil {
				at.children[part] = &param{}
			}
			at = at.children[part]
		}
		at.value = &values[len(values)-1]
	}
	return root
}

// decodeQuery fills the struct at into from form parameters. Unknown parameters are ignored.
func (s *shapes) decodeQuery(form url.Values, into reflect.Value) error {
	return s.setQueryStruct(into, paramsOf(form), "")
}

func (s *shapes) setQuery(v reflect.Value, p *param, path string) error {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return s.setQuery(v.Elem(), p, path)
	case reflect.Struct:
		if v.Type() == timeType {
			return setQueryScalar(v, p, path)
		}
		return s.setQueryStruct(v, p, path)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return setQueryScalar(v, p, path)
		}
		return s.setQueryList(v, p, path)
	case reflect.Map:
		return s.setQueryMap(v, p, path)
	case reflect.Interface:
		return notImplemented("local AWS does not take the parameter '%s' (%s)", path, v.Type())
	}
	return setQueryScalar(v, p, path)
}

func (s *shapes) setQueryStruct(v reflect.Value, p *param, path string) error {
	for _, m := range s.members(v.Type()) {
		if child := p.children[m.name]; child != nil {
			if err := s.setQuery(v.Field(m.index), child, joinPath(path, m.name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// setQueryList reads Name.member.1, Name.member.2, … and the flattened form Name.1. "Name=" alone is an empty list.
func (s *shapes) setQueryList(v reflect.Value, p *param, path string) error {
	elements := p
	if nested := p.children["member"]; nested != nil {
		elements = nested
	}
	list := reflect.MakeSlice(v.Type(), 0, len(elements.children))
	for i := 1; elements.children[strconv.Itoa(i)] != nil; i++ {
		item := reflect.New(v.Type().Elem()).Elem()
		if err := s.setQuery(item, elements.children[strconv.Itoa(i)], elementPath(path, i-1)); err != nil {
			return err
		}
		list = reflect.Append(list, item)
	}
	if list.Len() != len(elements.children) {
		return malformed("the elements of the list '%s' must be numbered from 1 without gaps", path)
	}
	v.Set(list)
	return nil
}

// setQueryMap reads Name.entry.1.key and Name.entry.1.value, …
func (s *shapes) setQueryMap(v reflect.Value, p *param, path string) error {
	entries := p
	if nested := p.children["entry"]; nested != nil {
		entries = nested
	}
	v.Set(reflect.MakeMap(v.Type()))
	for i := 1; entries.children[strconv.Itoa(i)] != nil; i++ {
		entry := entries.children[strconv.Itoa(i)].children
		if entry["key"] == nil || entry["key"].value == nil || entry["value"] == nil {
			return malformed("the map entry '%s.entry.%d' needs a key and a value", path, i)
		}
		item := reflect.New(v.Type().Elem()).Elem()
		if err := s.setQuery(item, entry["value"], joinPath(path, *entry["key"].value)); err != nil {
			return err
		}
		v.SetMapIndex(reflect.ValueOf(*entry["key"].value).Convert(v.Type().Key()), item)
	}
	return nil
}

func setQueryScalar(v reflect.Value, p *param, path string) error {
	if p.value == nil {
		return malformed("the parameter '%s' needs a value", path)
	}
	text := *p.value
	var err error
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		var truth bool
		truth, err = strconv.ParseBool(text)
		v.SetBool(truth)
	case reflect.Int32, reflect.Int64:
		var n int64
		n, err = strconv.ParseInt(text, 10, v.Type().Bits())
		v.SetInt(n)
	case reflect.Float32, reflect.Float64:
		var f float64
		f, err = strconv.ParseFloat(text, v.Type().Bits())
		v.SetFloat(f)
	case reflect.Slice:
		var blob []byte
		blob, err = base64.StdEncoding.DecodeString(text)
		v.SetBytes(blob)
	case reflect.Struct:
		var at time.Time
		at, err = time.Parse(time.RFC3339, text)
		v.Set(reflect.ValueOf(at.UTC()))
	default:
		return notImplemented("local AWS does not take the parameter '%s' (%s)", path, v.Type())
	}
	if err != nil {
		return malformed("the value of '%s' is not valid: %v", path, err)
	}
	return nil
}

package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math"
	"reflect"
	"strconv"
	"time"
)

// decodeJSON fills the struct at into from an AWS JSON body. Unknown members are ignored, as AWS ignores them; an
// empty body is an empty object.
func (s *shapes) decodeJSON(body []byte, into reflect.Value) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		return malformed("the request body is not JSON: %v", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return malformed("the request body holds more than one JSON value")
	}
	if _, ok := tree.(map[string]any); !ok {
		return malformed("the request body must be a JSON object, not %s", describeJSON(tree))
	}
	return s.setJSON(into, tree, "")
}

// setJSON assigns a decoded JSON value to an SDK value. null leaves the value as it is: absent.
func (s *shapes) setJSON(v reflect.Value, tree any, path string) error {
	if tree == nil {
		return nil
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return s.setJSON(v.Elem(), tree, path)
	case reflect.Struct:
		if v.Type() == timeType {
			return setTime(v, tree, path)
		}
		return s.setStruct(v, tree, path)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return setBlob(v, tree, path)
		}
		return s.setList(v, tree, path)
	case reflect.Map:
		return s.setMap(v, tree, path)
	case reflect.Interface:
		return notImplemented("local AWS does not take the parameter '%s' (%s)", path, v.Type())
	default:
		return setScalar(v, tree, path)
	}
}

func (s *shapes) setStruct(v reflect.Value, tree any, path string) error {
	object, ok := tree.(map[string]any)
	if !ok {
		return unconvertible(tree, "a structure", path)
	}
	for name, value := range object {
		m, known := s.memberNamed(v.Type(), name)
		if !known {
			continue
		}
		if err := s.setJSON(v.Field(m.index), value, joinPath(path, name)); err != nil {
			return err
		}
	}
	return nil
}

func (s *shapes) setList(v reflect.Value, tree any, path string) error {
	elements, ok := tree.([]any)
	if !ok {
		return unconvertible(tree, "a list", path)
	}
	list := reflect.MakeSlice(v.Type(), 0, len(elements))
	for i, element := range elements {
		if element == nil { // AWS drops nulls from its lists: none of these is sparse
			continue
		}
		item := reflect.New(v.Type().Elem()).Elem()
		if err := s.setJSON(item, element, elementPath(path, i)); err != nil {
			return err
		}
		list = reflect.Append(list, item)
	}
	v.Set(list)
	return nil
}

func (s *shapes) setMap(v reflect.Value, tree any, path string) error {
	object, ok := tree.(map[string]any)
	if !ok {
		return unconvertible(tree, "a map", path)
	}
	v.Set(reflect.MakeMapWithSize(v.Type(), len(object)))
	for key, value := range object {
		item := reflect.New(v.Type().Elem()).Elem()
		if err := s.setJSON(item, value, joinPath(path, key)); err != nil {
			return err
		}
		v.SetMapIndex(reflect.ValueOf(key).Convert(v.Type().Key()), item)
	}
	return nil
}

func setScalar(v reflect.Value, tree any, path string) error {
	switch v.Kind() {
	case reflect.String:
		if text, ok := tree.(string); ok {
			v.SetString(text)
			return nil
		}
		return unconvertible(tree, "a String", path)
	case reflect.Bool:
		if truth, ok := tree.(bool); ok {
			v.SetBool(truth)
			return nil
		}
		return unconvertible(tree, "a Boolean", path)
	case reflect.Int32, reflect.Int64:
		n, ok := integer(tree)
		if !ok || v.OverflowInt(n) {
			return unconvertible(tree, "an Integer", path)
		}
		v.SetInt(n)
		return nil
	case reflect.Float32, reflect.Float64:
		number, _ := tree.(json.Number)
		f, err := number.Float64()
		if err != nil {
			return unconvertible(tree, "a Double", path)
		}
		v.SetFloat(f)
		return nil
	}
	return notImplemented("local AWS does not take the parameter '%s' (%s)", path, v.Type())
}

// integer reads a JSON number that is whole, also when written as 2.0 or 2e1.
func integer(tree any) (int64, bool) {
	number, ok := tree.(json.Number)
	if !ok {
		return 0, false
	}
	if n, err := strconv.ParseInt(number.String(), 10, 64); err == nil {
		return n, true
	}
	f, err := number.Float64()
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, false
	}
	return int64(f), true
}

// setTime reads a timestamp: AWS JSON sends seconds since the epoch, with a fraction.
func setTime(v reflect.Value, tree any, path string) error {
	number, _ := tree.(json.Number)
	seconds, err := number.Float64()
	if err != nil || math.Abs(seconds) > 1e11 {
		return unconvertible(tree, "a Timestamp", path)
	}
	v.Set(reflect.ValueOf(time.UnixMilli(int64(math.Round(seconds * 1000))).UTC()))
	return nil
}

func setBlob(v reflect.Value, tree any, path string) error {
	text, ok := tree.(string)
	if !ok {
		return unconvertible(tree, "a Blob", path)
	}
	blob, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return malformed("the blob at '%s' is not base64: %v", path, err)
	}
	v.SetBytes(blob)
	return nil
}

func unconvertible(tree any, to, path string) error {
	return malformed("%s can not be converted to %s at '%s'", describeJSON(tree), to, path)
}

func describeJSON(tree any) string {
	switch tree.(type) {
	case string:
		return "STRING_VALUE"
	case bool:
		return "BOOLEAN_VALUE"
	case json.Number:
		return "NUMBER_VALUE"
	case []any:
		return "LIST_VALUE"
	case map[string]any:
		return "STRUCTURE_VALUE"
	}
	return "NULL_VALUE"
}

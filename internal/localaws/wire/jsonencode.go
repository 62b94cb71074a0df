package wire

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/smithy-go/document"
)

// encodeJSON writes an output as AWS JSON. See the package comment for what is sent and what is left out.
func (s *shapes) encodeJSON(out any) ([]byte, error) {
	v := reflect.Indirect(reflect.ValueOf(out))
	if !v.IsValid() {
		return []byte("{}"), nil
	}
	return s.appendStruct(nil, v, true)
}

// appendJSON appends the value; ok is false, and nothing appended, when it is absent.
func (s *shapes) appendJSON(b []byte, v reflect.Value, top bool) (out []byte, ok bool, err error) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return b, false, nil
		}
		return s.appendJSON(b, v.Elem(), false)
	case reflect.Interface:
		return s.appendInterface(b, v)
	case reflect.Struct:
		if v.Type() == timeType {
			return appendTime(b, v.Interface().(time.Time)), true, nil
		}
		b, err = s.appendStruct(b, v, false)
		return b, true, err
	case reflect.Slice:
		return s.appendSlice(b, v, top)
	case reflect.Map:
		if v.IsNil() {
			return b, false, nil
		}
		b, err = s.appendMap(b, v)
		return b, true, err
	}
	return appendScalar(b, v)
}

func appendScalar(b []byte, v reflect.Value) ([]byte, bool, error) {
	switch v.Kind() {
	case reflect.String:
		b, err := appendString(b, v.String())
		return b, true, err
	case reflect.Bool:
		return strconv.AppendBool(b, v.Bool()), true, nil
	case reflect.Int32, reflect.Int64:
		return strconv.AppendInt(b, v.Int(), 10), true, nil
	case reflect.Float32, reflect.Float64:
		if math.IsNaN(v.Float()) || math.IsInf(v.Float(), 0) {
			return b, false, fmt.Errorf("encode JSON: %v has no form in JSON", v.Float())
		}
		return strconv.AppendFloat(b, v.Float(), 'g', -1, 64), true, nil
	}
	return b, false, fmt.Errorf("encode JSON: no form for %s", v.Type())
}

func (s *shapes) appendStruct(b []byte, v reflect.Value, top bool) ([]byte, error) {
	b = append(b, '{')
	start := len(b)
	for _, m := range s.members(v.Type()) {
		field := v.Field(m.index)
		if field.Kind() == reflect.String && field.Len() == 0 {
			continue // an enum that was never set: AWS's plain strings are all pointers
		}
		mark := len(b)
		if len(b) > start {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = append(b, m.json...)
		b = append(b, '"', ':')
		out, ok, err := s.appendJSON(b, field, top)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.json, err)
		}
		if !ok {
			out = out[:mark]
		}
		b = out
	}
	return append(b, '}'), nil
}

func (s *shapes) appendSlice(b []byte, v reflect.Value, top bool) ([]byte, bool, error) {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		if v.IsNil() {
			return b, false, nil
		}
		raw, err := json.Marshal(v.Bytes()) // base64
		return append(b, raw...), true, err
	}
	if v.IsNil() && !top {
		return b, false, nil
	}
	b = append(b, '[')
	for i := range v.Len() {
		if i > 0 {
			b = append(b, ',')
		}
		out, ok, err := s.appendJSON(b, v.Index(i), false)
		if err != nil {
			return nil, false, err
		}
		if !ok {
			out = append(out, "null"...)
		}
		b = out
	}
	return append(b, ']'), true, nil
}

func (s *shapes) appendMap(b []byte, v reflect.Value) ([]byte, error) {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	b = append(b, '{')
	for i, key := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendString(b, key.String()); err != nil {
			return nil, err
		}
		b = append(b, ':')
		out, ok, err := s.appendJSON(b, v.MapIndex(key), false)
		if err != nil {
			return nil, err
		}
		if !ok {
			out = append(out, "null"...)
		}
		b = out
	}
	return append(b, '}'), nil
}

// appendInterface writes a document. Union types have wire names that reflection cannot know; no operation of local
// AWS answers one, so that meeting one is a mistake of ours.
func (s *shapes) appendInterface(b []byte, v reflect.Value) ([]byte, bool, error) {
	if v.IsNil() {
		return b, false, nil
	}
	if !v.Type().Implements(marshalerType) {
		return nil, false, fmt.Errorf("encode JSON: the union %s is not supported", v.Type())
	}
	raw, err := v.Interface().(document.Marshaler).MarshalSmithyDocument()
	if err != nil {
		return nil, false, fmt.Errorf("encode document: %w", err)
	}
	return append(b, raw...), true, nil
}

// appendTime writes seconds since the epoch with milliseconds, as AWS does.
func appendTime(b []byte, t time.Time) []byte {
	return strconv.AppendFloat(b, float64(t.UnixMilli())/1000, 'f', -1, 64)
}

func appendString(b []byte, text string) ([]byte, error) {
	raw, err := json.Marshal(text)
	if err != nil {
		return nil, fmt.Errorf("encode JSON: %w", err)
	}
	return append(b, raw...), nil
}

package orchestrator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/ecs/document"
)

// Problem is one thing that is wrong with a definition, and where.
type Problem struct {
	Path         string
	Line, Column int    // 1-based; columns count characters
	Text         string // what is wrong
	Hint         string // what to write instead; empty: nothing is near
}

// String is PATH:LINE:COLUMN: TEXT, with the hint on a line of its own.
func (p Problem) String() string {
	s := fmt.Sprintf("%s:%d:%d: %s", p.Path, p.Line, p.Column, p.Text)
	if p.Hint != "" {
		s += "\n  " + p.Hint
	}
	return s
}

// DefinitionError is everything that is wrong with a definition.
type DefinitionError struct{ Problems []Problem }

// Error lists all problems.
func (e *DefinitionError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// decode reads plain ECS JSON, as `aws ecs … --cli-input-json` takes it, into the SDK's input. Member names are the
// SDK's field names with a small first letter. Whatever does not fit is an error: a mistyped member that is silently
// ignored shows only in production. All problems are found at once.
func decode[Input any](path string, raw []byte) (*Input, error) {
	d := &decoder{path: path, raw: raw, json: json.NewDecoder(bytes.NewReader(raw))}
	d.json.UseNumber()
	in := new(Input)
	err := d.value(reflect.ValueOf(in).Elem(), "the definition")
	if err == nil {
		err = d.nothingMore()
	}
	if err != nil {
		d.broken(err)
	}
	if len(d.problems) > 0 {
		return nil, &DefinitionError{d.problems}
	}
	return in, nil
}

// decoder walks JSON and a Go value side by side.
type decoder struct {
	path     string
	raw      []byte
	json     *json.Decoder
	problems []Problem
}

// here is the offset at which the next token begins.
func (d *decoder) here() int {
	at := int(d.json.InputOffset())
	for at < len(d.raw) && strings.IndexByte(" \t\r\n,:", d.raw[at]) >= 0 {
		at++
	}
	return at
}

func (d *decoder) problem(at int, hint, format string, args ...any) {
	line, column := position(d.raw, at)
	d.problems = append(d.problems, Problem{Path: d.path, Line: line, Column: column, Text: fmt.Sprintf(format, args...), Hint: hint})
}

// position is the line and column of an offset.
func position(raw []byte, at int) (line, column int) {
	before := raw[:min(max(at, 0), len(raw))]
	start := bytes.LastIndexByte(before, '\n') + 1
	return bytes.Count(before, []byte("\n")) + 1, utf8.RuneCount(before[start:]) + 1
}

// broken notes that the text is not JSON from here on.
func (d *decoder) broken(err error) {
	var syntax *json.SyntaxError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		d.problem(len(d.raw), "a closing bracket or quote is missing", "not JSON: it ends too early")
	case errors.As(err, &syntax):
		d.problem(d.here(), "check commas, quotes and brackets around here; JSON has no comments", "not JSON: %v", syntax)
	default:
		d.problem(d.here(), "", "not JSON: %v", err)
	}
}

func (d *decoder) nothingMore() error {
	at := d.here()
	if _, err := d.json.Token(); errors.Is(err, io.EOF) {
		return nil
	}
	d.problem(at, "", "something follows the definition's closing bracket")
	return nil
}

var documentType = reflect.TypeFor[document.Interface]()

// value reads the next value into v; what names the value for messages. The error tells that the text is not JSON.
func (d *decoder) value(v reflect.Value, what string) error {
	at := d.here()
	if v.Type() == documentType {
		var free any
		if err := d.json.Decode(&free); err != nil {
			return err
		}
		v.Set(reflect.ValueOf(document.NewLazyDocument(free)))
		return nil
	}
	token, err := d.json.Token()
	if err != nil {
		return err
	}
	if token == nil {
		d.problem(at, "remove the member, or give it a value", "%s is null", what)
		return nil
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	switch token {
	case json.Delim('{'):
		return d.braced(v, at, what)
	case json.Delim('['):
		return d.list(v, at, what)
	}
	d.scalar(v, token, at, what)
	return nil
}

// braced reads what follows a "{".
func (d *decoder) braced(v reflect.Value, at int, what string) error {
	switch v.Kind() {
	case reflect.Struct:
		return d.object(v)
	case reflect.Map:
		return d.mapping(v, what)
	case reflect.Interface:
		return d.union(v, at, what)
	}
	d.problem(at, "", "%s is an object, but %s is expected", what, kindName(v.Type()))
	return d.skip()
}

// object reads the members of a struct.
func (d *decoder) object(v reflect.Value) error {
	seen := map[string]bool{}
	return d.members(func(name string, at int) error {
		if seen[name] {
			d.problem(at, "keep one of them", "member %q appears twice", name)
		}
		seen[name] = true
		field, ok := fieldOf(v.Type(), name)
		if !ok {
			d.problem(at, suggestMember(name, v.Type()), "unknown member %q in %s", name, shapeName(v.Type()))
			return d.skipValue()
		}
		return d.value(v.FieldByIndex(field.Index), strconv.Quote(name))
	})
}

// mapping reads the entries of a map with string keys.
func (d *decoder) mapping(v reflect.Value, what string) error {
	v.Set(reflect.MakeMap(v.Type()))
	return d.members(func(name string, at int) error {
		key := reflect.ValueOf(name).Convert(v.Type().Key())
		if v.MapIndex(key).IsValid() {
			d.problem(at, "keep one of them", "%q appears twice in %s", name, what)
		}
		entry := reflect.New(v.Type().Elem()).Elem()
		if err := d.value(entry, strconv.Quote(name)+" in "+what); err != nil {
			return err
		}
		v.SetMapIndex(key, entry)
		return nil
	})
}

// members calls do for every member up to the "}".
func (d *decoder) members(do func(name string, at int) error) error {
	for d.json.More() {
		at := d.here()
		token, err := d.json.Token()
		if err != nil {
			return err
		}
		name, ok := token.(string)
		if !ok {
			return fmt.Errorf("a member's name is expected, not %v", token)
		}
		if err := do(name, at); err != nil {
			return err
		}
	}
	_, err := d.json.Token()
	return err
}

// list reads what follows a "[".
func (d *decoder) list(v reflect.Value, at int, what string) error {
	if v.Kind() != reflect.Slice {
		d.problem(at, "", "%s is a list, but %s is expected", what, kindName(v.Type()))
		return d.skip()
	}
	v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	for d.json.More() {
		item := reflect.New(v.Type().Elem()).Elem()
		if err := d.value(item, fmt.Sprintf("item %d of %s", v.Len()+1, what)); err != nil {
			return err
		}
		v.Set(reflect.Append(v, item))
	}
	_, err := d.json.Token()
	return err
}

// memberPosition is the line and column of a member of the outermost object, which was decoded before; the beginning of
// the text when there is none.
func memberPosition(raw []byte, member string) (line, column int) {
	d := &decoder{raw: raw, json: json.NewDecoder(bytes.NewReader(raw))}
	d.json.UseNumber()
	found := 0
	if token, err := d.json.Token(); err == nil && token == json.Delim('{') {
		_ = d.members(func(name string, at int) error { // text that is no JSON has no position to find
			if name == member {
				found = at
			}
			return d.skipValue()
		})
	}
	return position(raw, found)
}

// skip passes over the rest of an object or list whose opening bracket was read.
func (d *decoder) skip() error {
	for depth := 1; depth > 0; {
		token, err := d.json.Token()
		if err != nil {
			return err
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
	}
	return nil
}

// skipValue passes over one whole value.
func (d *decoder) skipValue() error {
	token, err := d.json.Token()
	if err != nil {
		return err
	}
	if token == json.Delim('{') || token == json.Delim('[') {
		return d.skip()
	}
	return nil
}

// fieldOf finds the field that a member stands for: the same name with a capital first letter.
func fieldOf(t reflect.Type, member string) (reflect.StructField, bool) {
	first, size := utf8.DecodeRuneInString(member)
	if !unicode.IsLower(first) {
		return reflect.StructField{}, false
	}
	field, ok := t.FieldByName(string(unicode.ToUpper(first)) + member[size:])
	return field, ok && field.IsExported()
}

// memberName is how a field is written in JSON.
func memberName(field string) string {
	first, size := utf8.DecodeRuneInString(field)
	return string(unicode.ToLower(first)) + field[size:]
}

package orchestrator

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
)

// scalar sets v to a string, number or truth value.
func (d *decoder) scalar(v reflect.Value, token json.Token, at int, what string) {
	set, hint := false, ""
	switch t := token.(type) {
	case string:
		if v.Kind() == reflect.String {
			d.word(v, t, at, what)
			return
		}
		hint = unquoted(v.Type(), t)
	case bool:
		if set = v.Kind() == reflect.Bool; set {
			v.SetBool(t)
		}
		hint = quoted(v.Type(), strconv.FormatBool(t))
	case json.Number:
		set = setNumber(v, t)
		hint = quoted(v.Type(), t.String())
	}
	if !set {
		d.problem(at, hint, "%s is %s, but %s is expected", what, tokenName(token), kindName(v.Type()))
	}
}

// word sets a string; where AWS knows a closed set of words, it must be one of them.
func (d *decoder) word(v reflect.Value, s string, at int, what string) {
	if known := wordsOf(v.Type()); known != nil {
		if !contains(known, s) {
			d.problem(at, suggest(s, known, ""), "%s: %q is not known", what, s)
			return
		}
	}
	v.SetString(s)
}

// wordsOf lists the values of one of the SDK's enumerations; nil for any other type.
func wordsOf(t reflect.Type) []string {
	method, ok := t.MethodByName("Values")
	if !ok || t.Kind() != reflect.String {
		return nil
	}
	values := method.Func.Call([]reflect.Value{reflect.Zero(t)})[0]
	words := make([]string, values.Len())
	for i := range words {
		words[i] = values.Index(i).String()
	}
	return words
}

// setNumber sets an integer or a float; false when the number does not fit.
func setNumber(v reflect.Value, n json.Number) bool {
	switch v.Kind() {
	case reflect.Int32, reflect.Int64:
		i, err := strconv.ParseInt(n.String(), 10, v.Type().Bits())
		if err != nil {
			return false
		}
		v.SetInt(i)
	case reflect.Float32, reflect.Float64:
		f, err := strconv.ParseFloat(n.String(), v.Type().Bits())
		if err != nil {
			return false
		}
		v.SetFloat(f)
	default:
		return false
	}
	return true
}

// quoted is the hint for a bare word where a string is expected: ECS writes many numbers as strings.
func quoted(t reflect.Type, bare string) string {
	if t.Kind() != reflect.String {
		return ""
	}
	return fmt.Sprintf("write it in quotes: %q", bare)
}

// unquoted is the hint for a string where a bare word is expected.
func unquoted(t reflect.Type, s string) string {
	probe := reflect.New(t).Elem()
	_, err := strconv.ParseBool(s)
	if setNumber(probe, json.Number(s)) || t.Kind() == reflect.Bool && err == nil {
		return "write it without quotes: " + s
	}
	return ""
}

// tokenName is what a token is, for people.
func tokenName(token json.Token) string {
	switch t := token.(type) {
	case string:
		return "a string"
	case bool:
		return "true or false"
	case json.Number:
		return "the number " + t.String()
	}
	return "something else"
}

// kindName is what a type expects, for people.
func kindName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int32, reflect.Int64:
		return "a whole number"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "a list"
	case reflect.Struct, reflect.Map, reflect.Interface:
		return "an object"
	}
	return t.String()
}

package wire

import (
	"cmp"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/aws/smithy-go"
)

// ValidationError says which members of an input break the service model's constraints, in AWS's words. JSON services
// send it with their Service.ValidationCode, Query services as ValidationError.
type ValidationError struct {
	violations []string
	code       string // of the service that was called; empty: the default
}

// defaultValidationCode is what ECS, ECR and CloudWatch Logs call it.
const defaultValidationCode = "InvalidParameterException"

var _ smithy.APIError = (*ValidationError)(nil)

// Error implements error.
func (e *ValidationError) Error() string { return e.ErrorCode() + ": " + e.ErrorMessage() }

// ErrorCode implements smithy.APIError.
func (e *ValidationError) ErrorCode() string { return cmp.Or(e.code, defaultValidationCode) }

// ErrorMessage implements smithy.APIError: "N validation errors detected: …; …".
func (e *ValidationError) ErrorMessage() string {
	noun := "error"
	if len(e.violations) != 1 {
		noun = "errors"
	}
	return fmt.Sprintf("%d validation %s detected: %s", len(e.violations), noun, strings.Join(e.violations, "; "))
}

// ErrorFault implements smithy.APIError.
func (e *ValidationError) ErrorFault() smithy.ErrorFault { return smithy.FaultClient }

// Violations collects what is wrong with an input, so that all of it is reported at once. The zero value is ready.
type Violations struct{ list []string }

// Add records that value, of the member named as on the wire, breaks constraint.
func (v *Violations) Add(member, value, constraint string) {
	v.list = append(v.list, fmt.Sprintf("Value %s at '%s' failed to satisfy constraint: %s", value, member, constraint))
}

// Require records every member, by its Go field name, that is nil (or an empty enum) in the struct that in points to.
// A dot goes into a nested struct, or into each element of a list: "Tags.Key". A missing parent is no violation.
func (v *Violations) Require(in any, members ...string) {
	for _, member := range members {
		v.require(reflect.ValueOf(in), "", strings.Split(member, "."))
	}
}

func (v *Violations) require(at reflect.Value, path string, names []string) {
	at = reflect.Indirect(at)
	switch {
	case !at.IsValid():
		return
	case at.Kind() == reflect.Slice:
		for i := range at.Len() {
			v.require(at.Index(i), elementPath(path, i), names)
		}
		return
	case len(names) == 0:
		return
	}
	field := at.FieldByName(names[0])
	if !field.IsValid() {
		panic(fmt.Sprintf("wire: %s has no member %s", at.Type(), names[0]))
	}
	path = joinPath(path, lowerFirst(names[0]))
	if len(names) > 1 {
		v.require(field, path, names[1:])
		return
	}
	switch field.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface, reflect.String:
		if field.IsZero() {
			v.Add(path, "null", "Member must not be null")
		}
	}
}

// Range checks a number that may be absent.
func (v *Violations) Range(member string, value *int32, low, high int32) {
	if value == nil {
		return
	}
	quoted := fmt.Sprintf("'%d'", *value)
	if *value < low {
		v.Add(member, quoted, "Member must have value greater than or equal to "+strconv.Itoa(int(low)))
	}
	if *value > high {
		v.Add(member, quoted, "Member must have value less than or equal to "+strconv.Itoa(int(high)))
	}
}

// Length checks the length of a list or a string; shown is how the message shows the value.
func (v *Violations) Length(member, shown string, length, low, high int) {
	if length < low {
		v.Add(member, "'"+shown+"'", "Member must have length greater than or equal to "+strconv.Itoa(low))
	}
	if length > high {
		v.Add(member, "'"+shown+"'", "Member must have length less than or equal to "+strconv.Itoa(high))
	}
}

// Match checks a string that may be absent against a pattern that is anchored at both ends.
func (v *Violations) Match(member string, value *string, pattern *regexp.Regexp) {
	if value != nil && !pattern.MatchString(*value) {
		v.Add(member, "'"+*value+"'", "Member must satisfy regular expression pattern: "+pattern.String())
	}
}

// Err is nil when nothing was recorded, else a *ValidationError.
func (v *Violations) Err() error {
	if len(v.list) == 0 {
		return nil
	}
	return &ValidationError{violations: v.list}
}

// Required is Violations.Require alone: an error that names every one of the members that is missing from in.
func Required(in any, members ...string) error {
	var v Violations
	v.Require(in, members...)
	return v.Err()
}

// enums checks every enum in the input against the values that the SDK's type knows.
func (v *Violations) enums(at reflect.Value, path string) {
	switch at.Kind() {
	case reflect.Pointer:
		if !at.IsNil() {
			v.enums(at.Elem(), path)
		}
	case reflect.Struct:
		for i := range at.NumField() {
			if field := at.Type().Field(i); field.IsExported() {
				v.enums(at.Field(i), joinPath(path, lowerFirst(field.Name)))
			}
		}
	case reflect.Slice:
		if at.Type().Elem().Kind() == reflect.Uint8 {
			return
		}
		for i := range at.Len() {
			v.enums(at.Index(i), elementPath(path, i))
		}
	case reflect.Map:
		for _, key := range at.MapKeys() {
			v.enums(at.MapIndex(key), joinPath(path, key.String()))
		}
	case reflect.String:
		v.enum(at, path)
	}
}

func (v *Violations) enum(at reflect.Value, path string) {
	method := at.MethodByName("Values")
	if at.String() == "" || !method.IsValid() || method.Type().NumIn() != 0 || method.Type().NumOut() != 1 {
		return
	}
	known := method.Call(nil)[0]
	names := make([]string, known.Len())
	for i := range names {
		if names[i] = known.Index(i).String(); names[i] == at.String() {
			return
		}
	}
	v.Add(path, "'"+at.String()+"'", "Member must satisfy enum value set: ["+strings.Join(names, ", ")+"]")
}

func joinPath(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// elementPath is the path of a list's element, counted from 1, as AWS writes it.
func elementPath(path string, i int) string { return path + "." + strconv.Itoa(i+1) + ".member" }

// lowerFirst turns a Go field name into the member name of AWS JSON.
func lowerFirst(name string) string { return strings.ToLower(name[:1]) + name[1:] }

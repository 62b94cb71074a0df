package wire

import (
	"context"
	"reflect"
	"sync"
	"time"

	"github.com/aws/smithy-go/document"
	"github.com/aws/smithy-go/middleware"
)

var (
	contextType   = reflect.TypeFor[context.Context]()
	errorType     = reflect.TypeFor[error]()
	timeType      = reflect.TypeFor[time.Time]()
	metadataType  = reflect.TypeFor[middleware.Metadata]()
	marshalerType = reflect.TypeFor[document.Marshaler]()
)

// member is one field of an SDK struct that goes over the wire.
type member struct {
	index int
	name  string // as in Go, which is also Query's name
	json  string
}

// shapes remembers the members of the SDK's structs: looking them up costs more than a request otherwise does.
type shapes struct {
	cache       sync.Map                // reflect.Type → []member
	capitalised func(reflect.Type) bool // see Service.Capitalised; may be nil
}

func (s *shapes) members(t reflect.Type) []member {
	if known, ok := s.cache.Load(t); ok {
		return known.([]member)
	}
	var members []member
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() || f.Type == metadataType || f.Name == "ErrorCodeOverride" {
			continue
		}
		m := member{index: i, name: f.Name, json: f.Name}
		if s.capitalised == nil || !s.capitalised(t) {
			m.json = lowerFirst(f.Name)
		}
		members = append(members, m)
	}
	s.cache.Store(t, members)
	return members
}

func (s *shapes) memberNamed(t reflect.Type, json string) (member, bool) {
	for _, m := range s.members(t) {
		if m.json == json {
			return m, true
		}
	}
	return member{}, false
}

// operation is one method of a backend.
type operation struct {
	call  reflect.Value
	input reflect.Type // the struct, not the pointer to it
}

// operationsOf finds the methods of backend that have the shape of an operation.
func operationsOf(backend any) map[string]operation {
	found := map[string]operation{}
	v := reflect.ValueOf(backend)
	for i := range v.NumMethod() {
		t := v.Method(i).Type()
		if t.NumIn() == 2 && t.NumOut() == 2 && t.In(0) == contextType && isStructPointer(t.In(1)) &&
			isStructPointer(t.Out(0)) && t.Out(1) == errorType {
			found[v.Type().Method(i).Name] = operation{call: v.Method(i), input: t.In(1).Elem()}
		}
	}
	return found
}

// OperationsOf names the operations of an AWS service, as the methods of its SDK client (or a nil pointer to one) tell.
func OperationsOf(client any) []string {
	var names []string
	t := reflect.TypeOf(client)
	for i := range t.NumMethod() {
		// Receiver, context, input and the options; output and error.
		m := t.Method(i)
		if m.Type.NumIn() == 4 && m.Type.NumOut() == 2 && m.Type.In(1) == contextType && isStructPointer(m.Type.In(2)) && m.Type.Out(1) == errorType {
			names = append(names, m.Name)
		}
	}
	return names
}

func isStructPointer(t reflect.Type) bool {
	return t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct
}

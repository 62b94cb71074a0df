package report

import (
	"cmp"
	"encoding/base64"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// masked stands where a secret stood.
const masked = "***"

// Mask keeps secrets out of every face, whatever event they got into. It is safe for concurrent use; the zero value
// masks nothing.
type Mask struct {
	mu      sync.RWMutex
	secrets []string
}

// Add masks a secret from now on, the same as a registry's basic auth has it ("USER:SECRET" in base64), and each line of
// a secret that has several, such as a key: faces write line by line. What is too short to be a secret is not masked: it
// would blot out ordinary words.
func (m *Mask) Add(user, secret string) {
	const shortest = 8 // bytes
	if len(secret) < shortest {
		return
	}
	forms := []string{secret, base64.StdEncoding.EncodeToString([]byte(user + ":" + secret))}
	for line := range strings.Lines(secret) {
		forms = append(forms, strings.TrimSpace(line))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, form := range forms {
		if len(form) >= shortest && !slices.Contains(m.secrets, form) {
			m.secrets = append(m.secrets, form)
		}
	}
	// The longest first: a secret may contain another.
	slices.SortFunc(m.secrets, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
}

// apply gives text without secrets.
func (m *Mask) apply(text string) string {
	if m == nil {
		return text
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, secret := range m.secrets {
		text = strings.ReplaceAll(text, secret, masked)
	}
	return text
}

// maskedFace takes secrets out of events before a face sees them: later they might be escaped, or cut in the middle.
type maskedFace struct {
	Face
	mask *Mask
}

// Emit implements Face.
func (f maskedFace) Emit(e release.Event) {
	if clean, ok := f.mask.value(reflect.ValueOf(e)).Interface().(release.Event); ok {
		f.Face.Emit(clean)
	}
}

// value is a copy of v without secrets in any of its strings. What events are made of is what it knows: a map in one
// has no text of others.
func (m *Mask) value(v reflect.Value) reflect.Value {
	if (v.Kind() == reflect.Pointer || v.Kind() == reflect.Slice) && v.IsNil() {
		return v
	}
	clean := reflect.New(v.Type()).Elem()
	clean.Set(v)
	switch v.Kind() {
	case reflect.String:
		clean.SetString(m.apply(v.String()))
	case reflect.Pointer:
		clean.Set(reflect.New(v.Type().Elem()))
		clean.Elem().Set(m.value(v.Elem()))
	case reflect.Slice:
		clean.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			clean.Index(i).Set(m.value(v.Index(i)))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if field := clean.Field(i); field.CanSet() {
				field.Set(m.value(v.Field(i)))
			}
		}
	}
	return clean
}

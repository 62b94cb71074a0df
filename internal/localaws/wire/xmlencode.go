package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// xmlWriter writes the XML answers of Query services.
type xmlWriter struct {
	shapes *shapes
	buf    bytes.Buffer
}

func (w *xmlWriter) open(name string)  { w.buf.WriteString("<" + name + ">") }
func (w *xmlWriter) close(name string) { w.buf.WriteString("</" + name + ">") }

func (w *xmlWriter) text(name, value string) {
	w.open(name)
	_ = xml.EscapeText(&w.buf, []byte(value)) // a bytes.Buffer does not fail
	w.close(name)
}

// members writes each member of a struct as an element named for it.
func (w *xmlWriter) members(v reflect.Value, top bool) error {
	for _, m := range w.shapes.members(v.Type()) {
		field := v.Field(m.index)
		switch {
		case field.Kind() == reflect.Slice && field.IsNil() && top && field.Type().Elem().Kind() != reflect.Uint8:
			w.text(m.name, "")
			continue
		case field.Kind() == reflect.String && field.Len() == 0: // an enum that was never set
			continue
		}
		if err := w.element(m.name, field); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return nil
}

func (w *xmlWriter) element(name string, v reflect.Value) error {
	switch v.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
		if v.IsNil() {
			return nil
		}
	}
	switch v.Kind() {
	case reflect.Pointer:
		return w.element(name, v.Elem())
	case reflect.Struct:
		if v.Type() == timeType {
			w.text(name, v.Interface().(time.Time).UTC().Format("2006-01-02T15:04:05.000Z"))
			return nil
		}
		return w.within(name, func() error { return w.members(v, false) })
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			w.text(name, base64.StdEncoding.EncodeToString(v.Bytes()))
			return nil
		}
		return w.within(name, func() error { return w.list(v) })
	case reflect.Map:
		return w.within(name, func() error { return w.entries(v) })
	case reflect.String:
		w.text(name, v.String())
	case reflect.Bool:
		w.text(name, strconv.FormatBool(v.Bool()))
	case reflect.Int32, reflect.Int64:
		w.text(name, strconv.FormatInt(v.Int(), 10))
	case reflect.Float32, reflect.Float64:
		w.text(name, strconv.FormatFloat(v.Float(), 'g', -1, 64))
	default:
		return fmt.Errorf("encode XML: no form for %s", v.Type())
	}
	return nil
}

func (w *xmlWriter) within(name string, write func() error) error {
	w.open(name)
	err := write()
	w.close(name)
	return err
}

func (w *xmlWriter) list(v reflect.Value) error {
	for i := range v.Len() {
		if err := w.element("member", v.Index(i)); err != nil {
			return err
		}
	}
	return nil
}

func (w *xmlWriter) entries(v reflect.Value) error {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	for _, key := range keys {
		w.open("entry")
		w.text("key", key.String())
		if err := w.element("value", v.MapIndex(key)); err != nil {
			return err
		}
		w.close("entry")
	}
	return nil
}

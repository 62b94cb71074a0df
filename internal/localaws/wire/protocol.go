package wire

import (
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
)

// protocol is how one service's requests and answers look. An implementation never sees what an operation means.
type protocol interface {
	// operation names the operation that the request asks for.
	operation(r *http.Request, body []byte) (string, error)
	// decode fills the input struct.
	decode(r *http.Request, body []byte, into reflect.Value) error
	// output and failure give a body with its content type.
	output(operation string, out any, requestID string) (body []byte, contentType string, err error)
	failure(e envelope, requestID string) (body []byte, contentType string)
	// query says whether the Query protocol's error codes apply.
	query() bool
}

// awsJSON is AWS JSON 1.1.
type awsJSON struct {
	shapes *shapes
	prefix string // of X-Amz-Target, with the dot
}

const jsonContentType = "application/x-amz-json-1.1"

func (p awsJSON) query() bool { return false }

func (p awsJSON) operation(r *http.Request, _ []byte) (string, error) {
	target := r.Header.Get("X-Amz-Target")
	name, ok := strings.CutPrefix(target, p.prefix)
	if !ok || name == "" {
		return "", unknownOperation("X-Amz-Target %q does not name an operation of this service (%sOPERATION)", target, p.prefix)
	}
	return name, nil
}

func (p awsJSON) decode(_ *http.Request, body []byte, into reflect.Value) error {
	return p.shapes.decodeJSON(body, into)
}

func (p awsJSON) output(_ string, out any, _ string) ([]byte, string, error) {
	body, err := p.shapes.encodeJSON(out)
	return body, jsonContentType, err
}

// failure writes __type and message, and the other members that a typed exception has.
func (p awsJSON) failure(e envelope, _ string) ([]byte, string) {
	b := []byte(`{"__type":`)
	b, _ = appendString(b, e.code) // a string always has a form in JSON
	b = append(b, `,"message":`...)
	b, _ = appendString(b, e.message)
	v := reflect.Indirect(reflect.ValueOf(e.detail))
	if v.Kind() == reflect.Struct {
		for _, m := range p.shapes.members(v.Type()) {
			switch m.name {
			case "Message", "Code", "Fault":
				continue
			}
			if value, ok, err := p.shapes.appendJSON(nil, v.Field(m.index), false); ok && err == nil {
				b = append(append(append(b, `,"`...), m.json...), `":`...)
				b = append(b, value...)
			}
		}
	}
	return append(b, '}'), jsonContentType
}

// awsQuery is the Query protocol: form parameters in, XML out.
type awsQuery struct {
	shapes    *shapes
	version   string
	namespace string
}

func (p awsQuery) query() bool { return true }

// form gives the parameters of a POST, or of a GET.
func (p awsQuery) form(r *http.Request, body []byte) (url.Values, error) {
	if r.Method == http.MethodGet {
		return r.URL.Query(), nil
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, malformed("the request body is not a form: %v", err)
	}
	return form, nil
}

func (p awsQuery) operation(r *http.Request, body []byte) (string, error) {
	form, err := p.form(r, body)
	if err != nil {
		return "", err
	}
	name := form.Get("Action")
	if name == "" {
		return "", unknownOperation("the parameter Action is missing")
	}
	if version := form.Get("Version"); version != p.version {
		return "", unknownOperation("Could not find operation %s for version %s", name, version)
	}
	return name, nil
}

func (p awsQuery) decode(r *http.Request, body []byte, into reflect.Value) error {
	form, err := p.form(r, body)
	if err != nil {
		return err
	}
	return p.shapes.decodeQuery(form, into)
}

func (p awsQuery) output(operation string, out any, requestID string) ([]byte, string, error) {
	w := xmlWriter{shapes: p.shapes}
	fmt.Fprintf(&w.buf, `<%sResponse xmlns="%s">`, operation, p.namespace)
	w.open(operation + "Result")
	if v := reflect.Indirect(reflect.ValueOf(out)); v.IsValid() {
		if err := w.members(v, true); err != nil {
			return nil, "", err
		}
	}
	w.close(operation + "Result")
	w.open("ResponseMetadata")
	w.text("RequestId", requestID)
	w.close("ResponseMetadata")
	w.close(operation + "Response")
	return w.buf.Bytes(), "text/xml", nil
}

func (p awsQuery) failure(e envelope, requestID string) ([]byte, string) {
	var w xmlWriter
	fmt.Fprintf(&w.buf, `<ErrorResponse xmlns="%s">`, p.namespace)
	w.open("Error")
	kind := "Receiver"
	if e.sender {
		kind = "Sender"
	}
	w.text("Type", kind)
	w.text("Code", e.code)
	w.text("Message", e.message)
	w.close("Error")
	w.text("RequestId", requestID)
	w.close("ErrorResponse")
	return w.buf.Bytes(), "text/xml"
}

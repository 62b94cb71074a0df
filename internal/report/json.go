package report

import (
	"encoding/json"
	"io"
	"sync"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// jsonFace writes an event a line: its fields, its type and its time. docs/events.schema.json describes them.
type jsonFace struct {
	Options
	mu     sync.Mutex
	closed bool
	err    error
}

func newJSON(o Options) *jsonFace { return &jsonFace{Options: o} }

// Emit implements Face.
func (f *jsonFace) Emit(e release.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	line, err := f.encode(e)
	if err == nil {
		_, err = io.WriteString(f.Out, string(line)+"\n")
	}
	if err != nil && f.err == nil {
		f.err = err
	}
}

func (f *jsonFace) encode(e release.Event) ([]byte, error) {
	raw, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(raw, &fields); err != nil {
		return nil, err
	}
	add := func(name string, value any) {
		if encoded, encodeErr := json.Marshal(value); encodeErr == nil {
			fields[name] = encoded
		} else if err == nil {
			err = encodeErr
		}
	}
	add("type", e.Kind())
	add("time", f.Now().UTC().Format("2006-01-02T15:04:05.000Z07:00"))
	if r, ok := e.(release.Result); ok {
		add("seconds", seconds(r))
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(fields)
}

// seconds are a result's phases with their sum of waiting, "total".
func seconds(r release.Result) map[string]float64 {
	all := map[string]float64{"total": r.Total}
	for phase, s := range r.Seconds {
		all[string(phase)] = s
	}
	return all
}

// Close implements Face.
func (f *jsonFace) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	return f.err
}

package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"unicode/utf8"
)

// Read gives the contents of the two files, each of them a JSON object. Problems of both come back as Errors. A file
// that does not exist is one of them, and errors.Is(err, os.ErrNotExist) tells when neither exists: then nothing
// describes the service.
func (def Definition) Read() (taskDefinition, service []byte, err error) {
	taskDefinition, taskErr := readObject(def.TaskDefinition)
	service, serviceErr := readObject(def.Service)
	if errors.Is(taskErr, os.ErrNotExist) && errors.Is(serviceErr, os.ErrNotExist) {
		return nil, nil, fmt.Errorf("there is neither %s nor %s: %w", def.TaskDefinition, def.Service, os.ErrNotExist)
	}
	var all Errors
	all = append(all, unreadable(def.TaskDefinition, taskErr, "it goes together with "+def.Service)...)
	all = append(all, unreadable(def.Service, serviceErr, "it goes together with "+def.TaskDefinition)...)
	if len(all) > 0 {
		return nil, nil, all
	}
	return taskDefinition, service, nil
}

// unreadable makes Errors of what reading path gave.
func unreadable(path string, err error, hint string) Errors {
	var own Errors
	switch {
	case err == nil:
		return nil
	case errors.As(err, &own):
		return own
	case errors.Is(err, os.ErrNotExist):
		return Errors{{File: path, Message: "no such file", Hint: hint}}
	}
	return Errors{{File: path, Message: err.Error(), Hint: hint}}
}

// readObject reads a file that holds one JSON object.
func readObject(path string) ([]byte, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var object map[string]json.RawMessage
	err = json.Unmarshal(raw, &object)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		at := positionOf(raw, int(syntax.Offset)-1)
		return nil, Errors{{File: path, Line: at.line, Column: at.column, Message: "not JSON: " + syntax.Error(),
			Hint: "check commas, quotes and brackets around here; JSON has no comments"}}
	case errors.As(err, &kind) || (err == nil && object == nil):
		return nil, Errors{{File: path, Line: 1, Column: 1, Message: "not a JSON object", Hint: "expected what aws ecs … --cli-input-json takes: { … }"}}
	case err != nil:
		return nil, err
	}
	return raw, nil
}

// positionOf is the place of a byte.
func positionOf(source []byte, offset int) position {
	before := source[:min(max(offset, 0), len(source))]
	lineStart := bytes.LastIndexByte(before, '\n') + 1
	return position{bytes.Count(before, []byte("\n")) + 1, utf8.RuneCount(before[lineStart:]) + 1}
}

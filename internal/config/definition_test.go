package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadDefinition(t *testing.T) {
	const object = `{"family": "medusa"}`
	for name, tc := range map[string]struct {
		task, service string // empty: no file
		want          []string
	}{
		"both":            {object, object, nil},
		"no service":      {object, "", []string{"service.json: no such file"}},
		"no task":         {"", object, []string{"task.json: no such file"}},
		"both are broken": {"{\n  \"é\": 1,\n}", "[]", []string{"task.json:3:1: not JSON: invalid character '}'", "service.json:1:1: not a JSON object"}},
		"cut off":         {"{\"a\": ", object, []string{"task.json:1:6: not JSON: unexpected end of JSON input"}},
		"null":            {"null", object, []string{"task.json:1:1: not a JSON object"}},
		"a comment":       {"// x\n{}", object, []string{"task.json:1:1: not JSON", "JSON has no comments"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			def := Definition{TaskDefinition: filepath.Join(dir, "task.json"), Service: filepath.Join(dir, "service.json")}
			for path, content := range map[string]string{def.TaskDefinition: tc.task, def.Service: tc.service} {
				if content == "" {
					continue
				}
				if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			task, service, err := def.Read()
			if tc.want == nil {
				if err != nil || string(task) != tc.task || string(service) != tc.service {
					t.Errorf("Read = %s, %s, %v", task, service, err)
				}
				return
			}
			var errs Errors
			if !errors.As(err, &errs) {
				t.Fatalf("Read = %v, want Errors", err)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("Read = %v, want %q in it", err, want)
				}
			}
		})
	}
}

func TestReadNoDefinition(t *testing.T) {
	dir := t.TempDir()
	_, _, err := Definition{TaskDefinition: filepath.Join(dir, "a"), Service: filepath.Join(dir, "b")}.Read()
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Read = %v, want os.ErrNotExist", err)
	}
}

func TestNearest(t *testing.T) {
	known := []string{"region", "registry", "cluster", "services"}
	for word, want := range map[string]string{
		"regoin": "region", "Region": "region", "regsitry": "registry", "service": "services", "clsuter": "cluster",
		"x": "", "": "", "platforms": "", strings.Repeat("region", 100): "",
	} {
		if got := nearest(word, known); got != want {
			t.Errorf("nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

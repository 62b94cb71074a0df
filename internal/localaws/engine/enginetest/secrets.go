package enginetest

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/uuid"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

// holding lists the files below the stage's directories that have the text in them.
func (s *Stage) holding(t *testing.T, text string) []string {
	t.Helper()
	var found []string
	for _, dir := range s.Dirs {
		found = append(found, holding(t, dir, text)...)
	}
	return found
}

func holding(t *testing.T, dir, text string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return nil // it went away meanwhile, or is a socket
		}
		content, err := os.ReadFile(path)
		if err == nil && bytes.Contains(content, []byte(text)) {
			found = append(found, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// knowing lists the processes that have the text in their arguments or their environment.
func knowing(t *testing.T, text string) []string {
	t.Helper()
	var found []string
	for _, what := range []string{"cmdline", "environ"} {
		files, err := filepath.Glob("/proc/[0-9]*/" + what)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil || !bytes.Contains(content, []byte(text)) {
				continue // it has ended, or knows nothing
			}
			exe, _ := os.Readlink(filepath.Join(filepath.Dir(file), "exe"))
			found = append(found, what+" of "+exe)
		}
	}
	return found
}

// testSecretEnv follows a secret: into the container's process and its commands, and to no other place that outlives it.
func testSecretEnv(t *testing.T, open Opener) {
	s := open(t)
	pull := NewHub(t).Push(t, "app", ImageOf(t, runtime.GOARCH, v1.Config{Env: []string{"TOKEN=of the image"}}))
	canary := uuid.NewString()
	value := canary + ` "quoted" = <&> é` + "\nsecond line " + strings.Repeat("x", 20000)
	box := s.StartSpec(t, pull, engine.ContainerSpec{
		ID: "web", Command: []string{"sleep"}, Env: []string{"COLOUR=green"}, SecretEnv: []string{"TOKEN=" + value, "OTHER=" + canary},
	})
	sees := func(when string) {
		t.Helper()
		for name, want := range map[string]string{"COLOUR": "green", "OTHER": canary} {
			result, err := s.Exec(Within(t), "web", []string{"/app", "env", name})
			if err != nil || strings.TrimSpace(result.Output) != want {
				t.Errorf("%s, a command sees %s = %q, %v", when, name, result.Output, err)
			}
		}
		result, err := s.Exec(Within(t), "web", []string{"/app", "env", "TOKEN"})
		if err != nil || !strings.HasSuffix(value+"\n", result.Output) || len(result.Output) < 4000 {
			t.Errorf("%s, a command sees a TOKEN that ends in %d bytes, %v", when, len(result.Output), err)
		}
	}
	sees("at first")
	if all := knowing(t, canary); len(all) != 1 || all[0] != "environ of /app" {
		t.Errorf("processes that know the secret: %v", all)
	}
	for _, file := range s.holding(t, canary) {
		if !slices.ContainsFunc(s.SecretFiles, func(end string) bool { return strings.HasSuffix(file, end) }) {
			t.Errorf("while the container runs the secret is in %s", file)
		}
	}
	s.Reopen(t, "127.0.0.1:1")
	sees("after a restart")
	if err := s.RemoveSandbox(Within(t), box.ID); err != nil {
		t.Fatal(err)
	}
	if files := s.holding(t, canary); len(files) != 0 {
		t.Errorf("after the container is gone, the secret is in %v", files)
	}
	if all := knowing(t, canary); len(all) != 0 {
		t.Errorf("after the container is gone, it is known to %v", all)
	}
}

// testSecretEnvOfAContainerThatCannotStart leaves nothing behind either, and says nothing of the value.
func testSecretEnvOfAContainerThatCannotStart(t *testing.T, open Opener) {
	s := open(t)
	pull := NewHub(t).Push(t, "app", ImageOf(t, runtime.GOARCH, v1.Config{}))
	if _, err := s.Pull(Within(t), pull); err != nil {
		t.Fatal(err)
	}
	box, err := s.CreateSandbox(Within(t), engine.SandboxSpec{ID: "box"})
	if err != nil {
		t.Fatal(err)
	}
	canary := uuid.NewString()
	err = s.Start(Within(t), engine.ContainerSpec{
		ID: "web", Sandbox: box.ID, Name: "app", Image: pull.Ref, Entrypoint: []string{"/none"}, SecretEnv: []string{"TOKEN=" + canary},
	})
	if err == nil || strings.Contains(err.Error(), canary) || !strings.Contains(err.Error(), "/none") {
		t.Errorf("err = %v", err)
	}
	if files := s.holding(t, canary); len(files) != 0 {
		t.Errorf("the secret is in %v", files)
	}
}

//go:build linux

package containerd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	client "github.com/containerd/containerd/v2/client"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

// A container's spec is kept in containerd's database, and what is deleted there stays in the file's freed pages until
// chance overwrites it. So the spec that containerd gets has no secrets. They are added to the copy of it that the runtime
// reads: containerd writes that to the container's bundle, which it removes with the container, and then starts the
// shim in it. For a container with secrets the "shim" is a copy of this program, which completes the file and becomes the
// real shim. BecomeShim must therefore be the first thing that a program with this engine does.

const (
	secretShim = "secret-shim" // the copy of this program, in the engine's run directory
	realShim   = "containerd-shim-runc-v2"
	bundleSpec = "config.json"
)

// secretsFile is where the shim finds a container's secrets, for the moment that the start takes.
func (l layout) secretsFile(id string) string { return filepath.Join(l.container(id), "secrets.json") }

// bundle is where the runtime has a running container's spec.
func (l layout) bundle(id string) string {
	return filepath.Join(l.run("containerd"), "io.containerd.runtime.v2.task", namespace, id)
}

// newTask makes containerd create the container's process, which waits to be started.
func (e *Engine) newTask(ctx context.Context, spec engine.ContainerSpec, container client.Container) (client.Task, error) {
	streams := logStreams(e.layout.logFile(spec.ID))
	if len(spec.SecretEnv) == 0 {
		return container.NewTask(ctx, streams)
	}
	shim, err := e.secretShim()
	if err != nil {
		return nil, err
	}
	file := e.layout.secretsFile(spec.ID)
	if err := writeJSON(file, spec.SecretEnv); err != nil {
		return nil, err
	}
	task, err := container.NewTask(ctx, streams, client.WithRuntimePath(shim))
	if gone := os.Remove(file); gone != nil && !errors.Is(gone, os.ErrNotExist) { // the shim removes it as well
		err = errors.Join(err, gone)
	}
	return task, err
}

// secretShim copies this program to where containerd can start it, also after the program's own file was replaced: once
// for each engine, before the first container that needs it.
func (e *Engine) secretShim() (string, error) {
	e.keys.Lock(secretShim)
	defer func() { _ = e.keys.Unlock(secretShim) }()
	path := e.layout.run(secretShim)
	if e.shimCopied {
		return path, nil
	}
	if err := copyProgram("/proc/self/exe", path); err != nil {
		return "", fmt.Errorf("prepare to start containers with secrets: %w", err)
	}
	e.shimCopied = true
	return path, nil
}

func copyProgram(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }()
	copied, err := os.CreateTemp(filepath.Dir(to), ".new-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(copied.Name()) }() // gone already when the rename succeeded
	_, err = io.Copy(copied, source)
	if err = errors.Join(err, copied.Chmod(0o700), copied.Close()); err != nil {
		return err
	}
	return os.Rename(copied.Name(), to)
}

// BecomeShim replaces this process by containerd's runc shim if containerd started it as that, for a container with
// secrets. It returns nil at once in every other process, and an error when it failed to become the shim: the process must
// then end. args are the process's own, the program first.
func BecomeShim(args []string) error {
	if len(args) == 0 || filepath.Base(args[0]) != secretShim {
		return nil
	}
	if args[len(args)-1] == "start" {
		if err := completeBundle(args); err != nil {
			return fmt.Errorf("add the secrets to the container: %w", err)
		}
	}
	shim, err := exec.LookPath(realShim) // containerd's own PATH begins with the engine's binaries
	if err != nil {
		return err
	}
	return fmt.Errorf("become %s: %w", shim, unix.Exec(shim, append([]string{shim}, args[1:]...), os.Environ()))
}

// completeBundle adds the secrets to the spec in the bundle, which is the working directory of a shim that starts.
func completeBundle(args []string) error {
	at := slices.Index(args, "-id")
	if at < 0 || at+1 >= len(args) {
		return errors.New("containerd named no container")
	}
	id := args[at+1]
	if err := checkID("container", id); err != nil {
		return err
	}
	run := filepath.Dir(args[0])
	file := layout{dir: filepath.Dir(run)}.secretsFile(id)
	var secrets []string
	if err := readJSON(file, &secrets); err != nil {
		return err
	}
	if err := addEnv(bundleSpec, secrets); err != nil {
		return err
	}
	return os.Remove(file)
}

// addEnv adds to the process's environment in a runtime spec. All else stays as it is written there.
func addEnv(file string, added []string) error {
	var spec, process map[string]json.RawMessage
	var env []string
	if err := readJSON(file, &spec); err != nil {
		return err
	}
	if err := json.Unmarshal(spec["process"], &process); err != nil {
		return fmt.Errorf("%s: process: %w", file, err)
	}
	if have, ok := process["env"]; ok {
		if err := json.Unmarshal(have, &env); err != nil {
			return fmt.Errorf("%s: process.env: %w", file, err)
		}
	}
	var err error
	if process["env"], err = json.Marshal(append(env, added...)); err != nil {
		return err
	}
	if spec["process"], err = json.Marshal(process); err != nil {
		return err
	}
	return writeJSON(file, spec)
}

// process is a running container's process as it was started, with its secrets; os.ErrNotExist when none runs.
func (e *Engine) process(id string) (*specs.Process, error) {
	var spec specs.Spec
	if err := readJSON(filepath.Join(e.layout.bundle(id), bundleSpec), &spec); err != nil {
		return nil, err
	}
	if spec.Process == nil {
		return nil, fmt.Errorf("%s has no process", filepath.Join(e.layout.bundle(id), bundleSpec))
	}
	return spec.Process, nil
}

// execFileLife is more than the moment for which a command's environment is in a file.
const execFileLife = time.Minute

// sweepExecs removes what a shim that was killed left of a command in a container: the file in which it hands the
// command's environment to runc.
func (e *Engine) sweepExecs() error {
	for _, name := range dirNames(e.layout.path("tmp")) {
		file := e.layout.path("tmp", name)
		info, err := os.Stat(file)
		if err != nil || !strings.HasPrefix(name, "runc-process") || time.Since(info.ModTime()) < execFileLife {
			continue
		}
		if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove what a command in a container left: %w", err)
		}
	}
	return nil
}

package docker

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"runtime"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

// placeProgram puts this program into a volume, for containers to start with: once for each engine, before the first that
// needs it. The file in the volume is replaced, not written to, so that what runs from it goes on.
func (e *Engine) placeProgram(ctx context.Context) error {
	e.program.Lock()
	defer e.program.Unlock()
	if e.placed {
		return nil
	}
	file, err := e.programFile()
	if err != nil {
		return err
	}
	name := e.place.programVolume()
	if _, err := e.api.VolumeCreate(ctx, client.VolumeCreateOptions{Name: name, Labels: map[string]string{labelEngine: e.place.tag}}); err != nil {
		return err
	}
	if err := e.discard(ctx, name); err != nil { // what a crash left
		return err
	}
	config := &container.Config{Image: e.pause, Labels: map[string]string{labelEngine: e.place.tag, labelHelper: "true"}}
	host := &container.HostConfig{NetworkMode: "none", Mounts: []mount.Mount{e.programMount(false)}}
	if err := e.createOwn(ctx, name, config, host); err != nil { // never started: it is the way into the volume
		return err
	}
	content := archive(archived{name: programName, file: file, mode: 0o755})
	_, err = e.api.CopyToContainer(ctx, name, client.CopyToContainerOptions{DestinationPath: programDir, Content: content})
	if err = errors.Join(err, content.Close(), e.discard(ctx, name)); err != nil {
		return fmt.Errorf("copy this program into the volume %s: %w", name, err)
	}
	e.placed = true
	return nil
}

func (e *Engine) programMount(readOnly bool) mount.Mount {
	return mount.Mount{Type: mount.TypeVolume, Source: e.place.programVolume(), Target: programDir, ReadOnly: readOnly}
}

// programFile is this program as the containers' machine can run it: itself, or one that was built for it.
func (e *Engine) programFile() (string, error) {
	if e.config.Program != "" {
		return e.config.Program, nil
	}
	want := e.platform()
	if runtime.GOOS == want.OS && runtime.GOARCH == want.Architecture {
		const self = "/proc/self/exe" // also after the program's own file was replaced
		return self, checkStatic(self)
	}
	name := "medusa-deploy-" + want.OS + "-" + want.Architecture
	file := filepath.Join(e.config.BinDir, name)
	if _, err := os.Stat(file); err != nil {
		return "", fmt.Errorf("%w\n  build it: CGO_ENABLED=0 GOOS=%s GOARCH=%s go build -o %s ./cmd/medusa-deploy", err, want.OS, want.Architecture, file)
	}
	return file, nil
}

// checkStatic says that a program needs libraries, which containers do not have.
func checkStatic(program string) error {
	file, err := elf.Open(program)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	for _, segment := range file.Progs {
		if segment.Type == elf.PT_INTERP {
			return errors.New("this program needs the system's libraries, which containers do not have\n  build it as `make build` does, with CGO_ENABLED=0")
		}
	}
	return nil
}

// killMarked kills the processes of a command in a container, for which Docker has no call: a helper that shares the
// container's processes, and nothing else of it, finds them by their mark.
func (e *Engine) killMarked(ctx context.Context, id, mark string) {
	ctx, cancel := engine.Unhurried(ctx)
	defer cancel()
	if err := e.runKiller(ctx, id, mark); err != nil {
		e.log.WarnContext(ctx, "cannot end a command in a container whose time is up", "container", id, "error", err)
	}
}

func (e *Engine) runKiller(ctx context.Context, id, mark string) error {
	if err := e.placeProgram(ctx); err != nil {
		return err
	}
	name := "medusa-deploy-" + e.place.tag + "-end-" + mark
	config := &container.Config{
		Image: e.pause, Entrypoint: []string{path.Join(programDir, programName), actEnd, mark},
		Labels: map[string]string{labelEngine: e.place.tag, labelHelper: "true"},
	}
	host := &container.HostConfig{
		NetworkMode: "none", PidMode: container.PidMode("container:" + id), CapAdd: []string{"SYS_PTRACE"}, Mounts: []mount.Mount{e.programMount(true)},
		LogConfig: container.LogConfig{Type: "none"},
	}
	err := e.createOwn(ctx, name, config, host)
	if err == nil {
		err = e.setGoing(ctx, name)
	}
	if err == nil {
		err = e.awaitStop(ctx, name)
	}
	return errors.Join(err, e.discard(ctx, name))
}

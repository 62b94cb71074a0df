//go:build linux

package containerd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	runcoptions "github.com/containerd/containerd/api/types/runc/options"
	client "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/errdefs"
	"github.com/containerd/platforms"
	"github.com/moby/sys/signal"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

// foreignPatience is how long Start watches an image of another architecture for the failure that is to be expected.
const foreignPatience = 5 * time.Second

// removalPatience is how long a killed container, or its shim, may take to be gone.
const removalPatience = 20 * time.Second

// containerRecord is container.json: written when the container runs. What it describes exists as long as it does.
type containerRecord struct {
	ID         string            `json:"id"`
	Sandbox    string            `json:"sandbox"`
	Name       string            `json:"name"`
	Image      string            `json:"image"`
	Labels     map[string]string `json:"labels,omitempty"`
	StopSignal string            `json:"stopSignal"`
	Started    time.Time         `json:"started"`
}

// Start creates and starts a container in its sandbox. Its output goes to a file that its shim writes, so that nothing
// is lost while this process is away.
func (e *Engine) Start(ctx context.Context, spec engine.ContainerSpec) error {
	if err := checkID("container", spec.ID); err != nil {
		return fmt.Errorf("%w: %w", engine.ErrStart, err)
	}
	ctx, cancel := e.bound(ctx)
	defer cancel()
	e.keys.Lock("container/" + spec.ID)
	defer func() { _ = e.keys.Unlock("container/" + spec.ID) }()
	if _, err := os.Stat(e.layout.recordFile(spec.ID)); err == nil {
		return nil
	}
	if err := e.start(ctx, spec); err != nil {
		clean, done := engine.Unhurried(ctx)
		defer done()
		return errors.Join(fmt.Errorf("%w: %w", engine.ErrStart, err), e.discard(clean, spec.ID))
	}
	return nil
}

func (e *Engine) start(ctx context.Context, spec engine.ContainerSpec) error {
	var sandbox sandboxRecord
	if err := readJSON(e.sandboxFile(spec.Sandbox), &sandbox); err != nil || !sandbox.alive() {
		return fmt.Errorf("there is no sandbox %q", spec.Sandbox)
	}
	if err := e.discard(ctx, spec.ID); err != nil { // what a crash left half made
		return err
	}
	img, config, err := e.localImage(ctx, spec.Image)
	if err != nil {
		return err
	}
	if err := e.writeFiles(spec, sandbox); err != nil {
		return err
	}
	if err := engine.Whole(ctx, func(ctx context.Context) error { return e.run(ctx, spec, sandbox, img, config) }); err != nil {
		return err
	}
	record := containerRecord{
		ID: spec.ID, Sandbox: spec.Sandbox, Name: spec.Name, Image: spec.Image, Labels: maps.Clone(spec.Labels),
		StopSignal: firstNonEmpty(spec.StopSignal, config.Config.StopSignal, "SIGTERM"), Started: time.Now(),
	}
	if err := writeJSON(e.layout.recordFile(spec.ID), record); err != nil {
		return err
	}
	w := e.watch(spec.ID)
	if config.Architecture != runtime.GOARCH {
		return e.foreignFailure(ctx, spec.ID, w)
	}
	return nil
}

func (e *Engine) run(ctx context.Context, spec engine.ContainerSpec, sandbox sandboxRecord, img client.Image, config ocispec.Image) error {
	options, err := e.specOptions(spec, config, sandbox)
	if err != nil {
		return err
	}
	container, err := e.client.NewContainer(ctx, spec.ID,
		client.WithImage(img), client.WithSnapshotter(e.snapshotter), client.WithNewSnapshot(spec.ID, img),
		client.WithRuntime("io.containerd.runc.v2", &runcoptions.Options{
			BinaryName: filepath.Join(e.config.BinDir, "runc"), Root: e.layout.runcRoot(),
		}),
		client.WithNewSpec(options...))
	if err != nil {
		return fmt.Errorf("create container: %w", err)
	}
	task, err := e.newTask(ctx, spec, container)
	if err != nil {
		return fmt.Errorf("create task: %w", err)
	}
	if err := task.Start(ctx); err != nil {
		return fmt.Errorf("start task: %w", err)
	}
	return nil
}

// localImage finds an image that Pull made available.
func (e *Engine) localImage(ctx context.Context, ref string) (client.Image, ocispec.Image, error) {
	found, err := e.client.GetImage(ctx, ref)
	if errdefs.IsNotFound(err) {
		return nil, ocispec.Image{}, fmt.Errorf("image %s was not pulled", ref)
	}
	if err != nil {
		return nil, ocispec.Image{}, err
	}
	img := client.NewImageWithPlatform(e.client, images.Image{Name: found.Name(), Target: found.Target()}, platforms.All)
	config, err := img.Spec(ctx)
	return img, config, err
}

// foreignFailure finds out what became of a container whose image is for another architecture. Where the kernel
// cannot run it, the process ends at once with "exec format error", which ECS reports as a failure to start; where an
// emulator is registered it runs, and this returns nil.
func (e *Engine) foreignFailure(ctx context.Context, id string, w *watch) error {
	patience, cancel := context.WithTimeout(ctx, foreignPatience)
	defer cancel()
	exit, err := w.wait(patience)
	if err != nil {
		return ctx.Err()
	}
	if exit.Code != neverRan {
		return nil
	}
	output, err := os.ReadFile(e.layout.logFile(id))
	switch {
	case err != nil:
		return err
	case bytes.Contains(output, []byte("exec format error")):
		return errors.New(strings.TrimSpace(string(output)))
	case len(bytes.TrimSpace(output)) > 0:
		return nil // it ran, and ended for a reason of its own
	}
	// On a busy machine runc's line can get lost on its way. What it would have said is plain all the same.
	return fmt.Errorf("exec format error: the image is not for %s, and its program ended before its first instruction", runtime.GOARCH)
}

// neverRan is the exit code of a process that runc could not turn into the container's program.
const neverRan = 255

func (e *Engine) hostsFile(id string) string { return filepath.Join(e.layout.container(id), "hosts") }

func (e *Engine) hostnameFile(id string) string {
	return filepath.Join(e.layout.container(id), "hostname")
}

// writeFiles makes what is mounted into the container, and its empty log.
func (e *Engine) writeFiles(spec engine.ContainerSpec, sandbox sandboxRecord) error {
	if err := os.MkdirAll(e.layout.container(spec.ID), 0o700); err != nil {
		return err
	}
	for file, contents := range map[string]string{
		e.hostsFile(spec.ID):      hosts(sandbox),
		e.hostnameFile(spec.ID):   sandbox.Hostname + "\n",
		e.layout.logFile(spec.ID): "",
	} {
		if err := os.WriteFile(file, []byte(contents), 0o644); err != nil { // any user of the container reads it
			return err
		}
	}
	return nil
}

// hosts is /etc/hosts of a container, in the order that Docker writes it.
func hosts(sandbox sandboxRecord) string {
	var b strings.Builder
	b.WriteString("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n")
	for _, name := range slices.Sorted(maps.Keys(sandbox.ExtraHosts)) {
		fmt.Fprintf(&b, "%s\t%s\n", sandbox.ExtraHosts[name], name)
	}
	fmt.Fprintf(&b, "%s\t%s\n", sandbox.IP, sandbox.Hostname)
	return b.String()
}

// Signal sends a signal to the container's first process. SIGTERM stands for the container's stop signal, as with
// Amazon ECS: a STOPSIGNAL of the image, or of the spec, is sent in its place.
func (e *Engine) Signal(ctx context.Context, id, name string) error {
	var record containerRecord
	if err := e.record(id, &record); err != nil {
		return err
	}
	if name == "SIGTERM" || name == "" {
		name = record.StopSignal
	}
	number, err := signal.ParseSignal(name)
	if err != nil {
		return fmt.Errorf("signal container %s: %w", id, err)
	}
	ctx, cancel := e.bound(ctx)
	defer cancel()
	if err := e.kill(ctx, id, number); err != nil {
		return fmt.Errorf("send %s to container %s: %w", name, id, err)
	}
	return nil
}

// kill signals the container's first process; one that is gone is a success.
func (e *Engine) kill(ctx context.Context, id string, number syscall.Signal) error {
	return pastShim(ctx, func() error { return e.killNow(ctx, id, number) })
}

func (e *Engine) killNow(ctx context.Context, id string, number syscall.Signal) error {
	container, err := e.client.LoadContainer(ctx, id)
	if errdefs.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	task, err := container.Task(ctx, nil)
	if err == nil {
		err = task.Kill(ctx, number)
	}
	if errdefs.IsNotFound(err) || errdefs.IsFailedPrecondition(err) { // stopped, or being deleted
		return nil
	}
	return err
}

// record reads what is known of a container. ErrNotFound.
func (e *Engine) record(id string, record *containerRecord) error {
	if err := checkID("container", id); err != nil {
		return fmt.Errorf("%w: %w", engine.ErrNotFound, err)
	}
	err := readJSON(e.layout.recordFile(id), record)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w: %s", engine.ErrNotFound, id)
	}
	return err
}

// removeContainer kills a container, waits until it is gone, and removes all that it had.
func (e *Engine) removeContainer(ctx context.Context, id string) error {
	e.keys.Lock("container/" + id)
	defer func() { _ = e.keys.Unlock("container/" + id) }()
	patience, cancel := context.WithTimeout(ctx, removalPatience)
	defer cancel()
	if err := e.kill(patience, id, syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill container %s: %w", id, err)
	}
	if _, err := e.watch(id).wait(patience); err != nil {
		return fmt.Errorf("container %s does not end: %w", id, err)
	}
	return e.discard(ctx, id)
}

// discard removes whatever there is of a container, complete or not.
func (e *Engine) discard(ctx context.Context, id string) error {
	e.forget(id)
	if err := pastShim(ctx, func() error { return e.unregister(ctx, id) }); err != nil {
		return err
	}
	if err := os.RemoveAll(e.layout.container(id)); err != nil {
		return fmt.Errorf("remove files of container %s: %w", id, err)
	}
	return nil
}

// unregister removes what containerd has of a container.
func (e *Engine) unregister(ctx context.Context, id string) error {
	container, err := e.client.LoadContainer(ctx, id)
	if errdefs.IsNotFound(err) {
		if err := e.client.SnapshotService(e.snapshotter).Remove(ctx, id); err != nil && !errdefs.IsNotFound(err) {
			return fmt.Errorf("remove snapshot of container %s: %w", id, err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove container %s: %w", id, err)
	}
	task, err := container.Task(ctx, nil)
	if err == nil {
		_, err = task.Delete(ctx, client.WithProcessKill)
	}
	if err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("remove task of container %s: %w", id, err)
	}
	if err := container.Delete(ctx, client.WithSnapshotCleanup); err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("remove container %s: %w", id, err)
	}
	return nil
}

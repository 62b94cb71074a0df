//go:build linux

package containerd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// Shutdown removes every sandbox, stops the daemons, and leaves no process, mount, namespace, interface, cgroup or
// socket. Images and the build cache stay for the next Open. The engine is closed afterwards, also when it fails.
func (e *Engine) Shutdown(ctx context.Context) error {
	if e.life.Err() != nil { // closed already, and the lock given up
		return Teardown(ctx, e.config.Dir, e.log)
	}
	group, removal := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for id := range e.sandboxRecords() {
		group.Go(func() error { return e.RemoveSandbox(removal, id) })
	}
	if err := group.Wait(); err != nil {
		e.log.WarnContext(ctx, "cannot remove a sandbox in order; removing it by force", "error", err)
	}
	e.stop() // before the daemons: nobody may start them again
	return errors.Join(teardown(ctx, e.layout, e.log), e.Close())
}

// Teardown does what Shutdown does with no engine at hand: after a crash or kill of local AWS, containerd, buildkitd or
// the shims. It recognises what is ours by dir alone, and may be repeated. ErrInUse when a process has the engine open.
func Teardown(ctx context.Context, dir string, log *slog.Logger) error {
	log = Config{Log: log}.logger()
	l, err := newLayout(dir)
	if err != nil {
		return err
	}
	if isDir(l.dir) { // else somebody removed it, and what runs has to go all the same
		unlock, err := l.lock(ctx)
		if err != nil {
			return err
		}
		defer unlock()
	}
	return teardown(ctx, l, log)
}

// teardown goes from what uses to what is used: daemons first, so that nothing is started meanwhile.
func teardown(ctx context.Context, l layout, log *slog.Logger) error {
	for _, step := range []struct {
		what string
		do   func(context.Context, layout) error
	}{
		{"stop daemons", stopDaemons},
		{"kill containers", killContainers},
		{"unmount", unmountAll},
		{"remove bridge", func(_ context.Context, l layout) error { return removeBridge(l) }},
		{"remove cgroups", func(ctx context.Context, l layout) error { return l.removeCgroups(ctx) }},
		{"remove files", removeRuntimeFiles},
	} {
		if err := step.do(ctx, l); err != nil {
			return fmt.Errorf("tear down the engine in %s: %s: %w", l.dir, step.what, err)
		}
		log.DebugContext(ctx, "tore down the engine", "step", step.what)
	}
	return nil
}

// stopDaemons ends buildkitd before containerd, which it needs to end in order. Shims are for killContainers.
func stopDaemons(ctx context.Context, l layout) error {
	found, err := l.daemonProcesses()
	if err != nil {
		return err
	}
	for _, name := range []string{"buildkitd", "containerd"} {
		if p, ok := readProcess(l.run(name + ".pid")); ok {
			found = append(found, p)
		}
		for _, p := range found {
			if filepath.Base(p.Exe) != name {
				continue
			}
			if err := p.stop(ctx, daemonGrace); err != nil {
				return err
			}
		}
	}
	return nil
}

// killContainers kills what runs in the engine's cgroup, and the shims. It looks again until there is nothing: what
// was being forked when it looked shows up the next time.
func killContainers(ctx context.Context, l layout) error {
	for {
		inside, err := l.containerProcesses()
		if err != nil {
			return err
		}
		shims, err := l.daemonProcesses()
		if err != nil {
			return err
		}
		doomed := append(shims, inside...)
		if len(doomed) == 0 {
			return nil
		}
		for _, p := range doomed {
			if err := p.signal(unix.SIGKILL); err != nil {
				return err
			}
		}
		for _, p := range doomed {
			if err := p.waitGone(ctx); err != nil {
				return err
			}
		}
	}
}

// unmountAll detaches every mount below the engine's directory, and those elsewhere that are made of it.
func unmountAll(ctx context.Context, l layout) error {
	mounts, err := mountinfo.GetMounts(nil)
	if err != nil {
		return fmt.Errorf("list mounts: %w", err)
	}
	for i := len(mounts) - 1; i >= 0; i-- { // the newest first: they may lie on older ones
		m := mounts[i]
		if !below(m.Mountpoint, l.dir) && !strings.Contains(m.VFSOptions, "="+l.dir+"/") {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		err := unix.Unmount(m.Mountpoint, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) { // gone meanwhile
			return fmt.Errorf("unmount %s: %w", m.Mountpoint, err)
		}
	}
	return nil
}

func below(path, dir string) bool { return strings.HasPrefix(path, dir+"/") }

// removeRuntimeFiles removes what stands for running things. Content, snapshots and the build cache stay, and so does
// the lock, which is held.
func removeRuntimeFiles(_ context.Context, l layout) error {
	for _, path := range []string{
		l.path("run"), l.netns(), l.ipam(), l.cniCache(), l.sandboxes(), l.containers(), l.path("tmp"),
		l.path("network.json"), l.shimSockets(),
	} {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	err := os.Remove(shimSocketRoot)
	if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, unix.ENOTEMPTY) { // another engine's
		return err
	}
	return nil
}

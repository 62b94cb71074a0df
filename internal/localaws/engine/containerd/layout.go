//go:build linux

package containerd

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
)

// socketPathLimit is what sockaddr_un.sun_path holds besides its NUL (unix(7)).
const socketPathLimit = 107

// shimSocketRoot holds the shims' sockets: containerd limits that directory to 42 bytes, less than most state
// directories have, so it cannot live below Dir.
const shimSocketRoot = "/run/medusa-deploy"

// layout says where an engine keeps what. Two engines share nothing as long as their directories differ.
type layout struct {
	dir string // Dir/engine
	tag string // 8 hex digits that stand for dir in names that are machine-wide
}

func newLayout(stateDir string) (layout, error) {
	abs, err := filepath.Abs(stateDir)
	if err != nil {
		return layout{}, fmt.Errorf("state directory %s: %w", stateDir, err)
	}
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		abs = real // mountinfo and /proc show resolved paths
	}
	sum := sha256.Sum256([]byte(abs))
	l := layout{dir: filepath.Join(abs, "engine"), tag: hex.EncodeToString(sum[:4])}
	if longest := l.containerdSocket() + ".ttrpc"; len(longest) > socketPathLimit {
		return layout{}, fmt.Errorf("state directory %s is %d bytes too long: unix socket paths such as %s may have %d bytes; choose a shorter directory",
			abs, len(longest)-socketPathLimit, longest, socketPathLimit)
	}
	return l, nil
}

func (l layout) path(parts ...string) string {
	return filepath.Join(append([]string{l.dir}, parts...)...)
}

func (l layout) run(name string) string      { return l.path("run", name) }
func (l layout) containerdSocket() string    { return l.run("c.sock") }
func (l layout) buildkitSocket() string      { return l.run("b.sock") }
func (l layout) fifos() string               { return l.run("fifo") }
func (l layout) runcRoot() string            { return l.run("runc") }
func (l layout) netns() string               { return l.path("netns") }
func (l layout) ipam() string                { return l.path("ipam") }
func (l layout) cniCache() string            { return l.path("cni") }
func (l layout) sandboxes() string           { return l.path("sandboxes") }
func (l layout) sandbox(id string) string    { return l.path("sandboxes", id) }
func (l layout) containers() string          { return l.path("containers") }
func (l layout) container(id string) string  { return l.path("containers", id) }
func (l layout) logFile(id string) string    { return l.path("containers", id, "log") }
func (l layout) exitFile(id string) string   { return l.path("containers", id, "exit.json") }
func (l layout) recordFile(id string) string { return l.path("containers", id, "container.json") }
func (l layout) shimSockets() string         { return filepath.Join(shimSocketRoot, l.tag) }

// bridge is the interface's name; Linux allows 15 bytes.
func (l layout) bridge() string { return "md" + l.tag }

// cgroup is the parent of every container's cgroup, builds included.
func (l layout) cgroup() string { return "/medusa-deploy-" + l.tag }

// create makes the directories that must exist before the daemons start. They hold secrets (environment variables in
// container specs), so only their owner may enter.
func (l layout) create() error {
	for _, dir := range []string{
		l.dir, l.path("run"), l.fifos(), l.netns(), l.sandboxes(), l.containers(), l.path("tmp"), l.shimSockets(),
	} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("create the engine's directories: %w", err)
		}
	}
	return nil
}

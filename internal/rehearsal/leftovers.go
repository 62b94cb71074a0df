package rehearsal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Leftovers lists what of a local AWS is still there: processes that run from its state directory or name it, mounts
// below it, and what it names machine-wide by a hash of that directory: its bridge, its shims' sockets, its cgroups, and
// any iptables rule about them. Empty means that nothing is left. Also empty before it ever ran.
func Leftovers(state string) ([]string, error) {
	sum := sha256.Sum256([]byte(state))
	tag := hex.EncodeToString(sum[:4])
	var found []string
	for _, look := range []func(string) ([]string, error){processes, mounts} {
		some, err := look(state)
		if err != nil {
			return nil, err
		}
		found = append(found, some...)
	}
	for _, pattern := range []string{
		"/sys/class/net/md" + tag, "/run/medusa-deploy/" + tag,
		"/sys/fs/cgroup/medusa-deploy-" + tag, "/sys/fs/cgroup/*/medusa-deploy-" + tag,
	} {
		some, err := filepath.Glob(pattern)
		if err != nil {
			return nil, fmt.Errorf("look for %s: %w", pattern, err)
		}
		found = append(found, some...)
	}
	return append(found, rules(tag)...), nil
}

// processes are those that name dir in their arguments or work in it, but for this one.
func processes(dir string) ([]string, error) {
	all, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var found []string
	for _, proc := range all {
		if proc == fmt.Sprintf("/proc/%d", os.Getpid()) {
			continue
		}
		// A process may end while it is looked at: what cannot be read is not left over.
		cmdline, _ := os.ReadFile(filepath.Join(proc, "cmdline"))
		cwd, _ := os.Readlink(filepath.Join(proc, "cwd"))
		if bytes.Contains(cmdline, []byte(dir)) || strings.HasPrefix(cwd, dir) {
			found = append(found, "process "+filepath.Base(proc)+": "+strings.ReplaceAll(string(cmdline), "\x00", " "))
		}
	}
	return found, nil
}

// mounts are those below dir.
func mounts(dir string) ([]string, error) {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("list mounts: %w", err)
	}
	var found []string
	for line := range strings.Lines(string(table)) {
		if strings.Contains(line, dir) {
			found = append(found, "mount "+strings.TrimSpace(line))
		}
	}
	return found, nil
}

// rules are the firewall rules that name the tag, on a machine that has iptables.
func rules(tag string) []string {
	var found []string
	for _, program := range []string{"iptables-save", "ip6tables-save"} {
		out, err := exec.Command(program).Output()
		if err != nil {
			continue // no iptables, no rules
		}
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, tag) {
				found = append(found, program+" "+strings.TrimSpace(line))
			}
		}
	}
	return found
}

package rehearsal

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Leftovers lists what below a directory is still alive or mounted after everything should be gone: processes that run
// from it or name it in their arguments, and mounts. Empty means that nothing is left.
func Leftovers(dir string) ([]string, error) {
	var found []string
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	for _, proc := range processes {
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
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("list mounts: %w", err)
	}
	lines := bufio.NewScanner(bytes.NewReader(mounts))
	for lines.Scan() {
		if strings.Contains(lines.Text(), dir) {
			found = append(found, "mount "+lines.Text())
		}
	}
	return found, lines.Err()
}

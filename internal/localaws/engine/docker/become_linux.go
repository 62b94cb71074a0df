package docker

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

// Become does this program's part inside a container, if that is where it was started: it becomes the container's program
// or a command in it, with the secrets, or ends processes. It then does not return. In every other process it returns at
// once. args are the process's own, the program first.
func Become(args []string) {
	if len(args) < 3 || args[0] != filepath.Join(programDir, programName) {
		return
	}
	err := act(args[1], args[2:])
	if err == nil {
		os.Exit(0)
	}
	fmt.Fprintln(os.Stderr, err)
	var unable notRun
	if errors.As(err, &unable) {
		os.Exit(unable.code)
	}
	os.Exit(1)
}

// act returns when there was nothing to become, or not possible to.
func act(what string, args []string) error {
	var secrets []string
	var err error
	switch what {
	case actRun:
		secrets, err = readSecrets()
	case actExec:
		err = readJSON(secretsFile, &secrets)
	case actCgroups:
		err = writableCgroups()
	case actEnd:
		return killAll(args[0])
	default:
		err = errors.New("no such act")
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", programName, what, err)
	}
	return become(args, secrets)
}

// readSecrets takes the secrets from standard input, which is then empty, and keeps them for commands.
func readSecrets() ([]string, error) {
	raw, err := io.ReadAll(io.LimitReader(os.Stdin, secretsSpace))
	if err != nil {
		return nil, err
	}
	var secrets []string
	if err := json.Unmarshal(raw, &secrets); err != nil {
		return nil, errors.New("they are cut off") // the error of JSON could quote them
	}
	if err := os.WriteFile(secretsFile, raw, 0o600); err != nil {
		return nil, err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	return secrets, unix.Dup3(int(null.Fd()), 0, 0)
}

// writableCgroups lets this container write the mounts of its cgroups, which Docker makes read-only. It needs CAP_SYS_ADMIN.
func writableCgroups() error {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(table)) {
		mounted, kind, _ := strings.Cut(line, " - ") // proc_pid_mountinfo(5)
		fields := strings.Fields(mounted)
		if len(fields) < 6 || !strings.HasPrefix(kind, "cgroup") || !strings.HasPrefix(fields[5], "ro") {
			continue
		}
		if err := unix.Mount("", fields[4], "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
			return fmt.Errorf("%s: %w", fields[4], err)
		}
	}
	return nil
}

// notRun is a program that cannot be run, with the exit code that a shell gives.
type notRun struct {
	error
	code int
}

// become replaces this process by a program, with the secrets in its environment.
func become(command, secrets []string) error {
	program, err := exec.LookPath(command[0])
	if err == nil {
		err = unix.Exec(program, command, environment(os.Environ(), secrets))
	}
	err = fmt.Errorf("exec %s: %w", command[0], err)
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, unix.ENOENT) {
		return notRun{err, engine.ExitNotFound}
	}
	return notRun{err, engine.ExitNotExecutable}
}

// environment is env with added, which wins.
func environment(env, added []string) []string {
	names := map[string]bool{}
	for _, pair := range added {
		name, _, _ := strings.Cut(pair, "=")
		names[name] = true
	}
	rest := slices.DeleteFunc(env, func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return names[name]
	})
	return append(rest, added...)
}

// killAll kills every process with the mark in its environment, until there is none: what was being started while it
// looked shows up the next time.
func killAll(mark string) error {
	pair := []byte(markVariable + "=" + mark)
	for {
		environments, err := filepath.Glob("/proc/[0-9]*/environ")
		if err != nil {
			return err
		}
		killed := false
		for _, file := range environments {
			raw, err := os.ReadFile(file)
			if err != nil || !slices.ContainsFunc(bytes.Split(raw, []byte{0}), func(one []byte) bool { return bytes.Equal(one, pair) }) {
				continue // it has ended, or is another one
			}
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			if err != nil {
				return err
			}
			if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
				return err
			}
			killed = true
		}
		if !killed {
			return nil
		}
	}
}

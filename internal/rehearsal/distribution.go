package rehearsal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
)

var listening = regexp.MustCompile(`listening on (127\.0\.0\.1:[0-9]+)`)

// StartDistribution starts CNCF distribution, the registry that most others are made from, with its data below dir. It
// takes anybody's pushes. stop ends it.
func StartDistribution(ctx context.Context, program, dir string) (registry *Registry, stop func() error, err error) {
	config := fmt.Sprintf(`version: 0.1
log: {level: info, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: %q}, delete: {enabled: true}}
http: {addr: "127.0.0.1:0"}
`, filepath.Join(dir, "data"))
	file := filepath.Join(dir, "config.yml")
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(file, []byte(config), 0o600)); err != nil {
		return nil, nil, fmt.Errorf("start distribution: %w", err)
	}
	command := exec.CommandContext(ctx, program, "serve", file)
	command.Env = append(os.Environ(), "OTEL_TRACES_EXPORTER=none")
	// As local AWS does: Linux shares the processors between sessions first, and then between what runs in them.
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	out, err := command.StderrPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("start distribution: %w", err)
	}
	stop = func() error {
		err := command.Process.Kill()
		_ = command.Wait() // killed
		return err
	}
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return nil, nil, errors.Join(fmt.Errorf("distribution does not listen: %w", err), stop())
		}
		if found := listening.FindStringSubmatch(line); found != nil {
			go func() { _, _ = io.Copy(io.Discard, lines) }() // ends with the process
			return &Registry{Host: found[1]}, stop, nil
		}
	}
}

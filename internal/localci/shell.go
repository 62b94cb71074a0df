package localci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// shells are the programs that run the scripts of a workflow. Below bin they are names of this program, which runs the real
// one and lets go of a step as GitHub's runner does: act waits for as long as anything holds the step's output.
var shells = []string{"bash", "sh"}

// streamGrace is how long a step waits for what its script left in the background to close the step's output.
const streamGrace = 10 * time.Second

// binVariable names the directory of these names for the steps. It is not in the path of what a script starts.
const binVariable = "MEDUSA_DEPLOY_CI_BIN"

func (d Dir) bin() string { return d.path("bin") }

func (d Dir) plantShells(program string) error {
	err := os.MkdirAll(d.bin(), 0o700)
	for _, name := range shells {
		link := filepath.Join(d.bin(), name)
		if failed := os.Remove(link); failed != nil && !errors.Is(failed, fs.ErrNotExist) {
			err = errors.Join(err, failed)
		}
		err = errors.Join(err, os.Symlink(program, link))
	}
	if err != nil {
		return fmt.Errorf("make the shells of local CI: %w", err)
	}
	return nil
}

// IsShell says whether a program was started in a shell's name by local CI.
func IsShell(args []string) bool {
	dir, name := filepath.Split(args[0])
	named := os.Getenv(binVariable)
	return named != "" && slices.Contains(shells, name) && (dir == "" || filepath.Clean(dir) == named)
}

// Shell runs the real shell with the same arguments and gives its exit code.
func Shell(args []string) int {
	name := filepath.Base(args[0])
	path := slices.DeleteFunc(filepath.SplitList(os.Getenv("PATH")), func(dir string) bool { return dir == os.Getenv(binVariable) })
	if err := os.Setenv("PATH", strings.Join(path, string(filepath.ListSeparator))); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 126
	}
	// Whoever ends the run signals the script itself.
	signal.Notify(make(chan os.Signal, 1), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	code, err := runShell(exec.CommandContext(context.Background(), name, args[1:]...))
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
	}
	return code
}

func runShell(command *exec.Cmd) (code int, err error) {
	output, writer, err := os.Pipe()
	if err != nil {
		return 126, err
	}
	defer output.Close()
	command.Stdin, command.Stdout, command.Stderr, command.SysProcAttr = os.Stdin, writer, writer, dependent()
	err = command.Start()
	_ = writer.Close()
	if err != nil {
		return 127, err
	}
	copied := make(chan error, 1)
	go func() {
		_, err := io.Copy(os.Stdout, output)
		copied <- err
	}()
	err = command.Wait()
	grace := time.NewTimer(streamGrace)
	defer grace.Stop()
	select {
	case failed := <-copied:
		if failed != nil {
			return 126, failed
		}
	case <-grace.C:
		fmt.Printf("the step's output was still open %s after its script had ended: something in the background holds it\n", streamGrace)
	}
	var exited *exec.ExitError
	if !errors.As(err, &exited) {
		return 0, err
	}
	if status, ok := exited.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return exited.ExitCode(), nil
}

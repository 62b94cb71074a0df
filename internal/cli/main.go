package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/medusa-deploy/medusa-deploy/internal/config"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws"
	"github.com/medusa-deploy/medusa-deploy/internal/localci"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
	"github.com/spf13/cobra"
)

// System is the world around the program.
type System struct {
	Stdin          io.Reader
	Stdout, Stderr *os.File
	LookupEnv      func(string) (string, bool)
}

// OS is the real world.
func OS() System {
	return System{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, LookupEnv: os.LookupEnv}
}

// exitError ends the program with a code. A nil err was reported already.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func exit(code int, err error) error { return &exitError{code: code, err: err} }

// Main runs one command and gives the exit code. The first interrupt asks the command to stop, which it does with a word
// on what goes on without it; the second ends the program at once.
func Main(sys System, args []string) int {
	if err := localaws.BecomeShim(os.Args); err != nil {
		complain(sys.Stderr, err)
		return release.ExitInternal
	}
	if localci.IsShell(os.Args) {
		return localci.Shell(os.Args)
	}
	if filepath.Base(os.Args[0]) == localci.HookName {
		args = []string{"local", "hook", localci.HookName} // git's hook is a link to this program
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	go func() {
		if _, ok := <-signals; !ok {
			return
		}
		cancel()
		if _, ok := <-signals; ok {
			os.Exit(release.ExitInterrupted)
		}
	}()
	root := newRoot(sys)
	root.SetArgs(args)
	return conclude(sys.Stderr, root.ExecuteContext(ctx))
}

// conclude is the one place where an error becomes a message and an exit code.
func conclude(stderr io.Writer, err error) int {
	if err == nil {
		return release.ExitDone
	}
	var coded *exitError
	if errors.As(err, &coded) {
		if coded.err != nil {
			complain(stderr, coded.err)
		}
		return coded.code
	}
	complain(stderr, err)
	var configErrors config.Errors
	var failure *release.Failure
	switch {
	case errors.As(err, &configErrors):
		return release.ExitUsage
	case errors.As(err, &failure):
		return failure.Exit
	case errors.Is(err, context.Canceled):
		return release.ExitInterrupted
	}
	return release.ExitInternal
}

// complain writes an error for a person. Errors about a place in a file start with that place, so that editors and
// terminals can jump to it.
func complain(stderr io.Writer, err error) {
	var configErrors config.Errors
	if errors.As(err, &configErrors) {
		fmt.Fprintln(stderr, configErrors.Error())
		return
	}
	fmt.Fprintln(stderr, "medusa-deploy: "+strings.TrimPrefix(err.Error(), "medusa-deploy: "))
}

// usage marks the errors that cobra makes of wrong flags and arguments.
func usage(cmd *cobra.Command, err error) error {
	return exit(release.ExitUsage, fmt.Errorf("%w\n  see: %s --help", err, cmd.CommandPath()))
}

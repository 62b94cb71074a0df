package localaws

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/medusa-deploy/medusa-deploy/internal/childenv"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine/containerd"
)

const (
	// firstExtraFile is the file descriptor of exec.Cmd's first extra file.
	firstExtraFile = 3
	// logLimit is the size in bytes from which the log is put aside when a server starts.
	logLimit = 8 << 20
	// logTail is how much of the log an error quotes, in bytes.
	logTail = 2 << 10
)

// Up makes sure that a server runs for the directory and is ready; started says whether this call started it. command
// makes the program that calls Serve with the options; it is run in a session of its own, with its output in the
// directory's local.log. An error of the server that was started is returned as it says it.
func Up(ctx context.Context, o Options, command func(Options) *exec.Cmd) (info Info, started bool, err error) {
	if o, err = o.complete(); err != nil {
		return Info{}, false, err
	}
	d := dir(o.Dir)
	if err := d.create(); err != nil {
		return Info{}, false, err
	}
	turn, err := waitLock(ctx, d.controlLock())
	if err != nil {
		return Info{}, false, fmt.Errorf("wait for another start or stop of local AWS: %w", d.explain(err))
	}
	defer turn.release()
	info, running, err := d.running(ctx)
	if err != nil {
		return Info{}, false, err
	}
	if !running {
		return d.launch(ctx, command(o))
	}
	return info, false, agrees(o, info)
}

// running gives the directory's server, after it is ready if it is just starting.
func (d dir) running(ctx context.Context) (info Info, ok bool, err error) {
	err = poll(ctx, func() (bool, error) {
		var pid int
		if pid, ok, err = holder(d.serverLock()); err != nil || !ok {
			return true, err
		}
		var written bool
		info, written, err = d.readInfo()
		return written && info.PID == pid, err
	})
	if err != nil {
		return Info{}, false, d.explain(err)
	}
	if !ok {
		return Info{}, false, nil
	}
	_, err = ask(ctx, info)
	if err != nil && d.ended(ctx, info.PID) {
		return d.running(ctx)
	}
	if err != nil {
		return Info{}, false, fmt.Errorf("local AWS (pid %d) does not answer: %w; stop it: medusa-deploy local down", info.PID, err)
	}
	return info, true, nil
}

// agrees says what of the options the running server has otherwise.
func agrees(o Options, info Info) error {
	const cure = "; stop it first: medusa-deploy local down"
	if o.Engine != "" && o.Engine != info.Engine {
		return fmt.Errorf("%w with the engine %s, not %s%s", ErrRunning, info.Engine, o.Engine, cure)
	}
	if o.Rates != "" && o.Rates != info.Rates {
		return fmt.Errorf("%w without the rates of %s%s", ErrRunning, o.Rates, cure)
	}
	if o.Advertise != "" && o.Advertise != info.Host {
		return fmt.Errorf("%w and is known as %s, not as %s%s", ErrRunning, info.Host, o.Advertise, cure)
	}
	if o.Listen == "" {
		return nil
	}
	wanted, err := net.ResolveTCPAddr("tcp", o.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", o.Listen, err)
	}
	if wanted.Port != 0 && wanted.String() != info.Listen && reachable(wanted) != info.Listen {
		return fmt.Errorf("%w on %s, not on %s%s", ErrRunning, info.Listen, o.Listen, cure)
	}
	return nil
}

// launch starts the server and waits for its word.
func (d dir) launch(ctx context.Context, cmd *exec.Cmd) (Info, bool, error) {
	output, err := d.openLog()
	if err != nil {
		return Info{}, false, err
	}
	defer output.Close()
	from, err := output.Seek(0, io.SeekEnd)
	if err != nil {
		return Info{}, false, fmt.Errorf("write %s: %w", d.log(), err)
	}
	mine, its, err := os.Pipe()
	if err != nil {
		return Info{}, false, fmt.Errorf("make a pipe to the server: %w", err)
	}
	defer mine.Close()
	cmd.Stdout, cmd.Stderr = output, output
	cmd.ExtraFiles = []*os.File{its}
	err = d.detach(cmd)
	if err == nil {
		err = cmd.Start()
	}
	_ = its.Close()
	if err != nil {
		return Info{}, false, fmt.Errorf("start local AWS: %w", err)
	}
	if err := d.await(ctx, cmd, mine, from); err != nil {
		return Info{}, false, err
	}
	info, _, err := d.readInfo()
	if err != nil {
		return Info{}, false, err
	}
	return info, true, cmd.Process.Release()
}

// detach makes the server independent of where it was started: of the terminal, and of the directory, which it would
// keep in use.
func (d dir) detach(cmd *exec.Cmd) error {
	cmd.SysProcAttr = ownSession()
	cmd.Env = append(childenv.ForHelper(cmd.Environ()), fmt.Sprintf("%s=%d", readyVariable, firstExtraFile))
	if named := os.Getenv(containerd.BinariesVariable); named != "" { // may be relative to the directory
		absolute, err := filepath.Abs(named)
		if err != nil {
			return fmt.Errorf("%s: %w", containerd.BinariesVariable, err)
		}
		cmd.Env = append(cmd.Env, containerd.BinariesVariable+"="+absolute)
	}
	cmd.Dir = string(d)
	return nil
}

// await waits for the server's word. When ctx ends the server is stopped again, in order.
func (d dir) await(ctx context.Context, cmd *exec.Cmd, pipe *os.File, from int64) error {
	heard := make(chan error, 1)
	go func() { heard <- hear(pipe) }()
	select {
	case err := <-heard:
		if err == nil {
			return nil
		}
		ended := cmd.Wait()
		if errors.Is(err, errSilent) {
			return fmt.Errorf("%w (%w); the end of %s:\n%s", err, ended, d.log(), d.tail(from))
		}
		return err
	case <-ctx.Done():
		return errors.Join(context.Cause(ctx), cmd.Process.Signal(syscall.SIGTERM), ignoreExit(cmd.Wait()))
	}
}

// ignoreExit takes any exit of a program that was told to end for a success.
func ignoreExit(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil
	}
	return err
}

// openLog opens the log to append to it, and puts it aside when it has become long.
func (d dir) openLog() (*os.File, error) {
	if stat, err := os.Stat(d.log()); err == nil && stat.Size() > logLimit {
		if err := os.Rename(d.log(), d.log()+".old"); err != nil {
			return nil, d.explain(err)
		}
	}
	f, err := os.OpenFile(d.log(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, d.explain(err)
	}
	return f, nil
}

// tail gives the end of what was logged from a position on.
func (d dir) tail(from int64) string {
	f, err := os.Open(d.log())
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if stat, err := f.Stat(); err == nil {
		from = max(from, stat.Size()-logTail)
	}
	raw, err := io.ReadAll(io.NewSectionReader(f, from, logTail))
	if err != nil {
		return err.Error()
	}
	return string(bytes.TrimRight(raw, "\n"))
}

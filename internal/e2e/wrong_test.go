package e2e

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// expectFailure runs a command that must fail with a code and say all of the words.
func expectFailure(t *testing.T, stage *rehearsal.Stage, code int, words []string, args ...string) {
	t.Helper()
	out, err := stage.Run(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	if out.Exit != code {
		t.Errorf("%v: exit %d, want %d", args, out.Exit, code)
	}
	for _, word := range words {
		if !strings.Contains(out.Stderr+out.Stdout, word) {
			t.Errorf("%v does not say %q:\n%s%s", args, word, out.Stderr, out.Stdout)
		}
	}
}

func TestWrongConfig(t *testing.T) {
	stage := newStage(t)
	if err := stage.Write("medusa-deploy.yaml", []byte("app: hello\nimage:\n  platform: [linux/amd64]\ntargets:\n  local:\n    services: []\n    timeout: soon\n")); err != nil {
		t.Fatal(err)
	}
	expectFailure(t, stage, release.ExitUsage, []string{
		"medusa-deploy.yaml:3:3: unknown key \"platform\"", `did you mean "platforms"?`,
		"medusa-deploy.yaml:6:15: the list is empty", `medusa-deploy.yaml:7:14: "soon" is not a duration`,
	}, "ship")
}

func TestWrongUsage(t *testing.T) {
	stage := newStage(t)
	expectFailure(t, stage, release.ExitUsage, []string{`unknown command "shp"`, "did you mean"}, "shp")
	expectFailure(t, stage, release.ExitUsage, []string{"unknown flag: --fast", "--help"}, "ship", "--fast")
	expectFailure(t, stage, release.ExitUsage, []string{"--output"}, "ship", "--output", "xml")
	expectFailure(t, stage, release.ExitUsage, []string{"no-such-target"}, "ship", "--target", "no-such-target")
	expectFailure(t, stage, release.ExitCheck, []string{"local AWS is not running", "medusa-deploy local up"}, "ship")
}

func TestPortTaken(t *testing.T) {
	stage := newStage(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	address := listener.Addr().String()
	expectFailure(t, stage, release.ExitInternal, []string{address, "--listen"}, "local", "up", "--listen", address)
	expectNothingLeft(t, stage)
}

func TestEngineMissing(t *testing.T) {
	stage := newStage(t)
	expectFailure(t, stage, release.ExitInternal, []string{"make engine", stage.Dir}, "local", "up", "--listen", "127.0.0.1:0", "--engine-dir", stage.Dir)
	expectNothingLeft(t, stage)
}

// TestNoRoot runs `local up` as nobody: it says what is missing and what would serve.
func TestNoRoot(t *testing.T) {
	stage := newStage(t)
	const nobody = 65534
	program := filepath.Join(stage.Dir, "medusa-deploy")
	copyFile(t, stage.Program, program)
	state := filepath.Join(stage.Dir, "nobody")
	if err := os.Mkdir(state, 0o700); err != nil {
		t.Fatal(err)
	}
	for path, mode := range map[string]os.FileMode{stage.Dir: 0o755, program: 0o755} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(state, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), program, "local", "up", "--listen", "127.0.0.1:0", "--local-dir", state)
	command.Dir, command.Env = state, []string{"HOME=" + state, "PATH=" + os.Getenv("PATH")}
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := stage.Finish(command)
	if err != nil {
		t.Fatal(err)
	}
	if out.Exit == 0 {
		t.Error("local up as nobody succeeded")
	}
	for _, word := range []string{"missing root", "sudo", "--engine simulated"} {
		if !strings.Contains(out.Stderr, word) {
			t.Errorf("it does not say %q:\n%s", word, out.Stderr)
		}
	}
}

// TestTwoUps starts local AWS twice at once: one server, both succeed.
func TestTwoUps(t *testing.T) {
	stage := newStage(t)
	var all sync.WaitGroup
	outs := make([]rehearsal.Output, 2)
	errs := make([]error, 2)
	for i := range outs {
		all.Go(func() {
			outs[i], errs[i] = stage.Run(t.Context(), "local", "up", "--listen", "127.0.0.1:0", "--output", "json")
		})
	}
	all.Wait()
	var infos [2]struct {
		PID     int
		Started bool
	}
	for i := range outs {
		if errs[i] != nil || outs[i].Exit != 0 {
			t.Fatalf("local up %d: %v, exit %d: %s", i, errs[i], outs[i].Exit, outs[i].Stderr)
		}
		decode(t, outs[i].Stdout, &infos[i])
	}
	if infos[0].PID != infos[1].PID || infos[0].PID == 0 {
		t.Errorf("two servers: %v", infos)
	}
	if infos[0].Started == infos[1].Started {
		t.Errorf("exactly one must have started it: %v", infos)
	}
}

// TestDiskFull pushes to a registry whose disk is full: a clear error, and nothing half done.
func TestDiskFull(t *testing.T) {
	stage := newStage(t)
	defer smallDisk(t, stage, "ecr", "256k")()
	if err := stage.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	full, err := stage.Release(t.Context(), "ship")
	if err != nil {
		t.Fatal(err)
	}
	if full.Exit != release.ExitBuild || !strings.Contains(full.Error, "no space left") {
		t.Errorf("exit %d: %s; want %d and a word on the disk\n%s", full.Exit, full.Error, release.ExitBuild, full.Raw)
	}
	status := statusOf(t, stage)
	if status.Tagged != "" || !status.Services[0].Missing {
		t.Errorf("status = %+v: something was deployed", status)
	}
	var left int64
	if err := filepath.WalkDir(filepath.Join(stage.State, "ecr"), func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			info, err := d.Info()
			if err != nil {
				return err
			}
			if strings.Contains(path, "upload") {
				left += info.Size()
			}
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if left > 0 {
		t.Errorf("%d bytes of an unfinished upload are left", left)
	}
}

func expectNothingLeft(t *testing.T, stage *rehearsal.Stage) {
	t.Helper()
	left, err := rehearsal.Leftovers(stage.State)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) > 0 {
		t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, content, 0o755); err != nil {
		t.Fatal(err)
	}
}

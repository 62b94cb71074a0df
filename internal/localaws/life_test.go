package localaws

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
)

func up(t *testing.T, o Options) (Info, bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	info, started, err := Up(ctx, o, itself(t))
	if err != nil {
		t.Fatal(err)
	}
	return info, started
}

// kill ends a server as a crash does.
func kill(t *testing.T, path string, info Info) {
	t.Helper()
	if err := syscall.Kill(info.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	await(t, "the killed server to be gone", func() bool { return inspect(t, path).Crashed })
}

func TestLife(t *testing.T) {
	o := options(t)
	if s := inspect(t, o.Dir); s.Running || s.Crashed || s.Starting {
		t.Errorf("before the first start: %+v", s)
	}
	info, started := up(t, o)
	if !started || info.PID == os.Getpid() || info.Dir != o.Dir || info.Engine != EngineSimulated {
		t.Fatalf("%+v %v", info, started)
	}
	if again, started := up(t, o); started || again != info {
		t.Errorf("a second up: %+v, started %v", again, started)
	}
	if s := inspect(t, o.Dir); !s.Running || s.Info != info {
		t.Errorf("while it runs: %+v", s)
	}
	if _, err := ecs.NewFromConfig(config(info)).CreateCluster(t.Context(), &ecs.CreateClusterInput{ClusterName: aws.String("c")}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := Down(t.Context(), o.Dir, nil); err != nil {
			t.Fatal(err)
		}
	}
	if s := inspect(t, o.Dir); s.Running || s.Crashed || s.Starting {
		t.Errorf("after down: %+v", s)
	}
	again, _ := up(t, o)
	if again.Host != info.Host || again.PID == info.PID {
		t.Errorf("up after down: %+v, was %+v", again, info)
	}
	clusters, err := ecs.NewFromConfig(config(again)).ListClusters(t.Context(), &ecs.ListClustersInput{})
	if err != nil || len(clusters.ClusterArns) != 1 {
		t.Errorf("state after down and up: %+v %v", clusters, err)
	}
	mine := filepath.Join(o.Dir, "mine")
	if err := os.WriteFile(mine, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Reset(t.Context(), o.Dir, nil); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(o.Dir)
	if err != nil || len(left) != 1 || left[0].Name() != "mine" {
		t.Errorf("reset left %v, %v; a stranger's file should stay", left, err)
	}
}

func TestCrash(t *testing.T) {
	o := options(t)
	info, _ := up(t, o)
	kill(t, o.Dir, info)
	if s := inspect(t, o.Dir); s.Running || s.Info != info {
		t.Errorf("after a crash: %+v", s)
	}
	again, started := up(t, o)
	if !started || again.Host != info.Host || again.AccessKeyID != info.AccessKeyID {
		t.Errorf("%+v came back as %+v", info, again)
	}
	kill(t, o.Dir, again)
	if err := Down(t.Context(), o.Dir, nil); err != nil {
		t.Fatal(err)
	}
	if s := inspect(t, o.Dir); s.Crashed {
		t.Error("down left a crash behind")
	}
}

func TestTwoUpsAtOnce(t *testing.T) {
	o := options(t)
	var both sync.WaitGroup
	infos, starts := make([]Info, 4), make([]bool, 4)
	for i := range infos {
		both.Go(func() { infos[i], starts[i] = up(t, o) })
	}
	both.Wait()
	started := 0
	for i := range infos {
		if infos[i] != infos[0] {
			t.Errorf("%+v and %+v", infos[i], infos[0])
		}
		if starts[i] {
			started++
		}
	}
	if started != 1 {
		t.Errorf("%d of them started it", started)
	}
}

func TestUpOfAnotherKind(t *testing.T) {
	o := options(t)
	info, _ := serving(t, o)
	for listen, want := range map[string]string{"": "", "127.0.0.1:0": "", info.Host: "", strings.Replace(info.Host, "127.0.0.1", "localhost", 1): "", "127.0.0.1:1": "on " + info.Host + ", not on 127.0.0.1:1"} {
		o.Listen = listen
		_, started, err := Up(t.Context(), o, itself(t))
		if started || (err == nil) != (want == "") {
			t.Errorf("listen %q: %v %v", listen, started, err)
		}
		if want != "" {
			wantError(t, err, want, "medusa-deploy local down")
		}
	}
	o.Listen, o.Engine = "", EngineContainerd
	_, _, err := Up(t.Context(), o, itself(t))
	wantError(t, err, "with the engine simulated, not containerd")
}

func TestUpTellsWhyTheServerFailed(t *testing.T) {
	o := options(t)
	o.Listen = occupied(t)
	_, _, err := Up(t.Context(), o, itself(t))
	wantError(t, err, o.Listen, "in use by", "--listen 127.0.0.1:0")
	if strings.Contains(err.Error(), "exit status") {
		t.Errorf("%q hides the error in an exit status", err)
	}
	o.Listen, o.EngineDir = "127.0.0.1:0", "die"
	_, _, err = Up(t.Context(), o, itself(t))
	wantError(t, err, "ended before it was ready", "exit status 3", "dying without a word", "local.log")
	_, _, err = Up(t.Context(), o, func(Options) *exec.Cmd { return exec.Command(filepath.Join(o.Dir, "missing")) })
	wantError(t, err, "start local AWS")
}

func TestUpIsInterrupted(t *testing.T) {
	o := options(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("interrupted")
	_, _, err := Up(ctx, o, func(o Options) *exec.Cmd {
		cancel(why)
		return exec.Command("sleep", "3600")
	})
	if !errors.Is(err, why) {
		t.Errorf("an interrupted up: %v", err)
	}
	if s := inspect(t, o.Dir); s.Running || s.Starting {
		t.Errorf("it left %+v", s)
	}
}

func TestUpRotatesTheLog(t *testing.T) {
	o := options(t)
	d := dir(o.Dir)
	if err := os.WriteFile(d.log(), make([]byte, logLimit+1), 0o600); err != nil {
		t.Fatal(err)
	}
	up(t, o)
	now, err := os.Stat(d.log())
	if err != nil || now.Size() > logLimit || !exists(d.log()+".old") {
		t.Errorf("%v %v", now, err)
	}
}

func TestDownWithoutADirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none")
	if err := errors.Join(Down(t.Context(), path, nil), Reset(t.Context(), path, nil)); err != nil {
		t.Error(err)
	}
	if s := inspect(t, path); s.Running || s.Crashed {
		t.Errorf("%+v", s)
	}
	if exists(path) {
		t.Error("the directory was made")
	}
}

func TestDownLeavesStrangersAlone(t *testing.T) {
	o := options(t)
	d := dir(o.Dir)
	stranger := exec.Command("sleep", "3600")
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = stranger.Process.Kill()
		_ = stranger.Wait()
	}()
	if err := d.writeInfo(Info{PID: stranger.Process.Pid, Endpoint: "http://127.0.0.1:1"}); err != nil {
		t.Fatal(err)
	}
	if err := Down(t.Context(), o.Dir, nil); err != nil {
		t.Fatal(err)
	}
	if err := stranger.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("down ended a process that got the dead server's id: %v", err)
	}
}

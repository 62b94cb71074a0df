//go:build linux

package localaws

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sys/unix"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine/containerd"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine/enginetest"
)

// realOptions are those of a server with real containers, or the test is skipped.
func realOptions(t *testing.T) Options {
	t.Helper()
	if testing.Short() {
		t.Skip("real containers are not short")
	}
	if err := containerd.Preflight(); err != nil {
		t.Skip(err)
	}
	binaries, err := containerd.FindBinaries("")
	if err != nil {
		binaries, err = containerd.FindBinaries(filepath.Join("..", "..", "bin", "engine"))
	}
	if err != nil {
		t.Skip(err)
	}
	return Options{Dir: stateDir(t), Listen: "127.0.0.1:0", Engine: EngineContainerd, EngineDir: binaries}
}

// webImage makes an image FROM scratch with testdata/web in it.
func webImage(t *testing.T) v1.Image {
	t.Helper()
	out := filepath.Join(t.TempDir(), "web")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", out, "./testdata/web")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the test's app: %v\n%s", err, text)
	}
	binary, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return enginetest.ImageWith(t, runtime.GOARCH, v1.Config{Entrypoint: []string{"/web"}}, map[string][]byte{"web": binary})
}

// answers waits until both tasks have answered, and gives what each said, sorted.
func answers(t *testing.T, url string) []string {
	t.Helper()
	seen := map[string]bool{}
	await(t, "both tasks to answer on "+url, func() bool {
		if body := page(url); body != "" {
			seen[body] = true
		}
		return len(seen) == 2
	})
	var all []string
	for body := range seen {
		all = append(all, body)
	}
	slices.Sort(all)
	return all
}

func TestContainersOutliveACrash(t *testing.T) {
	o := realOptions(t)
	info, _ := up(t, o)
	if info.BuildKit == "" || info.Engine != EngineContainerd {
		t.Errorf("info = %+v", info)
	}
	push(t, info, webImage(t))
	createService(t, info)
	service := runningService(t, o.Dir)
	if service.Cluster != "c" || service.Name != "web" || service.Desired != 2 || service.Region != Region {
		t.Errorf("service = %+v", service)
	}
	born := answers(t, service.URL)
	expectLogged(t, info, born)

	kill(t, o.Dir, info)
	again, started := up(t, o)
	if !started || again.Host != info.Host {
		t.Errorf("%+v came back as %+v", info, again)
	}
	adopted := runningService(t, o.Dir)
	if adopted.URL != service.URL {
		t.Errorf("the load balancer moved from %s to %s", service.URL, adopted.URL)
	}
	if got := answers(t, adopted.URL); !slices.Equal(got, born) {
		t.Errorf("the containers %q became %q", born, got)
	}
	expectLogged(t, again, born)

	kill(t, o.Dir, again)
	if err := Down(t.Context(), o.Dir, nil); err != nil {
		t.Fatal(err)
	}
	expectNothingLeft(t, o.Dir)
	last, _ := up(t, o)
	if got := answers(t, runningService(t, o.Dir).URL); slices.Contains(got, born[0]) || slices.Contains(got, born[1]) {
		t.Errorf("down left containers running: %q, then %q", born, got)
	}
	if err := Down(t.Context(), o.Dir, nil); err != nil {
		t.Fatal(err)
	}
	expectNothingLeft(t, o.Dir)
	if page(service.URL) != "" || page(last.Endpoint) != "" {
		t.Error("something still listens")
	}
}

// expectLogged waits until what the containers wrote at their start is in CloudWatch Logs. A crash at the wrong moment can
// repeat the last lines; none may be lost.
func expectLogged(t *testing.T, info Info, born []string) {
	t.Helper()
	client := cloudwatchlogs.NewFromConfig(config(info))
	var got []string
	await(t, "the containers' logs", func() bool {
		out, err := client.FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("/ecs/web"), FilterPattern: aws.String("born")})
		got = nil
		if err == nil {
			for _, e := range out.Events {
				got = append(got, strings.TrimPrefix(*e.Message, "born "))
			}
		}
		slices.Sort(got)
		got = slices.Compact(got)
		return len(got) >= len(born)
	})
	if !slices.Equal(got, born) {
		t.Errorf("logged %q, want %q", got, born)
	}
}

// expectNothingLeft looks for processes and mounts of a state directory.
func expectNothingLeft(t *testing.T, path string) {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(mounts), path+"/") {
		t.Errorf("mounts are left below %s", path)
	}
	commands, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range commands {
		text, err := os.ReadFile(file)
		if err == nil && bytes.Contains(text, []byte(path)) && filepath.Base(filepath.Dir(file)) != fmt.Sprint(os.Getpid()) {
			t.Errorf("%s is left: %q", file, text)
		}
	}
}

func TestUpWithoutTheEngine(t *testing.T) {
	if err := containerd.Preflight(); err != nil {
		t.Skip(err)
	}
	o := options(t)
	o.Engine, o.EngineDir = EngineContainerd, t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, _, err := Up(ctx, o, itself(t))
	wantError(t, err, o.EngineDir, "make engine")
	if s := inspect(t, o.Dir); s.Running || s.Crashed || s.Starting {
		t.Errorf("it left %+v", s)
	}
}

func TestDiskFull(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting a small disk needs root")
	}
	o := options(t)
	if err := unix.Mount("tmpfs", o.Dir, "tmpfs", 0, "size=16k"); err != nil {
		t.Skipf("mount a small disk: %v", err)
	}
	defer func() {
		if err := unix.Unmount(o.Dir, 0); err != nil {
			t.Error(err)
		}
	}()
	_, _, err := Up(t.Context(), o, itself(t))
	wantError(t, err, "no space", "free some", DirVariable)
	if s := inspect(t, o.Dir); s.Running || s.Starting {
		t.Errorf("it left %+v", s)
	}
}

//go:build linux

package e2e

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// TestTroubleshooting makes each trouble of docs/troubleshooting.md and compares what the program says with what stands
// there. No section is without a test, and no test without a section.
func TestTroubleshooting(t *testing.T) {
	m := readManual(t)
	all := true
	for name, trouble := range map[string]func(*testing.T, *manual){
		"builders": troubledBuilders, "builds": troubledBuilds, "registry": troubledRegistry, "disk": troubledDisk, "load": troubledLoad,
	} {
		ran := false
		t.Run(name, func(t *testing.T) { trouble(t, m); ran = true })
		all = all && ran
	}
	if t.Failed() || !all { // some are left out, with -run or because they cannot run here
		return
	}
	for _, title := range m.titles() {
		if !m.seen[title] {
			t.Errorf("docs/troubleshooting.md, %q: no test looks at it", title)
		}
	}
}

// troubledBuilders: there is no builder, or the one that is asked for does not work.
func troubledBuilders(t *testing.T, m *manual) {
	stage := newStage(t)
	withProgram(t, stage)
	stage.Env = append(stage.Env, "PATH="+onlyGit(t, stage)) // neither docker nor Go
	unprepared(t, stage)
	if err := stage.Up(t.Context(), "--engine", "simulated"); err != nil {
		t.Fatal(err)
	}
	m.fails(t, stage, "There is no builder", "build")

	stage.Env = append(stage.Env, "PATH="+os.Getenv("PATH"))
	withBuildx(t, stage)
	socket := filepath.Join(stage.Dir, "docker.sock")
	stage.Env = append(stage.Env, "DOCKER_HOST=unix://"+socket)
	m.fails(t, stage, "The Docker daemon is not running", "build", "--builder", "buildx")
	stage.Env = append(stage.Env, "BUILDKIT_HOST=tcp://127.0.0.1:1")
	m.fails(t, stage, "BuildKit is not running", "build", "--builder", "buildkit")

	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if err := os.Chmod(socket, 0o600); err != nil {
		t.Fatal(err)
	}
	out := asNobody(t, stage, "build", "--builder", "buildx")
	if out.Exit != release.ExitBuild {
		t.Errorf("exit %d, want %d", out.Exit, release.ExitBuild)
	}
	m.expect(t, stage, "Permission denied on the Docker socket", out, "build", "--builder", "buildx")
}

// onlyGit is a directory of programs with nothing but git.
func onlyGit(t *testing.T, stage *rehearsal.Stage) string {
	t.Helper()
	git, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(stage.Dir, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(git, filepath.Join(bin, "git")); err != nil {
		t.Fatal(err)
	}
	return bin
}

// unprepared has nothing be compiled before the build.
func unprepared(t *testing.T, stage *rehearsal.Stage) {
	t.Helper()
	config, err := stage.Read("medusa-deploy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(config) {
		if trimmed := strings.TrimSpace(line); strings.HasPrefix(line, "    ") && (strings.HasPrefix(trimmed, "command:") || strings.HasPrefix(trimmed, "env:")) || trimmed == "prepare:" {
			continue
		}
		lines = append(lines, line)
	}
	if err := stage.Write("medusa-deploy.yaml", []byte(strings.Join(lines, ""))); err != nil {
		t.Fatal(err)
	}
	if _, err := stage.Commit("nothing to prepare"); err != nil {
		t.Fatal(err)
	}
}

// withBuildx gives the stage's docker its buildx plugin.
func withBuildx(t *testing.T, stage *rehearsal.Stage) {
	t.Helper()
	home := filepath.Join(stage.Dir, "docker")
	if err := rehearsal.CopyProgram(filepath.Join(stage.EngineDir, "buildx"), filepath.Join(home, "cli-plugins", "docker-buildx")); err != nil {
		t.Fatalf("%v: run `make engine-buildx` first", err)
	}
	stage.Env = append(stage.Env, "DOCKER_CONFIG="+home, "BUILDX_CONFIG="+filepath.Join(home, "buildx"))
}

// asNobody runs the program as a user without any rights.
func asNobody(t *testing.T, stage *rehearsal.Stage, args ...string) rehearsal.Output {
	t.Helper()
	const nobody = 65534
	program := filepath.Join(stage.Dir, "medusa-deploy")
	copyFile(t, stage.Program, program)
	for _, path := range []string{stage.App, stage.State, filepath.Join(stage.Dir, "docker")} {
		err := filepath.WalkDir(path, func(path string, _ os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return os.Lchown(path, nobody, nobody)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(stage.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	command := stage.Command(t.Context(), args...)
	command.Path, command.Args[0] = program, program
	command.Env = append(command.Env, "HOME="+stage.Dir)
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := stage.Finish(command)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// troubledBuilds: the Dockerfile, or what it needs, is wrong.
func troubledBuilds(t *testing.T, m *manual) {
	stage := upStage(t)
	withProgram(t, stage)
	unprepared(t, stage)
	if err := os.Remove(filepath.Join(stage.App, "Dockerfile")); err != nil {
		t.Fatal(err)
	}
	m.fails(t, stage, "There is no Dockerfile", "build")
	dockerfile(t, stage, "FROM scratch\nCOPY bin/hello /hello\nRUUN [\"/hello\"]\n")
	m.fails(t, stage, "The Dockerfile cannot be read", "build")
	dockerfile(t, stage, "FROM scratch\nCOPY bin/hello /hello\nENV CRASH=3\nRUN [\"/hello\"]\n")
	m.fails(t, stage, "A step of the Dockerfile fails", "build")
	dockerfile(t, stage, "FROM scratch\nCOPY dist /dist\n")
	m.fails(t, stage, "A file is not in the build context", "build")
	local, err := stage.LocalEnv(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dockerfile(t, stage, "FROM %s/base:1\nCOPY bin/hello /hello\n", local["ECR_URL"])
	m.fails(t, stage, "The base image does not exist", "build")
	largeContext(t, stage, m)
	dockerfile(t, stage, "FROM 127.0.0.1:1/base:1\nCOPY bin/hello /hello\n")
	m.fails(t, stage, "The base image's registry does not answer", "build")
}

// largeContext copies a file of 5 GB, which has no blocks on the disk, and reads the warning before a byte of it can have
// been sent: the program is stopped at that.
func largeContext(t *testing.T, stage *rehearsal.Stage, m *manual) {
	t.Helper()
	if err := stage.Write("bin/video.raw", nil); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(stage.App, "bin/video.raw"), 5_000_000_000); err != nil {
		t.Fatal(err)
	}
	if err := stage.Append(".dockerignore", "!bin/video.raw\n"); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := os.Remove(filepath.Join(stage.App, "bin/video.raw")); err != nil {
			t.Error(err)
		}
	}()
	dockerfile(t, stage, "FROM scratch\nCOPY bin /bin\n")
	build := stage.Command(t.Context(), "build")
	stderr, err := build.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := build.Start(); err != nil {
		t.Fatal(err)
	}
	var warning []string
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		if strings.Contains(lines.Text(), "the build context is large") || len(warning) == 1 {
			warning = append(warning, lines.Text())
		}
		if len(warning) == 2 { // it has a cure
			break
		}
	}
	if err := build.Process.Signal(os.Interrupt); err != nil {
		t.Error(err)
	}
	_, _ = io.Copy(io.Discard, stderr)
	_ = build.Wait() // it was interrupted
	m.expect(t, stage, "The build context is huge", rehearsal.Output{Stderr: strings.Join(warning, "\n") + "\n"}, "build")
}

// troubledDisk: the builder's disk is full.
func troubledDisk(t *testing.T, m *manual) {
	stage := newStage(t)
	withProgram(t, stage)
	unprepared(t, stage)
	if err := stage.Write("bin/hello", slices.Repeat([]byte("not a program at all\n"), 2<<20)); err != nil { // 40 MB
		t.Fatal(err)
	}
	defer smallDisk(t, stage, "engine", "32m")()
	if err := stage.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.fails(t, stage, "The builder's disk is full", "build")
}

// troubledLoad: the engine has taken the image, and then does not have it.
func troubledLoad(t *testing.T, m *manual) {
	stage, docker := dockerStage(t)
	withProgram(t, stage)
	unprepared(t, stage)
	local, err := stage.LocalEnv(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(stage.Dir, "forgetful.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", strings.TrimPrefix(docker.Host, "unix://"))
	}
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", "docker"
		},
		Transport: &http.Transport{DialContext: dial},
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/images/") || !strings.HasSuffix(r.URL.Path, "/json") {
			forward.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"message":"No such image"}`))
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	stage.Env = append(stage.Env, "DOCKER_HOST=unix://"+socket, "BUILDKIT_HOST="+local["BUILDKIT_HOST"])
	m.fails(t, stage, "The image is not in the local engine", "build", "--load")
}

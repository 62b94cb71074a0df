package docker

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/system"
)

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// The daemon is found where the docker command finds it.
func TestFind(t *testing.T) {
	home := t.TempDir()
	sum := sha256.Sum256([]byte("colima"))
	write(t, filepath.Join(home, ".docker", "contexts", "meta", hex.EncodeToString(sum[:]), "meta.json"),
		`{"Name":"colima","Endpoints":{"docker":{"Host":"unix:///colima.sock","SkipTLSVerify":false}}}`)
	for _, c := range []struct {
		name, host, context, config string
		want, reason                string
		err                         string
	}{
		{name: "nothing said", reason: "the default socket"},
		{name: "a host", host: "unix:///x.sock", context: "colima", want: "unix:///x.sock", reason: "DOCKER_HOST"},
		{name: "a context in the environment", context: "colima", want: "unix:///colima.sock", reason: `the docker context "colima"`},
		{name: "the context in use", config: `{"currentContext":"colima"}`, want: "unix:///colima.sock", reason: `the docker context "colima"`},
		{name: "the default context", config: `{"currentContext":"default"}`, reason: "the default socket"},
		{name: "another configuration", config: `{"auths":{}}`, reason: "the default socket"},
		{name: "a context that is gone", context: "old", err: "docker context use default"},
		{name: "a broken file", config: `{`, err: "config.json"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("HOME", home)
			t.Setenv("DOCKER_CONFIG", "")
			t.Setenv("DOCKER_HOST", c.host)
			t.Setenv("DOCKER_CONTEXT", c.context)
			file := filepath.Join(home, ".docker", "config.json")
			if err := os.RemoveAll(file); err != nil {
				t.Fatal(err)
			}
			if c.config != "" {
				write(t, file, c.config)
			}
			host, reason, err := Find()
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("err = %v, want %q in it", err, c.err)
				}
				return
			}
			if err != nil || host != c.want || reason != c.reason {
				t.Errorf("= %q, %q, %v", host, reason, err)
			}
		})
	}
}

// What does not answer is explained with its cure.
func TestPreflightExplains(t *testing.T) {
	closed := filepath.Join(t.TempDir(), "closed.sock")
	listener, err := net.Listen("unix", closed)
	if err != nil {
		t.Fatal(err)
	}
	listener.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]string{
		"unix:///nowhere/docker.sock": "start it",
		"unix://" + closed:            "start it",
		"ssh://somewhere":             "docker context use default",
		"nonsense":                    "nonsense",
	} {
		t.Setenv("DOCKER_HOST", host)
		_, err := Preflight(t.Context())
		if !errors.Is(err, ErrNoDocker) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want ErrNoDocker with %q", host, err, want)
		}
	}
	if err := unreachable("unix:///x", os.ErrPermission); !strings.Contains(err.Error(), "usermod -aG docker") {
		t.Errorf("err = %v", err)
	}
}

func TestIsApart(t *testing.T) {
	for _, c := range []struct {
		host string
		info system.Info
		want bool
	}{
		{"unix:///var/run/docker.sock", system.Info{OperatingSystem: "Debian GNU/Linux 12 (bookworm)", SecurityOptions: []string{"name=seccomp,profile=default"}}, false},
		{"unix:///run/user/1000/docker.sock", system.Info{SecurityOptions: []string{"name=rootless"}}, true},
		{"unix:///home/x/.docker/desktop/docker.sock", system.Info{OperatingSystem: "Docker Desktop"}, true},
		{"tcp://10.0.0.1:2376", system.Info{}, true},
	} {
		if got := isApart(c.host, c.info); got != c.want {
			t.Errorf("%s %+v: %v", c.host, c.info, got)
		}
	}
}

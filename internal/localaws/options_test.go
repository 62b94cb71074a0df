package localaws

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/store"
)

func TestDefaultDir(t *testing.T) {
	for _, tt := range []struct{ own, xdg, want string }{
		{"", "", "/home/x/.local/state/medusa-deploy/local"},
		{"", "/state", "/state/medusa-deploy/local"},
		{"", "relative", "/home/x/.local/state/medusa-deploy/local"},
		{"/mine", "/state", "/mine"},
	} {
		t.Setenv("HOME", "/home/x")
		t.Setenv(DirVariable, tt.own)
		t.Setenv("XDG_STATE_HOME", tt.xdg)
		if got, err := DefaultDir(); got != tt.want || err != nil {
			t.Errorf("%+v: %s, %v", tt, got, err)
		}
	}
	t.Setenv("HOME", "")
	t.Setenv("XDG_STATE_HOME", "")
	t.Setenv(DirVariable, "")
	_, err := DefaultDir()
	wantError(t, err, "name one in "+DirVariable)
}

func TestOptionsAreChecked(t *testing.T) {
	for _, tt := range []struct {
		o    Options
		want string
	}{
		{Options{}, "needs a directory"},
		{Options{Dir: "x", Engine: "podman"}, `no engine "podman" (known: containerd, docker, simulated)`},
		{Options{Dir: "x", Rates: "slow"}, `no rates "slow" (known: aws)`},
		{Options{Dir: "x", Advertise: "127.0.0.1"}, "is not HOST:PORT"},
		{Options{Dir: "x", Advertise: "127.0.0.1:0"}, "is not HOST:PORT"},
		{Options{Dir: "x", Listen: "0.0.0.0:4566"}, "not a loopback address"},
		{Options{Dir: "x", Listen: "4566"}, "not HOST:PORT"},
	} {
		_, err := tt.o.complete()
		wantError(t, err, tt.want)
	}
	o, err := Options{Dir: "x", Listen: "0.0.0.0:4566", AllowRemote: true}.complete()
	if err != nil || o.Engine != "" || !filepath.IsAbs(o.Dir) || o.Log == nil {
		t.Errorf("%+v %v", o, err)
	}
}

func TestEnv(t *testing.T) {
	info := Info{Endpoint: "http://127.0.0.1:4566", Host: "127.0.0.1:4566", Region: "us-east-1", AccessKeyID: "K", SecretAccessKey: "S", BuildKit: "unix:///b"}
	want := []string{
		"AWS_ENDPOINT_URL=http://127.0.0.1:4566", "AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1",
		"AWS_ACCESS_KEY_ID=K", "AWS_SECRET_ACCESS_KEY=S", "ECR_URL=127.0.0.1:4566", "BUILDKIT_HOST=unix:///b",
	}
	if got := info.Env(); !slices.Equal(got, want) {
		t.Errorf("env = %q", got)
	}
	info.BuildKit = ""
	if got := info.Env(); !slices.Equal(got, want[:6]) {
		t.Errorf("without BuildKit: %q", got)
	}
}

func TestInfoFile(t *testing.T) {
	d := dir(t.TempDir())
	if _, ok, err := d.readInfo(); ok || err != nil {
		t.Errorf("without a file: %v %v", ok, err)
	}
	want := Info{PID: 7, Host: "h:1", Listen: "h:2", SecretAccessKey: "secret"}
	if err := d.writeInfo(want); err != nil {
		t.Fatal(err)
	}
	if got, ok, err := d.readInfo(); got != want || !ok || err != nil {
		t.Errorf("%+v %v %v", got, ok, err)
	}
	stat, err := os.Stat(d.info())
	if err != nil || stat.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", stat.Mode(), err)
	}
	if err := os.WriteFile(d.info(), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err = d.readInfo()
	wantError(t, err, "server.json is damaged")
	if left, _ := filepath.Glob(filepath.Join(string(d), ".*")); len(left) > 0 {
		t.Errorf("temporary files are left: %q", left)
	}
}

func TestErrorsOfTheDirectoryHaveACure(t *testing.T) {
	for cause, want := range map[error]string{
		syscall.ENOSPC:   "free some, or name another directory in MEDUSA_DEPLOY_LOCAL_DIR",
		fs.ErrPermission: "run as the user who owns /d",
		syscall.EROFS:    "name another directory",
		syscall.ENOTDIR:  "cannot use /d",
	} {
		got := dir("/d").explain(fmt.Errorf("write: %w", cause))
		if !errors.Is(got, cause) || !strings.Contains(got.Error(), want) {
			t.Errorf("%v: %v", cause, got)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wantError(t, dir(filepath.Join(file, "state")).create(), "cannot use", DirVariable)
}

func TestUnwritableDirectory(t *testing.T) {
	path := readOnlyParent(t)
	_, _, err := Up(t.Context(), Options{Dir: path, Engine: EngineSimulated}, itself(t))
	wantError(t, err, path, "run as the user who owns")
}

func TestCredentialsStay(t *testing.T) {
	d := dir(t.TempDir())
	first, err := d.loadCredentials()
	if err != nil || len(first.AccessKeyID) != 20 || len(first.SecretAccessKey) != 40 {
		t.Fatalf("%+v %v", first, err)
	}
	if again, err := d.loadCredentials(); again != first || err != nil {
		t.Errorf("%+v became %+v, %v", first, again, err)
	}
	other, err := dir(t.TempDir()).loadCredentials()
	if err != nil || other == first {
		t.Errorf("two directories have the same credentials (%v)", err)
	}
	if stat, err := os.Stat(d.credentials()); err != nil || stat.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", stat.Mode(), err)
	}
	if _, ok := first.secretOf("other"); ok {
		t.Error("another key has the secret")
	}
	if err := os.WriteFile(d.credentials(), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = d.loadCredentials()
	wantError(t, err, "is damaged", "remove it")
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	if _, held, err := holder(path); held || err != nil {
		t.Errorf("a lock that is not there: %v %v", held, err)
	}
	first, err := tryLock(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tryLock(path); !errors.Is(err, errHeld) {
		t.Errorf("a second lock: %v", err)
	}
	if pid, held, err := holder(path); pid != os.Getpid() || !held || err != nil {
		t.Errorf("holder: %d %v %v", pid, held, err)
	}
	got := make(chan error, 1)
	go func() {
		second, err := waitLock(t.Context(), path)
		if err == nil {
			second.release()
		}
		got <- err
	}()
	first.release()
	if err := <-got; err != nil {
		t.Errorf("the lock that became free: %v", err)
	}
	if _, held, err := holder(path); held || err != nil {
		t.Errorf("after the release: %v %v", held, err)
	}
}

func TestRegionsAreRemembered(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	open := func() (*regions, *store.Store) {
		s, err := store.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		r, err := openRegions(s)
		if err != nil {
			t.Fatal(err)
		}
		return r, s
	}
	r, s := open()
	for _, header := range []string{
		"AWS4-HMAC-SHA256 Credential=AK/20260101/eu-west-1/ecs/aws4_request, SignedHeaders=host, Signature=0",
		"AWS4-HMAC-SHA256 Credential=AK/20260101/us-gov-west-1/ecs/aws4_request, SignedHeaders=host, Signature=0",
		"AWS4-HMAC-SHA256 Credential=AK/20260101/../ecs/aws4_request",
		"Basic QVdTOng=", "",
	} {
		r.note(header)
	}
	want := []string{"eu-west-1", "us-east-1", "us-gov-west-1"}
	if got := r.all(); !slices.Equal(got, want) {
		t.Errorf("regions = %q", got)
	}
	s.Close()
	r, s = open()
	defer s.Close()
	if got := r.all(); !slices.Equal(got, want) {
		t.Errorf("after a restart: %q", got)
	}
	for i := range 2 * maxRegions {
		r.note(fmt.Sprintf("Credential=AK/20260101/xx-%s-1/ecs/", strings.Repeat("a", i+1)))
	}
	if got := len(r.all()); got > maxRegions {
		t.Errorf("%d regions", got)
	}
}

func FuzzSignedRegion(f *testing.F) {
	f.Add("Credential=AK/20260101/eu-west-1/ecs/")
	f.Fuzz(func(t *testing.T, header string) {
		if match := signedRegion.FindStringSubmatch(header); match != nil && (len(match) != 2 || strings.ContainsAny(match[1], "/, \x00")) {
			t.Errorf("%q has the region %q", header, match)
		}
	})
}

func TestAddressedHere(t *testing.T) {
	for host, want := range map[string]bool{
		"127.0.0.1:4566": true, "127.0.0.1": true, "localhost:80": true, "[::1]:80": true,
		"evil.example:4566": false, "10.0.0.1:80": false, "": false, "127.0.0.1.evil.example": false,
	} {
		if addressedHere(host) != want {
			t.Errorf("%q: %v", host, !want)
		}
	}
}

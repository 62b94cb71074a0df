package localaws

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/medusa-deploy/medusa-deploy/internal/awshttp"
)

// patience is for what takes a second on a quiet machine.
const patience = 2 * time.Minute

// serveVariable makes the test binary serve with the options in it instead of testing: it is the program that Up starts.
const serveVariable = "LOCALAWS_TEST_SERVE"

func TestMain(m *testing.M) {
	if err := BecomeShim(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if text, ok := os.LookupEnv(serveVariable); ok {
		os.Exit(serveForTest(text))
	}
	os.Exit(m.Run())
}

func serveForTest(text string) int {
	var o Options
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	if filepath.Base(o.EngineDir) == "die" {
		fmt.Fprintln(os.Stderr, "dying without a word")
		return 3
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	o.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	if err := Serve(ctx, o, func(Info) {}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// itself is the command that serves with the options.
func itself(t *testing.T) func(Options) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return func(o Options) *exec.Cmd {
		o.Log = nil
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), serveVariable+"="+string(text))
		return cmd
	}
}

// stateDir is a short path of the test's own, because Unix sockets may live in it. Nothing runs in it after the test.
func stateDir(t *testing.T) string {
	t.Helper()
	path, err := os.MkdirTemp("", "mdl-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if t.Failed() {
			t.Logf("the end of the log:\n%s", dir(path).tail(0))
		}
		if err := Reset(ctx, path, nil); err != nil {
			t.Errorf("reset: %v", err)
		}
		if err := os.RemoveAll(path); err != nil {
			t.Error(err)
		}
	})
	return path
}

// options are those of a server for a test of the API alone.
func options(t *testing.T) Options {
	t.Helper()
	return Options{Dir: stateDir(t), Listen: "127.0.0.1:0", Engine: EngineSimulated}
}

// serving starts a server in this process. stop ends it and gives what Serve returned.
func serving(t *testing.T, o Options) (info Info, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan Info, 1), make(chan error, 1)
	go func() { ended <- Serve(ctx, o, func(i Info) { ready <- i }) }()
	stop = func() error {
		cancel()
		err, open := <-ended
		if open {
			close(ended)
		}
		return err
	}
	t.Cleanup(func() { _ = stop() })
	select {
	case info = <-ready:
		return info, stop
	case err := <-ended:
		t.Fatalf("serve: %v", err)
	case <-time.After(patience):
		t.Fatal("the server does not become ready")
	}
	return Info{}, nil
}

// config is what an SDK's client makes of Info.
func config(info Info) aws.Config {
	return aws.Config{
		Region: info.Region, BaseEndpoint: aws.String(info.Endpoint), HTTPClient: awshttp.New(),
		Credentials: credentials.NewStaticCredentialsProvider(info.AccessKeyID, info.SecretAccessKey, ""),
	}
}

func await(t *testing.T, what string, look func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := poll(ctx, func() (bool, error) { return look(), nil }); err != nil {
		t.Fatalf("waited in vain for %s", what)
	}
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q has no %q", err, part)
		}
	}
}

func inspect(t *testing.T, path string) Status {
	t.Helper()
	s, err := Inspect(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// occupied is an address that this test listens on.
func occupied(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// readOnlyParent is a path that cannot be made.
func readOnlyParent(t *testing.T) string {
	t.Helper()
	if os.Geteuid() == 0 {
		t.Skip("root can write everywhere")
	}
	parent := t.TempDir()
	if err := os.Chmod(parent, 0o500); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(parent, "state")
}

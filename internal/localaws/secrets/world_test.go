package secrets_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"github.com/medusa-deploy/medusa-deploy/internal/awshttp"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/seal"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/secrets"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/store"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

const region = "us-east-1"

// canary is in every value of these tests; no log and no file may have it.
const canary = "CANARY"

// world is Secrets Manager behind its wire, with what it logs.
type world struct {
	*sdk.Client
	*testing.T
	dir    string
	state  *store.Store
	server *httptest.Server
	log    lockedText
}

type lockedText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, dir: t.TempDir()}
	w.open()
	t.Cleanup(func() {
		w.close()
		if strings.Contains(w.log.String(), canary) {
			t.Errorf("a value is in the log:\n%s", w.log.String())
		}
	})
	return w
}

func openBackend(t testing.TB, dir string) (*secrets.Backend, *store.Store) {
	t.Helper()
	state, err := store.Open(filepath.Join(dir, "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	box, err := seal.Open(filepath.Join(dir, "key"))
	if err != nil {
		t.Fatal(err)
	}
	backend, err := secrets.New(secrets.Config{Store: state, Box: box})
	if err != nil {
		t.Fatal(err)
	}
	return backend, state
}

func (w *world) open() {
	w.Helper()
	backend, state := openBackend(w, w.dir)
	h, err := wire.NewHandler(wire.Config{
		Services:    []wire.Service{backend.Service()},
		Credentials: func(string) (string, bool) { return "secret", true },
		Log:         slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		w.Fatal(err)
	}
	w.state, w.server = state, httptest.NewServer(h)
	w.Client = w.in(region)
}

func (w *world) close() {
	w.server.Close()
	if err := w.state.Close(); err != nil {
		w.Error(err)
	}
}

// in is a client of another region.
func (w *world) in(region string) *sdk.Client {
	return sdk.New(sdk.Options{
		Region: region, BaseEndpoint: &w.server.URL, Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
		HTTPClient: awshttp.New(), RetryMaxAttempts: 1,
	})
}

// create makes a secret and gives its ARN.
func (w *world) create(name, value string) string {
	w.Helper()
	out, err := w.CreateSecret(w.Context(), &sdk.CreateSecretInput{Name: &name, SecretString: &value})
	if err != nil {
		w.Fatal(err)
	}
	return *out.ARN
}

// value is the secret's current value, or that of a stage.
func (w *world) value(id string, stage ...string) string {
	w.Helper()
	in := &sdk.GetSecretValueInput{SecretId: &id}
	if len(stage) > 0 {
		in.VersionStage = &stage[0]
	}
	out, err := w.GetSecretValue(w.Context(), in)
	if err != nil {
		w.Fatal(err)
	}
	return aws.ToString(out.SecretString)
}

// wantError wants an API error of this code that says this.
func wantError(t testing.TB, what string, err error, code, message string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) {
		t.Errorf("%s: %v, want %s", what, err, code)
		return
	}
	if api.ErrorCode() != code || api.ErrorMessage() != message {
		t.Errorf("%s: %s: %q, want %s: %q", what, api.ErrorCode(), api.ErrorMessage(), code, message)
	}
}

func regional(t testing.TB) context.Context {
	return wire.WithCaller(t.Context(), wire.Caller{Region: region})
}

package ecr_test

import (
	"context"
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"

	"github.com/medusa-deploy/medusa-deploy/internal/awshttp"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/ecr"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/store"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/sts"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

const (
	accessKey = "LOCALKEY"
	secretKey = "local-secret"
	region    = "us-east-1"
)

// world is a local ECR behind a real listener.
type world struct {
	t       testing.TB
	dir     string
	store   *store.Store
	server  *httptest.Server
	backend *ecr.Backend
	host    string // HOST:PORT
}

func newWorld(t testing.TB) *world { return openWorld(t, t.TempDir()) }

func openWorld(t testing.TB, dir string) *world {
	t.Helper()
	w := &world{t: t, dir: dir}
	mux := http.NewServeMux()
	w.server = httptest.NewServer(mux)
	w.host = strings.TrimPrefix(w.server.URL, "http://")
	var err error
	if w.store, err = store.Open(filepath.Join(dir, "state.db")); err != nil {
		t.Fatal(err)
	}
	w.backend, err = ecr.New(ecr.Config{Store: w.store, Dir: filepath.Join(dir, "blobs"), Host: w.host, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	api, err := wire.NewHandler(wire.Config{
		Services:    []wire.Service{w.backend.Service(), (&sts.Backend{}).Service()},
		Credentials: func(key string) (string, bool) { return secretKey, key == accessKey },
	})
	if err != nil {
		t.Fatal(err)
	}
	mux.Handle("/", api)
	mux.Handle("/v2/", w.backend.Registry())
	t.Cleanup(w.close)
	return w
}

// close stops the world; its directory can be opened again.
func (w *world) close() {
	w.server.Close()
	_ = w.store.Close() // closing twice does no harm
}

func (w *world) client() *sdk.Client { return w.clientIn(region) }

func (w *world) clientIn(region string) *sdk.Client {
	return sdk.New(sdk.Options{
		Region: region, BaseEndpoint: aws.String(w.server.URL), HTTPClient: awshttp.New(),
		Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
	})
}

func (w *world) create(name string) {
	w.t.Helper()
	if _, err := w.client().CreateRepository(w.ctx(), &sdk.CreateRepositoryInput{RepositoryName: &name}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) ctx() context.Context {
	if t, ok := w.t.(*testing.T); ok {
		return t.Context()
	}
	return context.Background()
}

// password gets a registry token as `aws ecr get-login-password` does.
func (w *world) password() string { return w.passwordIn(region) }

func (w *world) passwordIn(region string) string {
	w.t.Helper()
	out, err := w.clientIn(region).GetAuthorizationToken(w.ctx(), &sdk.GetAuthorizationTokenInput{})
	if err != nil {
		w.t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(*out.AuthorizationData[0].AuthorizationToken)
	if err != nil {
		w.t.Fatal(err)
	}
	_, password, _ := strings.Cut(string(raw), ":")
	return password
}

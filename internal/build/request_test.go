package build

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/session/auth"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

func TestFrontendAttrs(t *testing.T) {
	got := frontendAttrs(release.BuildRequest{
		Dockerfile: "/src/docker/App.dockerfile", Stage: "final", Platforms: []string{"linux/amd64", "linux/arm64"},
		Args: map[string]string{"COMMIT": "abc"}, Labels: map[string]string{"own": "yes"}, Epoch: time.Unix(1700000000, 0), NoCache: true,
	})
	want := map[string]string{
		"filename": "App.dockerfile", "target": "final", "platform": "linux/amd64,linux/arm64", "multi-platform": "true",
		"no-cache": "", "build-arg:SOURCE_DATE_EPOCH": "0", "build-arg:COMMIT": "abc", "label:own": "yes",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"filename": "Dockerfile"}, frontendAttrs(release.BuildRequest{Dockerfile: "/Dockerfile"})); diff != "" {
		t.Error(diff)
	}
}

func TestExportAttrs(t *testing.T) {
	b := &BuildKit{config: Config{PlainHTTP: []string{"127.0.0.1:5000"}}}
	local := release.BuildRequest{Repository: "127.0.0.1:5000/app", Epoch: time.Unix(1700000000, 0), Reproducible: true}
	stored := map[string]string{
		"name": "127.0.0.1:5000/app", "oci-mediatypes": "true", "compression": "gzip",
		"source-date-epoch": "1700000000", "rewrite-timestamp": "true",
	}
	if diff := cmp.Diff(stored, b.exportAttrs(local, false)); diff != "" {
		t.Error(diff)
	}
	elsewhere := map[string]string{"name": "registry.example/app", "oci-mediatypes": "true", "compression": "gzip", "push": "true", "push-by-digest": "true"}
	if diff := cmp.Diff(elsewhere, b.exportAttrs(release.BuildRequest{Repository: "registry.example/app"}, true)); diff != "" {
		t.Error(diff)
	}
	if b.exportAttrs(local, true)["registry.insecure"] != "true" {
		t.Error("a plain HTTP registry is not spoken to over plain HTTP")
	}
}

func TestCacheReference(t *testing.T) {
	for given, want := range map[string]string{
		"": "", "cache": "h/app:cache", "h/other:cache": "h/other:cache", "other:cache": "other:cache",
	} {
		if got := cacheReference(release.BuildRequest{Repository: "h/app", Cache: release.BuildCache{Kind: release.CacheRegistry, Ref: given}}); got != want {
			t.Errorf("%q: got %q, want %q", given, got, want)
		}
	}
}

func TestPinnedTime(t *testing.T) {
	epoch := time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)
	one, two := pinnedTime(1, epoch), pinnedTime(2, epoch)
	if one == two {
		t.Error("two times of a file became one: an edit would be missed")
	}
	for _, at := range []int64{one, two, pinnedTime(-1, epoch), pinnedTime(1<<62, epoch)} {
		if got := time.Unix(0, at).UTC().Truncate(time.Second); !got.Equal(epoch.Truncate(time.Second)) {
			t.Errorf("%s is not within the second of %s", got, epoch)
		}
	}
	if pinnedTime(7, time.Time{}) != 7 {
		t.Error("without an epoch a file keeps its time")
	}
}

func TestCredentialsGoToTheirOwnHostOnly(t *testing.T) {
	broken := errors.New("token service is down")
	c := &credentials{
		push: release.Credentials{Host: "h:1", Username: "AWS", Password: "secret"},
		others: func(_ context.Context, host string) (release.Credentials, bool, error) {
			switch host {
			case "broken":
				return release.Credentials{}, false, broken
			case "known":
				return release.Credentials{Username: "me", Password: "mine"}, true, nil
			}
			return release.Credentials{}, false, nil
		},
	}
	for host, want := range map[string]string{"h:1": "AWS secret", "known": "me mine", "docker.io": " ", "h": " "} {
		got, err := c.Credentials(t.Context(), &auth.CredentialsRequest{Host: host})
		if err != nil {
			t.Fatal(err)
		}
		if text := got.GetUsername() + " " + got.GetSecret(); text != want {
			t.Errorf("%s was given %q, want %q", host, text, want)
		}
	}
	if _, err := c.Credentials(t.Context(), &auth.CredentialsRequest{Host: "broken"}); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if got, err := (&credentials{}).Credentials(t.Context(), &auth.CredentialsRequest{Host: ""}); err != nil || got.GetSecret() != "" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestWhatIsWrongBeforeTheBuild(t *testing.T) {
	dir := t.TempDir()
	dockerfile := filepath.Join(dir, "Dockerfile")
	if err := os.WriteFile(dockerfile, []byte("FROM scratch\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := New(Config{Address: "unix://" + filepath.Join(dir, "none.sock"), Reason: "BUILDKIT_HOST"})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		context, dockerfile string
		want                []string
	}{
		"no context":          {dir + "/none", dockerfile, []string{dir + "/none", "does not exist", "image.context"}},
		"context is a file":   {dockerfile, dockerfile, []string{"is not a directory"}},
		"no Dockerfile":       {dir, dir + "/Other", []string{dir + "/Other", "image.dockerfile"}},
		"Dockerfile is a dir": {dir, dir, []string{"is a directory"}},
		"no daemon":           {dir, dockerfile, []string{"none.sock", "chosen by BUILDKIT_HOST", "medusa-deploy local up"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := b.Build(t.Context(), release.BuildRequest{ContextDir: c.context, Dockerfile: c.dockerfile, Repository: "h/app"}, func(release.Event) {})
			if err == nil {
				t.Fatal("no error")
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q is missing in: %v", part, err)
				}
			}
		})
	}
}

func TestNewWantsAnAddress(t *testing.T) {
	if _, err := New(Config{}); err == nil || !strings.Contains(err.Error(), "BUILDKIT_HOST") {
		t.Errorf("got %v", err)
	}
	b, err := New(Config{Address: "tcp://h:1"})
	if err != nil || b.Name() != "BuildKit at tcp://h:1" {
		t.Errorf("got %v, %v", b, err)
	}
}

func TestExplainPush(t *testing.T) {
	who := release.Credentials{Username: "AWS", Password: "secret"}
	for cause, want := range map[string]string{
		"unexpected status: 401 Unauthorized":                "refused the credentials of \"AWS\"",
		"unexpected status: 403 Forbidden":                   "ecr:PutImage",
		"http: server gave HTTP response to HTTPS client":    "[registry.\"h:1\"] http = true",
		"connection reset by peer":                           "push to h:1/app: connection reset by peer",
		"TAG_INVALID: the tag is immutable and exists":       "TAG_INVALID",
		"DENIED: User is not authorized to perform PutImage": "ecr:PutImage",
	} {
		text := explainPush("h:1", "h:1/app", who, errors.New(cause)).Error()
		if !strings.Contains(text, want) || !strings.Contains(text, cause) || strings.Contains(text, "secret") {
			t.Errorf("%q is missing in: %s", want, text)
		}
	}
}

func TestCures(t *testing.T) {
	for name, c := range map[string]struct{ cause, log, want string }{
		"foreign program":   {"exit code: 255", "exec /bin/sh: exec format error", "(linux/arm64)"},
		"base image":        {"failed to resolve source metadata for docker.io/library/node:22: dial tcp: lookup registry", "", "could not reach the base image's registry"},
		"no such image":     {"failed to resolve source metadata for h/x:1: h/x:1: not found", "", "h/x:1: not found"},
		"not in context":    {"failed to compute cache key: \"/x\": not found", "", "build context /src"},
		"nothing to advise": {"exit code: 1", "oops", "exit code: 1"},
	} {
		t.Run(name, func(t *testing.T) {
			req := release.BuildRequest{ContextDir: "/src", Platforms: []string{"linux/arm64"}}
			cause := errors.New(c.cause)
			err := withCure(req, &release.BuildError{Log: []string{c.log}}, cause)
			if !errors.Is(err, cause) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%q is missing in: %v", c.want, err)
			}
		})
	}
}

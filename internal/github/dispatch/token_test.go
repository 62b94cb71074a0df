package dispatch_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/github/dispatch"
	"github.com/medusa-deploy/medusa-deploy/internal/github/githubtest"
)

func TestTheTokenIsFoundWhereGHLooks(t *testing.T) {
	dir := t.TempDir()
	hosts := "github.com:\n    user: ada\n    oauth_token: of-the-file\n    git_protocol: https\n"
	if err := os.WriteFile(filepath.Join(dir, "hosts.yml"), []byte(hosts), 0o600); err != nil {
		t.Fatal(err)
	}
	none := func(context.Context, string) (string, error) { return "", errors.New("no oauth token") }
	missing := func(context.Context, string) (string, error) { return "", fmt.Errorf("run: %w", exec.ErrNotFound) }
	login := func(_ context.Context, host string) (string, error) { return "login-" + host, nil }
	cases := []struct {
		name string
		host string
		env  map[string]string
		gh   func(context.Context, string) (string, error)
		want string
	}{
		{"GH_TOKEN first", "github.com", map[string]string{"GH_TOKEN": " a\n", "GITHUB_TOKEN": "b"}, login, "a"},
		{"GITHUB_TOKEN", "github.com", map[string]string{"GITHUB_TOKEN": "b"}, login, "b"},
		{"the login", "github.com", nil, login, "login-github.com"},
		{"the file, without gh", "github.com", nil, missing, "of-the-file"},
		{"no file's token where gh says there is none", "github.com", nil, none, ""},
		{"not another host's", "ghe.example.com", map[string]string{"GH_TOKEN": "a", "GITHUB_TOKEN": "b"}, missing, ""},
		{"Enterprise", "ghe.example.com", map[string]string{"GH_TOKEN": "a", "GH_ENTERPRISE_TOKEN": "e"}, none, "e"},
		{"Enterprise, in its own workflow", "ghe.example.com", map[string]string{"GITHUB_TOKEN": "b", "GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://ghe.example.com"}, none, "b"},
		{"Enterprise, in another's workflow", "ghe.example.com", map[string]string{"GITHUB_TOKEN": "b", "GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://github.com"}, none, ""},
		{"data residency", "acme.ghe.com", map[string]string{"GH_TOKEN": "a"}, none, "a"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			getenv := func(name string) string {
				if name == "GH_CONFIG_DIR" {
					return dir
				}
				return c.env[name]
			}
			got, err := dispatch.Finder{Getenv: getenv, GH: c.gh}.Find(t.Context(), c.host)
			if got.Secret() != c.want {
				t.Errorf("found %q, %v", got.Secret(), err)
			}
			var refusal *dispatch.Refusal
			if c.want == "" && (!errors.As(err, &refusal) || refusal.Reason != dispatch.ReasonNoToken || !strings.Contains(err.Error(), "gh auth login --hostname "+c.host)) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

// TestTheTokenNeverShows: neither by accident of fmt nor of JSON.
func TestTheTokenNeverShows(t *testing.T) {
	token := dispatch.NewToken(githubtest.Token, "GH_TOKEN")
	encoded, err := json.Marshal(struct{ T dispatch.Token }{token})
	if err != nil {
		t.Fatal(err)
	}
	shown := fmt.Sprintf("%s %v %+v %#v %q %s", token, token, token, token, token, encoded)
	shown += fmt.Sprintf("%v %+v", struct{ T dispatch.Token }{token}, &struct{ T dispatch.Token }{token})
	if strings.Contains(shown, githubtest.Token[:12]) {
		t.Errorf("it shows: %s", shown)
	}
}

// TestAHostThatIsNoGitHub: a proxy's page, a certificate that nobody knows, a redirect into the clear.
func TestAHostThatIsNoGitHub(t *testing.T) {
	started, err := githubtest.New().Start(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer started.Close()
	client := dispatch.NewClient(dispatch.Config{
		Repository: dispatch.Repository{Host: started.Host, Owner: "acme", Name: "shop"},
		Token:      dispatch.NewToken(githubtest.Token, "GH_TOKEN"), UserAgent: "test",
	})
	_, err = client.Prepare(t.Context(), dispatch.Request{Workflow: "deploy.yml"})
	if err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("got %v", err)
	}
	bubble(t, "into the clear", func(t *testing.T) {
		w := newWorld(t, withNonce)
		w.server.Answer("repository", githubtest.Answer{Status: 302, Header: map[string]string{"Location": "http://api.github.com/repos/acme/shop"}})
		_, err := w.client.Prepare(t.Context(), dispatch.Request{Workflow: "deploy.yml"})
		if err == nil || !strings.Contains(err.Error(), "not https") || len(w.server.Requests()) != 1 {
			t.Errorf("got %v after %d requests", err, len(w.server.Requests()))
		}
	})
}

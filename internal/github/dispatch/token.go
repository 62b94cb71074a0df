package dispatch

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"
)

// Token is what signs requests in. Its value is never shown: not by fmt, and not in JSON.
type Token struct {
	value  string
	Source string // where it was found, for messages: "GH_TOKEN"
}

// NewToken makes a token; source says where it was found.
func NewToken(value, source string) Token {
	return Token{value: strings.TrimSpace(value), Source: source}
}

// String hides the value.
func (t Token) String() string { return "the token of " + t.Source }

// GoString hides the value.
func (t Token) GoString() string { return t.String() }

// Secret is the value, for those who mask it.
func (t Token) Secret() string { return t.value }

// loginSource is the source of the tokens that gh keeps, each for one host.
const loginSource = "gh's login"

// OfLogin reports whether the token is gh's for the very host that it was looked for.
func (t Token) OfLogin() bool { return t.Source == loginSource }

// temporary reports whether it is a token that GitHub made for an app or for a workflow's run: what it may do is not
// what its user may.
func (t Token) temporary() bool {
	return strings.HasPrefix(t.value, "ghs_") || strings.HasPrefix(t.value, "ghu_")
}

// Finder finds a token for a host.
type Finder struct {
	Getenv func(string) string
	// GH asks the gh program for its login's token; nil: run `gh auth token`. exec.ErrNotFound says that there is no gh.
	GH func(ctx context.Context, host string) (string, error)
}

// Find looks for a token where gh does, in its order: the variables that are meant for the host, then the login. A token
// for github.com is never sent to another host.
func (f Finder) Find(ctx context.Context, host string) (Token, error) {
	for _, name := range f.variables(host) {
		if value := strings.TrimSpace(f.Getenv(name)); value != "" {
			return NewToken(value, name), nil
		}
	}
	ask := f.GH
	if ask == nil {
		ask = askGH
	}
	value, err := ask(ctx, host)
	if strings.TrimSpace(value) != "" && err == nil {
		return NewToken(value, loginSource), nil
	}
	if errors.Is(err, exec.ErrNotFound) { // the login is kept in a file unless the system has a keyring
		if value = f.hostsFile(host); value != "" {
			return NewToken(value, loginSource), nil
		}
	}
	if ctx.Err() != nil {
		return Token{}, context.Cause(ctx)
	}
	return Token{}, place{repository: Repository{Host: host}}.refuse(ReasonNoToken, strings.Join(f.variables(host), ", "), nil)
}

// variables are those that hold a token for a host. https://cli.github.com/manual/gh_help_environment
func (f Finder) variables(host string) []string {
	own := []string{"GH_TOKEN", "GITHUB_TOKEN"}
	enterprise := []string{"GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"}
	if host == PublicHost || strings.HasSuffix(host, ".ghe.com") {
		return own
	}
	// Within a workflow on GitHub Enterprise, GITHUB_TOKEN is that very server's.
	if server, err := url.Parse(f.Getenv("GITHUB_SERVER_URL")); err == nil && f.Getenv("GITHUB_ACTIONS") == "true" && server.Host == host {
		return append(enterprise, own...)
	}
	return enterprise
}

// askGH runs `gh auth token`.
func askGH(ctx context.Context, host string) (string, error) {
	out, err := exec.CommandContext(ctx, "gh", "auth", "token", "--hostname", host).Output()
	if err != nil {
		return "", fmt.Errorf("gh auth token --hostname %s: %w", host, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// hostsFile reads gh's own file of logins.
func (f Finder) hostsFile(host string) string {
	dir := f.Getenv("GH_CONFIG_DIR")
	if dir == "" {
		dir = filepath.Join(f.Getenv("HOME"), ".config", "gh")
		if xdg := f.Getenv("XDG_CONFIG_HOME"); xdg != "" {
			dir = filepath.Join(xdg, "gh")
		}
	}
	content, err := os.ReadFile(filepath.Join(dir, "hosts.yml"))
	if err != nil {
		return ""
	}
	return tokenInHosts(content, host)
}

// tokenInHosts finds a host's token in the content of gh's hosts.yml; empty when there is none.
func tokenInHosts(content []byte, host string) string {
	var hosts map[string]struct {
		Token string `yaml:"oauth_token"`
	}
	if err := yaml.Unmarshal(content, &hosts); err != nil {
		return ""
	}
	return strings.TrimSpace(hosts[host].Token)
}

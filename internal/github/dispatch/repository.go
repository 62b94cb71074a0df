package dispatch

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// PublicHost is GitHub's own host; every other is GitHub Enterprise.
const PublicHost = "github.com"

// Repository is where a workflow lives.
type Repository struct {
	Host  string // "github.com", or a GitHub Enterprise host, with its port if it has one
	Owner string
	Name  string
}

// String is OWNER/NAME, with the host before it when it is not GitHub's own.
func (r Repository) String() string {
	if r.Host == "" || r.Host == PublicHost {
		return r.Owner + "/" + r.Name
	}
	return r.Host + "/" + r.Owner + "/" + r.Name
}

// Web is the address of the repository's page, without a slash at its end.
func (r Repository) Web() string { return "https://" + r.Host + "/" + r.Owner + "/" + r.Name }

// errRepository is how a repository is written.
var errRepository = errors.New("a repository is written OWNER/NAME, or HOST/OWNER/NAME on GitHub Enterprise")

var (
	hostPattern = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?$`)
	namePattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,100}$`)
)

// ParseRepository reads [HOST/]OWNER/NAME, the way in which gh's --repo and GH_REPO are written. host is taken where
// none is written.
func ParseRepository(text, host string) (Repository, error) {
	parts := strings.Split(text, "/")
	if len(parts) == 3 {
		host, parts = parts[0], parts[1:]
	}
	if len(parts) != 2 {
		return Repository{}, fmt.Errorf("%q: %w", text, errRepository)
	}
	return newRepository(host, parts[0], strings.TrimSuffix(parts[1], ".git"), text)
}

func newRepository(host, owner, name, text string) (Repository, error) {
	valid := func(s string) bool { return namePattern.MatchString(s) && s != "." && s != ".." }
	if !hostPattern.MatchString(host) || !valid(owner) || !valid(name) {
		return Repository{}, fmt.Errorf("%q: %w", text, errRepository)
	}
	return Repository{Host: canonicalHost(host), Owner: owner, Name: name}, nil
}

// canonicalHost folds the other names of GitHub's own host: ssh.github.com is how SSH gets through port 443.
func canonicalHost(host string) string {
	switch host = strings.ToLower(host); host {
	case "ssh.github.com", "www.github.com":
		return PublicHost
	}
	return host
}

// RepositoryOfRemote reads a git remote: https://HOST/OWNER/NAME.git, ssh://git@HOST/OWNER/NAME or git@HOST:OWNER/NAME.
// The port of an SSH remote is not the API's, and is left out.
func RepositoryOfRemote(remote string) (Repository, error) {
	var host, path string
	if u, err := url.Parse(remote); err == nil && u.Host != "" {
		host, path = u.Host, u.Path
		if strings.Contains(u.Scheme, "ssh") {
			host = u.Hostname()
		}
	} else if !strings.Contains(remote, "://") {
		host, path, _ = strings.Cut(remote, ":")
		host = host[strings.LastIndex(host, "@")+1:]
	}
	parts := strings.Split(strings.Trim(path, "/"), "/")
	if len(parts) != 2 || host == "" {
		return Repository{}, fmt.Errorf("the git remote %q names no repository on GitHub: %w", remote, errRepository)
	}
	return newRepository(host, parts[0], strings.TrimSuffix(parts[1], ".git"), remote)
}

// apiBase is where a host's REST API answers.
// https://docs.github.com/en/enterprise-server/rest/using-the-rest-api/getting-started-with-the-rest-api
func apiBase(host string) string {
	switch {
	case host == PublicHost:
		return "https://api.github.com"
	case strings.HasSuffix(host, ".ghe.com"): // GitHub Enterprise Cloud with data residency
		return "https://api." + host
	}
	return "https://" + host + "/api/v3"
}

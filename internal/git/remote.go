package git

import (
	"net/url"
	"regexp"
	"strings"
)

// scpLike is the short form of an SSH remote, [USER@]HOST:PATH.
// https://git-scm.com/docs/git-clone#_git_urls
var scpLike = regexp.MustCompile(`^(?:[^@/:]+@)?[A-Za-z0-9.-]{2,}:[^:@][^@]*$`)

// publicURL is a remote's URL without anything secret in it: no user, password or token, no query. Empty for a path on
// this machine, which says nothing to anyone else and would make an image's labels differ from machine to machine.
func publicURL(remote string) string {
	if u, err := url.Parse(remote); err == nil && u.Host != "" {
		switch u.Scheme {
		case "http", "https", "git":
			u.User = nil
		case "ssh", "git+ssh", "ssh+git":
			if u.User != nil {
				u.User = url.User(u.User.Username()) // an account name such as git; a password is not
			}
		default:
			return ""
		}
		u.RawQuery, u.Fragment, u.ForceQuery = "", "", false
		return u.String()
	}
	if strings.Contains(remote, "://") || !scpLike.MatchString(remote) {
		return ""
	}
	return remote
}

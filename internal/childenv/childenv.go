// Package childenv gives the environment that a child process may have: without the secrets that only this program needs.
// An environment is readable by whoever can read the process, and is passed on to every grandchild.
//
// It knows variables by their names alone, and must not know who starts what.
package childenv

import (
	"regexp"
	"slices"
	"strings"
)

// own are the secrets that this program reads itself and no child needs.
var own = []string{
	"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN",
	"GH_TOKEN", "GITHUB_TOKEN", "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN",
	"ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ACTIONS_RUNTIME_TOKEN", "SIGSTORE_ID_TOKEN", "COSIGN_PASSWORD",
}

// secretive are names whose values are usually secret.
var secretive = regexp.MustCompile(`(?i)PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|CREDENTIAL|PRIVATE|(^|_)(API_?)?KEY(_ID)?$|DATABASE_URL|_DSN$`)

// ForBuild is env (NAME=VALUE, as os.Environ has it) for a program of the user's: it may need secrets of its own, such as
// a registry's token, but none of this program's.
func ForBuild(env []string) []string {
	return without(env, func(name string) bool { return slices.Contains(own, name) })
}

// ForHelper is env for a program that works on this machine alone, such as git reading a commit or the server of local
// AWS: nothing in it that looks like a secret.
func ForHelper(env []string) []string {
	return without(env, func(name string) bool { return slices.Contains(own, name) || secretive.MatchString(name) })
}

func without(env []string, drop func(name string) bool) []string {
	return slices.DeleteFunc(slices.Clone(env), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return drop(name)
	})
}

package check

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/medusa-deploy/medusa-deploy/internal/check/medusa"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// judgeNeeded: in production Medusa starts neither without its secrets nor without a database.
func judgeNeeded(t medusaTask) []release.Finding {
	if !t.known {
		return nil
	}
	var missing []string
	if f := t.facts; !f.OtherDatabase && (f.DatabaseURL == "" || f.DatabaseURL == medusa.DefaultDatabase) {
		missing = append(missing, "DATABASE_URL")
	}
	if t.facts.JWTSecret == "" {
		missing = append(missing, "JWT_SECRET")
	}
	if t.facts.CookieSecret == "" {
		missing = append(missing, "COOKIE_SECRET")
	}
	if len(missing) == 0 {
		return nil
	}
	return one(finding(codeNoNeed, t.whereTask(), "container "+t.container.Name+" gets no "+strings.Join(missing, ", no "),
		"Medusa stops as soon as it has read its config, or looks for a database inside its own container", giveSecrets(t, missing)))
}

// giveSecrets is how a container gets secrets that it lacks.
func giveSecrets(t medusaTask, names []string) string {
	store := aws(t.target, "ssm put-parameter --type SecureString --name /"+t.target.Repository+"/"+names[0]+" --value file:///dev/stdin")
	return changeTaskDefinition(t.view, fmt.Sprintf(`put them in the container's secrets ({"name": %q, "valueFrom": "/%s/%s"}), after: %s`, names[0], t.target.Repository, names[0], store))
}

// knownSecrets are secrets of templates, guides and tutorials.
var knownSecrets = []string{medusa.DefaultSecret, "secret", "something", "changeme", "change-me", "jwt_secret", "cookie_secret", "test"}

// judgeKnownSecrets: whoever knows the secret can sign in as anybody. On local AWS there is nobody.
func judgeKnownSecrets(t medusaTask) []release.Finding {
	if !t.known || t.target.Local {
		return nil
	}
	var found []string
	for _, one := range []struct{ name, value string }{{"JWT_SECRET", t.facts.JWTSecret}, {"COOKIE_SECRET", t.facts.CookieSecret}} {
		if slices.Contains(knownSecrets, strings.ToLower(one.value)) {
			found = append(found, one.name)
		}
	}
	if len(found) == 0 {
		return nil
	}
	return one(finding(codeKnownSecret, t.whereTask(), fmt.Sprintf("container %s: %s %s from a template, or the default of the config", t.container.Name, strings.Join(found, " and "), plural(len(found), "is", "are")),
		"whoever knows it can make a token that is good for any account of the admin", giveSecrets(t, found)+`; make one by: openssl rand -base64 48`))
}

func plural(n int, single, several string) string {
	if n == 1 {
		return single
	}
	return several
}

var (
	idName  = regexp.MustCompile(`(?i)_ID$`)
	noValue = regexp.MustCompile(`^(?:|[0-9.]+[a-z]?|true|false)$`)
)

// judgePlainSecrets: who may read a task definition may read its environment.
func judgePlainSecrets(t medusaTask) []release.Finding {
	if t.target.Local {
		return nil
	}
	var found []string
	for name, value := range t.container.Environment {
		named := secretName.MatchString(name) && !openName.MatchString(name) && !idName.MatchString(name) && !noValue.MatchString(value)
		if named || hasPassword(value) {
			found = append(found, name)
		}
	}
	if len(found) == 0 {
		return nil
	}
	slices.Sort(found)
	return one(finding(codePlainSecret, t.whereTask(), "container "+t.container.Name+" has in its plain environment: "+strings.Join(found, ", "),
		"everybody who may look at the task definition reads it, in every revision there was, and so do logs of API calls",
		giveSecrets(t, found)))
}

// hasPassword reports whether a value is an address with a password in it.
func hasPassword(value string) bool {
	u, err := url.Parse(value)
	if err != nil || u.User == nil {
		return false
	}
	password, ok := u.User.Password()
	return ok && password != ""
}

// judgeCORS: a browser keeps answers from pages of origins that are not allowed. A worker answers nobody.
func judgeCORS(t medusaTask) []release.Finding {
	if !t.serves() || t.target.Local {
		return nil
	}
	var missing, local []string
	for i, allowed := range t.facts.CORS {
		switch {
		case strings.TrimSpace(allowed) == "":
			missing = append(missing, medusa.CORSVariables[i])
		case medusa.Known(allowed) && !slices.ContainsFunc(strings.Split(allowed, ","), elsewhere):
			local = append(local, medusa.CORSVariables[i])
		}
	}
	var problems []string
	if len(missing) > 0 {
		problems = append(problems, "no origin is allowed by "+strings.Join(missing, ", "))
	}
	if len(local) > 0 {
		problems = append(problems, "only this machine (localhost) is allowed by "+strings.Join(local, ", "))
	}
	if len(problems) == 0 {
		return nil
	}
	name := append(missing, local...)[0]
	return one(finding(codeCORS, t.whereTask(), "container "+t.container.Name+": "+strings.Join(problems, "; "),
		"browsers keep what Medusa answers from the pages of the storefront or the admin: products do not load, nobody can sign in",
		changeTaskDefinition(t.view, fmt.Sprintf(`name the addresses of the storefront and the admin in the container's environment ({"name": %q, "value": "https://shop.example.com"})`, name))))
}

// elsewhere reports whether an origin is not on the machine that asks.
func elsewhere(origin string) bool {
	u, err := url.Parse(strings.TrimSpace(origin))
	if err != nil || u.Host == "" {
		return strings.TrimSpace(origin) != "" // a pattern
	}
	return !slices.Contains([]string{"localhost", "127.0.0.1", "0.0.0.0", "::1"}, u.Hostname())
}

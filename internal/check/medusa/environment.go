package medusa

import (
	"maps"
	"strings"
)

// Unknown stands for a value that is there and that nobody here knows.
const Unknown = "value-that-is-not-known.invalid"

// Known reports whether a text is a value that is known as it stands.
func Known(text string) bool { return !strings.Contains(text, Unknown) }

// Environment is the variables of a process, as far as they are known.
type Environment struct {
	Values map[string]string
	Hidden []string // names that have a value, but nobody knows which: secrets
	Maybe  []string // names that may have a value, or not
	Open   bool     // there may be any more variables than these
}

// variables are all of them. What is hidden looks like an address where its name says so, because configs take addresses
// apart.
func (e Environment) variables() map[string]string {
	all := map[string]string{}
	for _, name := range e.Hidden {
		switch {
		case strings.Contains(name, "REDIS"):
			all[name] = "redis://" + Unknown + ":6379"
		case strings.Contains(name, "DATABASE") || strings.Contains(name, "DB_"):
			all[name] = "postgres://user@" + Unknown + ":5432/medusa"
		case strings.HasSuffix(name, "URL") || strings.HasSuffix(name, "CORS"):
			all[name] = "https://" + Unknown
		default:
			all[name] = Unknown
		}
	}
	maps.Copy(all, e.Values)
	return all
}

// Has reports whether a variable has a value.
func (e Environment) Has(name string) bool { return e.variables()[name] != "" }

// production reports whether Medusa takes the environment for one in production.
func (e Environment) production() bool {
	mode := e.Values["NODE_ENV"]
	return mode == "production" || mode == "prod"
}

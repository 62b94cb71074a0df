package orchestrator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// masked stands where a value stood that may be a secret: what is compared ends in the log of a CI run, which more people
// read than may read the task definition.
const masked = "***"

// secretive finds names whose values are likely to be secrets. Hiding too much does no harm.
const secretive = `(?i:pass(?:word|wd|phrase)|pwd|secret|token|key|credential|auth|cookie|private|dsn|database_?url|db_?url|redis_?url|connection_?string)`

var (
	secretName = regexp.MustCompile(secretive)
	// secretInURL is the password of scheme://user:password@host.
	secretInURL = regexp.MustCompile(`(://[^/\s:@]*:)[^/\s@]+@`)
	// secretSetting is NAME=VALUE, or --name=value, inside a longer text.
	secretSetting = regexp.MustCompile(`([\w.-]*` + secretive + `[\w.-]*=)("[^"]*"|'[^']*'|[^\s"']+)`)
	// secretFlag is --name, whose value is the argument that follows.
	secretFlag = regexp.MustCompile(`^--?[\w.-]*` + secretive + `[\w.-]*$`)
)

// Names of what a value belongs to, for masking.
const (
	variable = "\x00variable " // of an environment, or an entry of a free-form map
	plainRef = "\x00reference" // of secrets: where a secret is kept is no secret
)

// freeForm are the members whose own members are named by the user.
var freeForm = map[string]bool{"options": true, "dockerLabels": true, "labels": true, "driverOpts": true, "environment": true}

// nameBelow is the name by which masking knows a member, or an item with a key, of name.
func nameBelow(name, member string) string {
	switch {
	case freeForm[name]:
		return variable + member
	case name == "secrets" || name == "secretOptions":
		return plainRef
	}
	return member
}

// shown is a value as compact JSON, with masks where secrets may be; empty when there is no value.
func shown(name string, v any) string {
	if v == nil {
		return ""
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(hide(name, v)); err != nil {
		return fmt.Sprint(hide(name, v))
	}
	return strings.TrimRight(out.String(), "\n")
}

// hide gives a copy with masks.
func hide(name string, v any) any {
	if field, ok := strings.CutPrefix(name, variable); ok && secretName.MatchString(field) {
		return masked
	}
	switch v := v.(type) {
	case string:
		return scrub(v)
	case map[string]any:
		return hideMembers(name, v)
	case []any:
		return hideItems(name, v)
	}
	return v
}

func hideMembers(name string, v map[string]any) any {
	hidden := make(map[string]any, len(v))
	key, isVariable := v["name"].(string)
	for member, value := range v {
		if name == "environment" {
			if hidden[member] = value; member == "value" && isVariable {
				hidden[member] = hide(variable+key, value)
			}
			continue
		}
		hidden[member] = hide(nameBelow(name, member), value)
	}
	return hidden
}

func hideItems(name string, v []any) any {
	hidden := make([]any, len(v))
	follows := false // a flag that wants a secret
	for i, item := range v {
		hidden[i] = hide(name, item)
		text, isText := item.(string)
		if isText && follows {
			hidden[i] = masked
		}
		follows = isText && secretFlag.MatchString(text)
	}
	return hidden
}

// scrub masks what looks like a secret inside a text, say a command.
func scrub(text string) string {
	text = secretInURL.ReplaceAllString(text, "${1}"+masked+"@")
	return secretSetting.ReplaceAllString(text, "${1}"+masked)
}

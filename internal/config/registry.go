package config

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// variableReference is the one form in which an environment variable may be named.
var variableReference = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// registry reads the registry's host, the only key in which ${NAME} stands for an environment variable.
func registry(t *targetEntry) reader {
	return func(d *decoder, at position, value ast.Node) {
		written, ok := d.str(at, value)
		if !ok {
			return
		}
		if rest := variableReference.ReplaceAllString(written, ""); strings.Contains(rest, "$") {
			d.fail(start(value), "write ${NAME}; defaults and other forms are not supported", "%s is no reference to an environment variable", strconv.Quote(written))
			return
		}
		t.registryAt = start(value)
		var unset []string
		t.Registry = variableReference.ReplaceAllStringFunc(written, func(reference string) string {
			name := reference[2 : len(reference)-1]
			s, ok := d.env(name)
			if !ok || s == "" {
				unset = append(unset, name)
			}
			return s
		})
		if len(unset) == 0 {
			return
		}
		// Only the target that needs the variable is unusable without it.
		t.Registry = ""
		for _, name := range unset {
			t.late = append(t.late, d.errorAt(t.registryAt, "export "+name+"=HOST, or remove the key to use the account's own registry",
				"environment variable "+name+" is not set, target "+strconv.Quote(t.Name)+" needs it"))
		}
	}
}

// finishRegistry checks the expanded value and keeps the host.
func (d *decoder) finishRegistry(t *targetEntry) {
	written := t.Registry
	t.Registry, t.registryRepository, _ = strings.Cut(written, "/")
	switch {
	case t.registryAt.line == 0 || len(t.late) > 0:
	case written == "":
		d.fail(t.registryAt, registryRule.expect+"; or remove the key to use the account's own", "the registry is empty")
	case strings.Contains(written, "://"):
		d.fail(t.registryAt, registryRule.expect, "a registry is named without https://")
	case !registryRule.matches(t.Registry):
		d.fail(t.registryAt, registryRule.expect, "%s is no registry host", strconv.Quote(abbreviate(t.Registry)))
	}
}

// compareRegistry holds a repository in the registry's value against image.repository. People have the repository's
// whole URI at hand as often as the host: it is taken where both say the same.
func (d *decoder) compareRegistry(t *targetEntry, repository string) {
	if name := strings.TrimSuffix(t.registryRepository, "/"); name != "" && name != repository {
		d.fail(t.registryAt, registryRule.expect+"; the repository goes to image.repository",
			"registry names the repository %s, but image.repository is %s", strconv.Quote(abbreviate(name)), strconv.Quote(repository))
	}
}

package config

import (
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// What a build takes in beside its context: caches, secrets, SSH agents and named contexts.

// buildCache reads a word, or {directory: PATH}.
func buildCache(i *Image) reader {
	return func(d *decoder, at position, value ast.Node) {
		switch value.(type) {
		case *ast.MappingNode, *ast.MappingValueNode:
			before := len(d.errs)
			d.object(` in "cache"`, cacheKeys(i))(d, at, value)
			if len(d.errs) == before {
				i.Cache = CacheDirectory
			}
		case *ast.SequenceNode:
			d.wrongType(at, value, "registry, gha, local, none, or {directory: PATH}")
		default:
			oneOf(&i.Cache, CacheRegistry, CacheGHA, CacheLocal, CacheNone)(d, at, value)
		}
	}
}

func cacheKeys(i *Image) []key {
	return []key{{"directory", true, text(&i.CacheDir, pathRule)}}
}

// secrets reads a mapping of ids to where the values are.
func secrets(into *[]Secret) reader {
	return func(d *decoder, at position, value ast.Node) {
		seen := map[string]position{}
		d.each(at, value, func(id string, at position, value ast.Node) {
			if d.repeated(seen, id, at) || !d.checkKey(at, id, idRule) {
				return
			}
			s := Secret{ID: id}
			before := len(d.errs)
			d.object(" in secret "+strconv.Quote(id), secretKeys(&s))(d, at, value)
			if len(d.errs) > before {
				return
			}
			if (s.Env == "") == (s.File == "") {
				d.fail(at, "expected {env: NAME} for a variable of the environment, or {file: PATH}", "secret %s needs one place, in a variable or in a file", strconv.Quote(id))
				return
			}
			*into = append(*into, s)
		})
	}
}

func secretKeys(s *Secret) []key {
	return []key{
		{"env", false, text(&s.Env, variableRule)},
		{"file", false, text(&s.File, pathRule)},
	}
}

// sshAgents reads a list of ids that are all served by the agent of SSH_AUTH_SOCK, or a mapping of ids to sockets or keys.
func sshAgents(into *[]SSH) reader {
	return func(d *decoder, at position, value ast.Node) {
		if _, list := value.(*ast.SequenceNode); list {
			var ids []string
			textList(&ids, idRule)(d, at, value)
			for _, id := range ids {
				*into = append(*into, SSH{ID: id})
			}
			return
		}
		switch value.(type) {
		case *ast.MappingNode, *ast.MappingValueNode:
		default:
			d.wrongType(at, value, "a list of ids, such as [default], or a mapping of ids to keys or an agent's socket")
			return
		}
		seen := map[string]position{}
		d.each(at, value, func(id string, at position, value ast.Node) {
			if d.repeated(seen, id, at) || !d.checkKey(at, id, idRule) {
				return
			}
			s := SSH{ID: id}
			text(&s.Path, pathRule)(d, at, value)
			*into = append(*into, s)
		})
	}
}

// contexts reads a mapping of names to what stands for them.
func contexts(into *map[string]string) reader {
	return func(d *decoder, at position, value ast.Node) {
		all := map[string]string{}
		seen := map[string]position{}
		d.each(at, value, func(name string, at position, value ast.Node) {
			if d.repeated(seen, name, at) || !d.checkKey(at, name, contextNameRule) {
				return
			}
			var source string
			text(&source, contextRule)(d, at, value)
			all[name] = source
		})
		*into = all
	}
}

// checkKey complains about a key that does not satisfy r.
func (d *decoder) checkKey(at position, name string, r rule) bool {
	if !r.matches(name) {
		d.fail(at, r.expect, "%s is not possible here", strconv.Quote(abbreviate(name)))
		return false
	}
	return true
}

const ociLayout = "oci-layout://"

// resolveInputs makes the paths of secrets, keys and contexts absolute.
func (c *Config) resolveInputs() {
	i := &c.Image
	for n, s := range i.Secrets {
		if s.File != "" {
			i.Secrets[n].File = c.resolve(s.File)
		}
	}
	slices.SortFunc(i.Secrets, func(a, b Secret) int { return strings.Compare(a.ID, b.ID) })
	for n, s := range i.SSH {
		if s.Path != "" {
			i.SSH[n].Path = c.resolve(s.Path)
		}
	}
	for name, source := range i.Contexts {
		path, isLayout := strings.CutPrefix(source, ociLayout)
		switch {
		case isLayout:
			i.Contexts[name] = ociLayout + c.resolve(path)
		case source != "" && !strings.Contains(source, "://") && !strings.HasPrefix(source, "git@"):
			i.Contexts[name] = c.resolve(source)
		}
	}
}

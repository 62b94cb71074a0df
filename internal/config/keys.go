package config

import (
	"strconv"

	"github.com/goccy/go-yaml/ast"
)

// The keys of each mapping of the file. docs/medusa-deploy.schema.json says the same; a test holds them in step.

func configKeys(c *Config) []key {
	return []key{
		{"app", true, text(&c.App, appRule)},
		{"image", false, func(d *decoder, at position, value ast.Node) {
			d.object(` in "image"`, imageKeys(&c.Image))(d, at, value)
		}},
		{"targets", false, targets(c)},
	}
}

func imageKeys(i *Image) []key {
	return []key{
		{"repository", false, text(&i.Repository, repositoryRule)},
		{"context", false, text(&i.Context, pathRule)},
		{"dockerfile", false, text(&i.Dockerfile, pathRule)},
		{"stage", false, text(&i.Stage, stageRule)},
		{"platforms", false, textList(&i.Platforms, platformRule)},
		{"cache", false, buildCache(i)},
		{"args", false, variables(&i.Args, ` in "args"`, "COMMIT", "SOURCE_DATE_EPOCH")},
		{"secrets", false, secrets(&i.Secrets)},
		{"ssh", false, sshAgents(&i.SSH)},
		{"contexts", false, contexts(&i.Contexts)},
		{"compression", false, oneOf(&i.Compression, CompressionGzip, CompressionZstd)},
		{"reproducible", false, boolean(&i.Reproducible)},
		{"prepare", false, func(d *decoder, at position, value ast.Node) {
			i.Prepare = &Prepare{}
			d.object(` in "prepare"`, prepareKeys(i.Prepare))(d, at, value)
		}},
		{"provenance", false, boolean(&i.Provenance)},
		{"sbom", false, boolean(&i.SBOM)},
		{"sign", false, signing(&i.Sign)},
	}
}

// keyless is the word for signing without a key.
const keyless = "keyless"

// signing reads the word keyless, or a mapping.
func signing(into **Sign) reader {
	return func(d *decoder, at position, value ast.Node) {
		s := &Sign{}
		if word, isText := value.(*ast.StringNode); isText {
			if word.Value != keyless {
				d.fail(start(value), "expected keyless, or {key: cosign.key}", "%s is not possible here", strconv.Quote(abbreviate(word.Value)))
				return
			}
			*into = s
			return
		}
		before := len(d.errs)
		d.object(` in "sign"`, signKeys(s))(d, at, value)
		if len(d.errs) > before {
			return
		}
		own := s.SigningConfig != "" || s.TrustedRoot != ""
		switch {
		case s.Key != "" && own:
			d.fail(at, "a key needs no Sigstore instance: remove one of the two", `"key" and an instance of one's own exclude each other in "sign"`)
		case s.Key == "" && (s.SigningConfig == "" || s.TrustedRoot == ""):
			d.fail(at, "expected a key, or both signing_config and trusted_root, or the word keyless for the public instance", `"sign" does not say what signs`)
		default:
			*into = s
		}
	}
}

func signKeys(s *Sign) []key {
	return []key{
		{"key", false, text(&s.Key, keyRule)},
		{"signing_config", false, text(&s.SigningConfig, pathRule)},
		{"trusted_root", false, text(&s.TrustedRoot, pathRule)},
	}
}

// requirement reads whose signature counts: a key's, or an identity's.
func requirement(into **RequireSignature) reader {
	return func(d *decoder, at position, value ast.Node) {
		r := &RequireSignature{}
		before := len(d.errs)
		d.object(` in "require_signature"`, requirementKeys(r))(d, at, value)
		if len(d.errs) > before {
			return
		}
		switch {
		case r.Key != "" && (r.Identity != "" || r.Issuer != "" || r.TrustedRoot != ""):
			d.fail(at, "a key says it all: remove the others, or the key", `"key" and an identity exclude each other in "require_signature"`)
		case r.Key == "" && (r.Identity == "" || r.Issuer == ""):
			d.fail(at, "expected {key: cosign.pub}, or {identity: …, issuer: …}", `"require_signature" does not say whose signature`)
		default:
			*into = r
		}
	}
}

func requirementKeys(r *RequireSignature) []key {
	return []key{
		{"key", false, text(&r.Key, keyRule)},
		{"identity", false, text(&r.Identity, identityRule)},
		{"issuer", false, text(&r.Issuer, issuerRule)},
		{"trusted_root", false, text(&r.TrustedRoot, pathRule)},
	}
}

func prepareKeys(p *Prepare) []key {
	return []key{
		{"command", true, command(&p.Command)},
		{"env", false, variables(&p.Env, ` in "env"`)},
	}
}

// targets reads the mapping of names to targets.
func targets(c *Config) reader {
	return func(d *decoder, at position, value ast.Node) {
		c.targets = map[string]*targetEntry{}
		seen := map[string]position{}
		ok := d.each(at, value, func(name string, at position, value ast.Node) {
			if d.repeated(seen, name, at) {
				return
			}
			if !targetRule.matches(name) {
				d.fail(at, targetRule.expect, "%s is no name for a target", strconv.Quote(name))
				return
			}
			t := &targetEntry{Target: Target{Name: name, Local: name == LocalTarget}}
			c.targets[name] = t
			c.order = append(c.order, name)
			if _, null := value.(*ast.NullNode); null && t.Local {
				return // "local:" with nothing to say: the defaults
			}
			d.object(" in target "+strconv.Quote(name), targetKeys(t))(d, at, value)
		})
		if ok && len(seen) == 0 {
			d.fail(at, `name a target, or remove "targets": local exists without being named`, "there is no target here")
		}
	}
}

// targetKeys are a target's. The local one has defaults for what others must say, and a registry of its own.
func targetKeys(t *targetEntry) []key {
	keys := []key{
		{"region", !t.Local, text(&t.Region, regionRule)},
		{"registry", false, registry(t)},
		{"role", false, text(&t.Role, roleRule)},
		{"cluster", !t.Local, text(&t.Cluster, clusterRule)},
		{"services", !t.Local, textList(&t.Services, serviceRule)},
		{"strategy", false, oneOf(&t.Strategy, StrategyLatest, StrategyPinned)},
		{"migrate", false, func(d *decoder, at position, value ast.Node) {
			t.Migrate = &Migrate{Timeout: DefaultMigrateTimeout}
			d.object(` in "migrate"`, migrateKeys(t.Migrate))(d, at, value)
		}},
		{"timeout", false, duration(&t.Timeout)},
		{"settle", false, duration(&t.Settle)},
		{"order", false, oneOf(&t.Order, OrderTogether, OrderInTurn)},
		{"give_up_after", false, count(&t.GiveUpAfter, 1, 100)},
		{"definitions", false, definitions(t)},
		{"require_signature", false, requirement(&t.RequireSignature)},
	}
	if t.Local {
		keys[1].read = func(d *decoder, at position, _ ast.Node) {
			d.fail(at, "remove it", `target "local" has the local AWS's own registry`)
		}
		keys[2].read = func(d *decoder, at position, _ ast.Node) {
			d.fail(at, "remove it", `target "local" has keys of its own, and no roles`)
		}
	}
	return keys
}

func migrateKeys(m *Migrate) []key {
	return []key{
		{"command", true, command(&m.Command)},
		{"expect", false, textList(&m.Expect, logTextRule)},
		{"timeout", false, duration(&m.Timeout)},
	}
}

// definitions reads the mapping of service names to files.
func definitions(t *targetEntry) reader {
	return func(d *decoder, at position, value ast.Node) {
		t.definitions = map[string]Definition{}
		seen := map[string]position{}
		d.each(at, value, func(name string, at position, value ast.Node) {
			if d.repeated(seen, name, at) {
				return
			}
			var def Definition
			d.object(" in the definitions of service "+strconv.Quote(name), definitionKeys(&def))(d, at, value)
			t.definitions[name] = def
		})
		t.definitionsAt = seen
	}
}

func definitionKeys(def *Definition) []key {
	return []key{
		{"task", true, text(&def.TaskDefinition, pathRule)},
		{"service", true, text(&def.Service, pathRule)},
	}
}

package config

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// finish fills in defaults, resolves paths and checks what one key says about another.
func (d *decoder) finish(c *Config) {
	finishImage(c)
	// What one key says about another is only meaningful when each is right by itself.
	clean := len(d.errs) == 0
	if c.targets == nil {
		c.targets = map[string]*targetEntry{}
	}
	if _, written := c.targets[LocalTarget]; !written {
		c.targets[LocalTarget] = &targetEntry{Target: Target{Name: LocalTarget, Local: true}}
	}
	for _, name := range sortedKeys(c.targets) {
		t := c.targets[name]
		d.finishRegistry(t)
		finishTarget(&t.Target)
		if r := t.RequireSignature; r != nil {
			r.Key, r.TrustedRoot = c.resolveKey(r.Key), c.resolveKey(r.TrustedRoot)
		}
		if clean {
			d.compareRegistry(t, c.Image.Repository)
			d.compareDefinitions(t)
		}
		finishDefinitions(c, t)
	}
}

func finishImage(c *Config) {
	i := &c.Image
	i.Repository = orDefault(i.Repository, c.App)
	i.Context = c.resolve(orDefault(i.Context, "."))
	if i.Dockerfile == "" {
		i.Dockerfile = filepath.Join(i.Context, "Dockerfile")
	} else {
		i.Dockerfile = c.resolve(i.Dockerfile)
	}
	i.Cache = orDefault(i.Cache, CacheRegistry)
	if i.Cache == CacheDirectory {
		i.CacheDir = c.resolve(i.CacheDir)
	}
	i.Compression = orDefault(i.Compression, CompressionGzip)
	c.resolveInputs()
	if len(i.Platforms) == 0 {
		i.Platforms = []string{DefaultPlatform}
	}
	if s := i.Sign; s != nil {
		s.Key, s.SigningConfig, s.TrustedRoot = c.resolveKey(s.Key), c.resolveKey(s.SigningConfig), c.resolveKey(s.TrustedRoot)
	}
}

func finishTarget(t *Target) {
	t.Strategy = orDefault(t.Strategy, StrategyLatest)
	if t.Timeout == 0 {
		t.Timeout = DefaultTimeout
	}
	t.Order = orDefault(t.Order, OrderTogether)
	if t.GiveUpAfter == 0 {
		t.GiveUpAfter = DefaultGiveUpAfter
	}
	if t.Settle == 0 && !t.Local {
		t.Settle = DefaultSettle
	}
	if t.Local {
		t.Region = orDefault(t.Region, DefaultRegion)
		t.Cluster = orDefault(t.Cluster, DefaultCluster)
		if len(t.Services) == 0 {
			t.Services = []string{DefaultService}
		}
	}
}

// compareDefinitions complains about definitions of services that the target does not have.
func (d *decoder) compareDefinitions(t *targetEntry) {
	for _, name := range sortedKeys(t.definitions) {
		if !slices.Contains(t.Services, name) {
			d.fail(t.definitionsAt[name], didYouMean(name, t.Services), "target %q has no service %s", t.Name, strconv.Quote(name))
		}
	}
}

// finishDefinitions says for every service where its ECS JSON lies: where the file says, or by convention
// ecs/task-definition.json and ecs/service.json, with several services ecs/SERVICE.task-definition.json and
// ecs/SERVICE.service.json.
func finishDefinitions(c *Config, t *targetEntry) {
	t.Definitions = map[string]Definition{}
	for _, service := range t.Services {
		def, written := t.definitions[service]
		if !written {
			prefix := "ecs/"
			if len(t.Services) > 1 {
				prefix += service + "."
			}
			def = Definition{TaskDefinition: prefix + "task-definition.json", Service: prefix + "service.json"}
		}
		t.Definitions[service] = Definition{TaskDefinition: c.resolve(def.TaskDefinition), Service: c.resolve(def.Service)}
	}
}

// resolveKey makes a path absolute that may be left out, or name an environment variable.
func (c *Config) resolveKey(path string) string {
	if path == "" || strings.HasPrefix(path, "env://") {
		return path
	}
	return c.resolve(path)
}

// resolve makes a path of the file absolute.
func (c *Config) resolve(path string) string {
	path = filepath.FromSlash(path)
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(c.Dir, path)
}

func orDefault(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

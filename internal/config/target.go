package config

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Target gives the named target with its defaults. An empty name means: the one that the environment variable
// MEDUSA_DEPLOY_TARGET names, else the only one that the file names (local, when it names none).
func (c *Config) Target(name string) (Target, error) {
	origin := ""
	if name == "" && c.chosen != "" {
		name, origin = c.chosen, " ("+TargetVariable+")"
	}
	if name == "" {
		switch len(c.order) {
		case 0:
			name = LocalTarget
		case 1:
			name = c.order[0]
		default:
			return Target{}, Errors{{File: c.File, Message: "there are several targets, which one?",
				Hint: "choose with --target or " + TargetVariable + ": " + strings.Join(c.TargetNames(), ", ")}}
		}
	}
	t, ok := c.targets[name]
	if !ok {
		return Target{}, Errors{{File: c.File, Message: "there is no target " + strconv.Quote(name) + origin, Hint: didYouMean(name, c.TargetNames())}}
	}
	if len(t.late) > 0 {
		return Target{}, slices.Clone(t.late)
	}
	return t.clone(), nil
}

// TargetNames lists the targets in the file's order; local comes last where the file does not name it.
func (c *Config) TargetNames() []string {
	all := slices.Clone(c.order)
	if !slices.Contains(all, LocalTarget) {
		all = append(all, LocalTarget)
	}
	return all
}

// clone keeps callers from changing the Config.
func (t *targetEntry) clone() Target {
	out := t.Target
	out.Services = slices.Clone(t.Services)
	out.Definitions = maps.Clone(t.Target.Definitions)
	if t.Migrate != nil {
		m := *t.Migrate
		m.Command, m.Expect = slices.Clone(m.Command), slices.Clone(m.Expect)
		out.Migrate = &m
	}
	if t.RequireSignature != nil {
		r := *t.RequireSignature
		out.RequireSignature = &r
	}
	return out
}

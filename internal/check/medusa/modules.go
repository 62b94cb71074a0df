package medusa

import (
	"slices"
	"strings"
)

// Kind is a kind of thing that a module keeps, by the key of the module.
type Kind string

// The kinds that matter when there is more than one process.
const (
	Cache     Kind = "cache"
	Events    Kind = "event_bus"
	Workflows Kind = "workflows"
	Locks     Kind = "locking"
	Files     Kind = "file"
)

// caching is the newer way to a cache.
const caching Kind = "caching"

// module is one entry of a config's modules.
type module struct {
	Key, Resolve string
	Disable      bool
	Providers    []string
}

// packages are Medusa's own modules of these kinds.
// https://docs.medusajs.com/resources/infrastructure-modules
var packages = map[string]Kind{
	"cache-inmemory": Cache, "cache-redis": Cache, "caching": caching,
	"event-bus-local": Events, "event-bus-redis": Events,
	"workflow-engine-inmemory": Workflows, "workflow-engine-redis": Workflows,
	"locking": Locks, "file": Files,
}

// inMemory are those of them that keep everything in the process, whatever is configured.
var inMemory = []string{"cache-inmemory", "event-bus-local", "workflow-engine-inmemory"}

// hints are words in the name of a module of somebody's own that tell what it may be. Only its code says what it is.
var hints = map[Kind][]string{
	Cache: {"cache", "caching", "redis"}, Events: {"event", "bus", "queue", "redis"}, Workflows: {"workflow", "redis"},
	Locks: {"lock", "redis"}, Files: {"file", "storage", "upload", "media", "s3"},
}

// keep tells what is kept in the process. Medusa's own defaults keep everything there; entries replace them, later ones
// the earlier. Whatever is not known for sure is not in the process.
func keep(all []module) map[Kind]bool {
	inside := map[Kind]bool{Cache: true, Events: true, Workflows: true, Locks: true, Files: true}
	for _, m := range all {
		name := m.Resolve[strings.LastIndexByte(m.Resolve, '/')+1:]
		ours := strings.HasPrefix(m.Resolve, "@medusajs/")
		kind := Kind(m.Key)
		if _, known := inside[kind]; !known && kind != caching && packages[name] != "" && ours { // people make keys up, too
			kind = packages[name]
		}
		_, known := inside[kind]
		switch {
		case !known && kind != caching && ours: // another one of Medusa's
		case !known && kind != caching:
			for possible := range inside {
				inside[possible] = inside[possible] && !mayBe(m.Resolve, possible)
			}
		case kind == caching:
			inside[Cache] = inside[Cache] && len(m.Providers) == 0
		default:
			inside[kind] = !m.Disable && m.keepsInside(kind, name, ours || m.Resolve == "")
		}
	}
	return inside
}

// keepsInside reports whether a module of a kind keeps things in the process; ours tells that it is Medusa's own.
func (m module) keepsInside(kind Kind, name string, ours bool) bool {
	local := func(provider string) bool {
		return strings.HasPrefix(provider, "@medusajs/") && strings.HasSuffix(provider, "/file-local")
	}
	switch {
	case !ours:
		return false
	case kind == Locks:
		return len(m.Providers) == 0
	case kind == Files:
		return len(m.Providers) > 0 && !slices.ContainsFunc(m.Providers, func(p string) bool { return !local(p) })
	}
	return m.Resolve == "" || slices.Contains(inMemory, name)
}

// mayBe reports whether a module of somebody's own may be of a kind.
func mayBe(resolve string, kind Kind) bool {
	if !Known(resolve) || resolve == "" || strings.HasPrefix(resolve, "[object") {
		return true // nobody can tell
	}
	return slices.ContainsFunc(hints[kind], func(word string) bool { return strings.Contains(strings.ToLower(resolve), word) })
}

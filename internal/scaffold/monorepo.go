package scaffold

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// Monorepo says where the app lies in a repository whose packages share one lockfile (npm and Yarn workspaces, pnpm), as
// create-medusa-app makes them. Paths are slash-separated, from the repository's root.
type Monorepo struct {
	App     string   // the Medusa app's directory: apps/backend
	Package string   // its package's name: @acme/backend
	All     []string // the directories of all packages, the app among them
	Linked  []string // those that the app depends on, directly or not
}

// workspaces is package.json's member of that name: a list of patterns, or an object that has one.
type workspaces []string

// UnmarshalJSON takes both forms.
func (w *workspaces) UnmarshalJSON(text []byte) error {
	if err := json.Unmarshal(text, (*[]string)(w)); err == nil {
		return nil
	}
	var object struct{ Packages []string }
	if err := json.Unmarshal(text, &object); err != nil {
		return fmt.Errorf("workspaces: %w", err)
	}
	*w = object.Packages
	return nil
}

// patterns are the places of a root's packages; none: it is no monorepo.
func patterns(root string, m manifest) ([]string, error) {
	if len(m.Workspaces) > 0 {
		return m.Workspaces, nil
	}
	text, err := os.ReadFile(filepath.Join(root, "pnpm-workspace.yaml"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for packages: %w", err)
	}
	var file struct{ Packages []string }
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("pnpm-workspace.yaml is not what pnpm reads: %w", err)
	}
	return file.Packages, nil
}

// monorepo finds the Medusa app among the packages below dir, and what it is made from.
func (a *App) monorepo(dir, wanted string, root manifest) (manifest, error) {
	patterns, err := patterns(dir, root)
	if err != nil {
		return manifest{}, err
	}
	found, err := packages(dir, patterns)
	if err != nil {
		return manifest{}, err
	}
	var shops, all []string
	for place, m := range found {
		all = append(all, place)
		if m.Dependencies[medusaPackage] != "" {
			shops = append(shops, place)
		}
	}
	slices.Sort(all)
	slices.Sort(shops)
	shop := path.Clean(filepath.ToSlash(wanted))
	switch {
	case wanted != "" && !slices.Contains(shops, shop):
		return manifest{}, fmt.Errorf("%s is no Medusa app of this monorepo (it has: %s)", wanted, orNone(shops))
	case wanted == "" && len(shops) == 0:
		return root, nil
	case wanted == "" && len(shops) > 1:
		return manifest{}, fmt.Errorf("this monorepo has more than one Medusa app: %[1]s\n  say which: medusa-deploy init --app %[2]s", strings.Join(shops, ", "), shops[0])
	case wanted == "":
		shop = shops[0]
	}
	m := found[shop]
	a.Medusa = m.Dependencies[medusaPackage]
	if a.Name == "" {
		_, a.Name, _ = cutScope(m.Name)
	}
	a.Monorepo = Monorepo{App: shop, Package: m.Name, All: all, Linked: linked(found, m)}
	return m, nil
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// packages are the directories below root that match, with their package.json.
func packages(root string, patterns []string) (map[string]manifest, error) {
	found := map[string]manifest{}
	if len(patterns) == 0 {
		return found, nil
	}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() || file == root {
			return err
		}
		if name := d.Name(); name == "node_modules" || strings.HasPrefix(name, ".") {
			return fs.SkipDir
		}
		relative, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		place := filepath.ToSlash(relative)
		if !isWorkspace(patterns, place) {
			return nil
		}
		m, err := readManifest(file)
		if err == nil {
			found[place] = m
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for packages: %w", err)
	}
	return found, nil
}

// isWorkspace tells whether a place matches the patterns; the last one that does decides, and ! in front of it excludes.
func isWorkspace(patterns []string, place string) bool {
	in := false
	for _, pattern := range patterns {
		pattern, out := strings.CutPrefix(pattern, "!")
		pattern = strings.Trim(strings.TrimPrefix(pattern, "./"), "/")
		if matches(strings.Split(pattern, "/"), strings.Split(place, "/")) {
			in = !out
		}
	}
	return in
}

// matches compares part by part; ** stands for any number of parts.
func matches(pattern, place []string) bool {
	switch {
	case len(pattern) == 0:
		return len(place) == 0
	case pattern[0] == "**":
		return matches(pattern[1:], place) || len(place) > 0 && matches(pattern, place[1:])
	case len(place) == 0:
		return false
	}
	ok, err := path.Match(pattern[0], place[0])
	return err == nil && ok && matches(pattern[1:], place[1:])
}

// linked are the packages of the monorepo that m depends on, directly or not. Each stands behind those that it depends on
// itself: the order to build them in.
func linked(found map[string]manifest, m manifest) []string {
	var out []string
	seen := map[string]bool{}
	var visit func(manifest)
	visit = func(m manifest) {
		for _, place := range slices.Sorted(maps.Keys(found)) {
			other := found[place]
			_, runs := m.Dependencies[other.Name]
			_, builds := m.DevDependencies[other.Name]
			if other.Name != "" && (runs || builds) && !seen[place] {
				seen[place] = true
				visit(other)
				out = append(out, place)
			}
		}
	}
	visit(m)
	return out
}

// rootAbove finds the root of the monorepo that dir is a workspace of, within its git repository; empty: none.
func rootAbove(dir string) (string, error) {
	here, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("look for a monorepo: %w", err)
	}
	for at := here; !exists(at, ".git") && filepath.Dir(at) != at; {
		at = filepath.Dir(at)
		m, err := readManifest(at)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		patterns, err := patterns(at, m)
		if err != nil {
			return "", err
		}
		relative, err := filepath.Rel(at, here)
		if err != nil {
			return "", fmt.Errorf("look for a monorepo: %w", err)
		}
		if isWorkspace(patterns, filepath.ToSlash(relative)) {
			return filepath.Rel(here, at)
		}
	}
	return "", nil
}

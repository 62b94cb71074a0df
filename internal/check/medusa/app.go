package medusa

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// App is a Medusa 2 app in a directory.
type App struct {
	Dir     string            // absolute
	Scripts map[string]string // of package.json
	// Engines are the ranges of Node versions that the app and Medusa itself name, by who names them.
	Engines []Engine
	Config  string // path of its medusa-config; empty: there is none
	Ready   string // path of a route of its own that sounds as if it told whether the app can work: "/ready"; empty: none
}

// Engine is a range of Node's versions, and who wants it.
type Engine struct{ Of, Range string }

// manifest is what is read of a package.json.
type manifest struct {
	Dependencies map[string]string `json:"dependencies"`
	Scripts      map[string]string `json:"scripts"`
	Engines      map[string]string `json:"engines"`
	Workspaces   json.RawMessage   `json:"workspaces"`
}

// Find looks for the one Medusa 2 app that a build from root with this Dockerfile is about: in root, beside the Dockerfile,
// or in a workspace. Nothing is found when there is none, or more than one, or its package.json cannot be read.
func Find(root, dockerfile string) (App, bool) {
	for _, dir := range []string{root, filepath.Dir(dockerfile)} {
		if app, ok := appIn(dir, root); ok {
			return app, true
		}
	}
	var found []App
	for _, dir := range workspaces(root) {
		if app, ok := appIn(dir, root); ok && app.Config != "" {
			found = append(found, app)
		}
	}
	if len(found) != 1 {
		return App{}, false
	}
	return found[0], true
}

// leastNode is what every Medusa 2 takes, where nothing says more.
const leastNode = ">=20"

func appIn(dir, root string) (App, bool) {
	m := readManifest(dir)
	if !medusa2(m.Dependencies) {
		return App{}, false
	}
	app := App{Dir: dir, Scripts: m.Scripts}
	for _, ending := range []string{"ts", "js", "mts", "mjs", "cjs"} {
		path := filepath.Join(dir, "medusa-config."+ending)
		if _, err := os.Stat(path); err == nil {
			app.Config = path
			break
		}
	}
	app.Ready = readyRoute(dir)
	if r := m.Engines["node"]; r != "" {
		app.Engines = append(app.Engines, Engine{"package.json", r})
	}
	app.Engines = append(app.Engines, Engine{"Medusa", ownEngine(dir, root)})
	return app, true
}

// readyRoute looks for a route with a name that people give to one that tells whether an app can do its work.
func readyRoute(dir string) string {
	for _, name := range []string{"ready", "readiness", "readyz", "healthz", "health-check"} {
		for _, ending := range []string{"ts", "js"} {
			if _, err := os.Stat(filepath.Join(dir, "src", "api", name, "route."+ending)); err == nil {
				return "/" + name
			}
		}
	}
	return ""
}

// readManifest reads a package.json. One that is not there, or that npm would not take, is empty: npm says it better.
func readManifest(dir string) manifest {
	var m manifest
	text, err := os.ReadFile(filepath.Join(dir, "package.json"))
	if err != nil || json.Unmarshal(text, &m) != nil {
		return manifest{}
	}
	return m
}

var firstNumber = regexp.MustCompile(`[0-9]+`)

// medusa2 reports whether an app with these dependencies is one of Medusa 2. Medusa 1 had no framework.
func medusa2(dependencies map[string]string) bool {
	if _, ok := dependencies["@medusajs/framework"]; ok {
		return true
	}
	wanted, ok := dependencies["@medusajs/medusa"]
	return ok && firstNumber.FindString(wanted) != "1" && firstNumber.FindString(wanted) != "0"
}

// workspaces are the directories of a monorepo's packages, as npm, yarn and pnpm have them.
func workspaces(root string) []string {
	var patterns []string
	if m := readManifest(root); m.Workspaces != nil {
		var object struct{ Packages []string }
		if json.Unmarshal(m.Workspaces, &patterns) != nil && json.Unmarshal(m.Workspaces, &object) == nil {
			patterns = object.Packages
		}
	}
	if text, err := os.ReadFile(filepath.Join(root, "pnpm-workspace.yaml")); err == nil {
		var file struct{ Packages []string }
		if yaml.Unmarshal(text, &file) == nil {
			patterns = append(patterns, file.Packages...)
		}
	}
	var dirs []string
	for _, pattern := range patterns {
		if !filepath.IsLocal(pattern) { // one that begins with ! leaves things out, and matches nothing here
			continue
		}
		found, err := filepath.Glob(filepath.Join(root, strings.ReplaceAll(pattern, "**", "*")))
		if err != nil {
			continue // npm would complain
		}
		for _, dir := range found {
			if !slices.Contains(dirs, dir) {
				dirs = append(dirs, dir)
			}
		}
	}
	return dirs
}

// ownEngine is the range of Node versions that the Medusa takes which is installed or locked.
func ownEngine(dir, root string) string {
	const name = "@medusajs/medusa"
	for _, where := range []string{dir, root} {
		if r := readManifest(filepath.Join(where, "node_modules", name)).Engines["node"]; r != "" {
			return r
		}
		var lock struct {
			Packages map[string]struct {
				Engines json.RawMessage `json:"engines"` // some packages have a list
			} `json:"packages"`
		}
		text, err := os.ReadFile(filepath.Join(where, "package-lock.json"))
		if err != nil || json.Unmarshal(text, &lock) != nil {
			continue
		}
		var engines map[string]string
		if raw := lock.Packages["node_modules/"+name].Engines; raw != nil && json.Unmarshal(raw, &engines) == nil && engines["node"] != "" {
			return engines["node"]
		}
	}
	return leastNode
}

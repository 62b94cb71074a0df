package scaffold

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Manager is a package manager of Node.
type Manager string

// The package managers. Yarn's first and later versions take different commands.
const (
	NPM   Manager = "npm"
	Yarn1 Manager = "yarn"
	Yarn  Manager = "yarn-berry"
	PNPM  Manager = "pnpm"
)

// App is what a directory says of the app in it.
type App struct {
	Name       string // of package.json, without scope; empty: none
	Node       bool   // there is a package.json
	Medusa     string // the version range of @medusajs/medusa; empty: no Medusa app
	Manager    Manager
	Lockfile   string // its name; empty: none
	Pinned     bool   // packageManager names the version
	NodeMajor  int    // what the image runs on
	Dockerfile bool   // there is one
	Extra      []string
}

// extras are files that an installation reads beside the lockfile.
var extras = map[Manager][]string{
	NPM:   {".npmrc"},
	Yarn1: {".yarnrc", ".npmrc", ".yarn"},
	Yarn:  {".yarnrc.yml", ".yarn"},
	PNPM:  {".npmrc", "pnpm-workspace.yaml", ".pnpmfile.cjs"},
}

// lockfiles in the order of their weight: who has two has usually moved away from npm.
var lockfiles = []struct {
	name    string
	manager Manager
}{{"pnpm-lock.yaml", PNPM}, {"yarn.lock", Yarn1}, {"package-lock.json", NPM}, {"npm-shrinkwrap.json", NPM}}

// manifest is what is read of package.json.
type manifest struct {
	Name           string            `json:"name"`
	Dependencies   map[string]string `json:"dependencies"`
	PackageManager string            `json:"packageManager"`
	Engines        map[string]string `json:"engines"`
}

// Detect looks at the app in dir. A directory without package.json is no error; one that cannot be read is.
func Detect(dir string) (App, error) {
	app := App{NodeMajor: usualNode, Dockerfile: exists(dir, "Dockerfile")}
	text, err := os.ReadFile(filepath.Join(dir, "package.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return app, nil
	}
	if err != nil {
		return App{}, fmt.Errorf("look at the app: %w", err)
	}
	var m manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return App{}, fmt.Errorf("%s is not what npm reads: %w\n  correct it first: it says what the app is", filepath.Join(dir, "package.json"), err)
	}
	app.Node, app.Medusa = true, m.Dependencies["@medusajs/medusa"]
	_, app.Name, _ = cutScope(m.Name)
	app.NodeMajor = nodeMajor(m.Engines["node"])
	app.manager(dir, m.PackageManager)
	for _, name := range extras[app.Manager] {
		if exists(dir, name) {
			app.Extra = append(app.Extra, name)
		}
	}
	return app, nil
}

// manager finds the package manager: packageManager says it, else the lockfile does.
func (a *App) manager(dir, declared string) {
	a.Manager = NPM
	for _, one := range lockfiles {
		if exists(dir, one.name) {
			a.Manager, a.Lockfile = one.manager, one.name
			break
		}
	}
	name, version, _ := strings.Cut(declared, "@")
	switch a.Pinned = version != ""; name {
	case "npm":
		a.Manager = NPM
	case "pnpm":
		a.Manager = PNPM
	case "yarn":
		a.Manager = Yarn1
	}
	if a.Manager == Yarn1 && (exists(dir, ".yarnrc.yml") || a.Pinned && !strings.HasPrefix(version, "1.")) {
		a.Manager = Yarn
	}
	if a.Lockfile != "" && !a.fits(a.Lockfile) { // of another manager, which no longer counts
		a.Lockfile = ""
	}
	for _, one := range lockfiles {
		if a.Lockfile == "" && a.fits(one.name) && exists(dir, one.name) {
			a.Lockfile = one.name
		}
	}
}

func (a *App) fits(lockfile string) bool {
	for _, one := range lockfiles {
		if one.name == lockfile {
			return one.manager == a.Manager || one.manager == Yarn1 && a.Manager == Yarn
		}
	}
	return false
}

// usualNode is the version that Medusa's own images run on; leastNode is the oldest that Medusa 2 takes.
const (
	usualNode = 22
	leastNode = 20
)

var nodeRange = regexp.MustCompile(`(>=|\^|~)?\s*v?([0-9]+)`)

// nodeMajor picks a version from package.json's engines: the usual one where the range has it, else the first that is named.
func nodeMajor(engines string) int {
	first := 0
	for _, m := range nodeRange.FindAllStringSubmatch(firstOfEach(engines), -1) {
		major, err := strconv.Atoi(m[2])
		switch {
		case err != nil || major < leastNode:
			if m[1] == ">=" {
				return usualNode
			}
			continue
		case major == usualNode || m[1] == ">=" && major <= usualNode:
			return usualNode
		case first == 0:
			first = major
		}
	}
	if first == 0 {
		return usualNode
	}
	return first
}

// firstOfEach leaves of each version of a range its major number: "^20.19 || >=22.12" becomes "^20 >=22".
func firstOfEach(engines string) string {
	var out []string
	for _, part := range strings.Fields(strings.ReplaceAll(strings.ReplaceAll(engines, "||", " "), ">= ", ">=")) {
		if strings.HasPrefix(part, "<") {
			continue
		}
		major, _, _ := strings.Cut(part, ".")
		out = append(out, major)
	}
	return strings.Join(out, " ")
}

// cutScope splits @scope/name.
func cutScope(name string) (scope, rest string, ok bool) {
	if scope, rest, ok = strings.Cut(name, "/"); ok {
		return scope, rest, true
	}
	return "", name, false
}

func exists(dir, name string) bool {
	_, err := os.Stat(filepath.Join(dir, name))
	return err == nil
}

var notInName = regexp.MustCompile(`[^a-z0-9]+`)

// AppName makes of any name one that the config takes: lower-case letters and digits with single hyphens. Empty when
// nothing is left.
func AppName(from string) string {
	name := strings.Trim(notInName.ReplaceAllString(strings.ToLower(from), "-"), "-")
	name = strings.TrimLeft(name, "0123456789-")
	if len(name) > 63 {
		name = strings.TrimRight(name[:63], "-")
	}
	if len(name) < 2 {
		return ""
	}
	return name
}

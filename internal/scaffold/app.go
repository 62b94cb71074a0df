package scaffold

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
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
	Version    string // of the package manager, as packageManager names it; empty: it does not
	Lockfile   string // its name; empty: none
	NodeMajor  int    // what the image runs on
	Dockerfile bool   // there is one
	Prunes     bool   // it runs the program that init writes beside a Dockerfile
	Extra      []string
	Prepare    bool     // package.json has a prepare script, which is for who works on the source
	Tokens     []string // environment variables that the package manager's settings read, such as a registry's token
	Monorepo   Monorepo // zero: the directory is the app
	Redis      bool     // its medusa-config names Redis: what tasks share can lie there
	WorkerMode bool     // its medusa-config takes MEDUSA_WORKER_MODE, so that a server and a worker can be apart
	// AdminSwitch: its medusa-config takes DISABLE_MEDUSA_ADMIN, so that the server can be built apart from the admin. Where
	// the variable switches nothing, both builds make the admin: slower, and still right.
	AdminSwitch bool
	Ready       bool // it has a route /ready
}

// Pinned tells whether the project says which version of its package manager it wants.
func (a App) Pinned() bool { return a.Version != "" }

// Pair tells whether a server and a worker can be services of their own: what they share lies in Redis, and the mode is
// taken from the environment.
func (a App) Pair() bool { return a.Medusa != "" && a.Redis && a.WorkerMode }

// Secrets are the variables that the app's task definition takes as secrets.
func (a App) Secrets() []string {
	switch {
	case a.Medusa == "":
		return nil
	case a.Redis:
		return []string{"DATABASE_URL", "REDIS_URL", "JWT_SECRET", "COOKIE_SECRET"}
	}
	return []string{"DATABASE_URL", "JWT_SECRET", "COOKIE_SECRET"}
}

// extras are files that an installation reads beside the lockfile. A name that ends in / is a directory.
var extras = map[Manager][]string{
	NPM:   {".npmrc", "patches/"},
	Yarn1: {".yarnrc", ".npmrc", ".yarn/releases/", "patches/"},
	Yarn:  {".yarnrc.yml", ".yarn/releases/", ".yarn/plugins/", ".yarn/patches/"},
	PNPM:  {".npmrc", "pnpm-workspace.yaml", ".pnpmfile.cjs", "patches/"},
}

// lockfiles in the order of their weight: who has two has usually moved away from npm.
var lockfiles = []struct {
	name    string
	manager Manager
}{{"pnpm-lock.yaml", PNPM}, {"yarn.lock", Yarn1}, {"package-lock.json", NPM}, {"npm-shrinkwrap.json", NPM}}

// manifest is what is read of package.json.
type manifest struct {
	Name            string            `json:"name"`
	Dependencies    map[string]string `json:"dependencies"`
	DevDependencies map[string]string `json:"devDependencies"`
	Scripts         map[string]string `json:"scripts"`
	PackageManager  string            `json:"packageManager"`
	Engines         map[string]string `json:"engines"`
	Workspaces      workspaces        `json:"workspaces"`
}

// medusaPackage is what makes an app a Medusa app.
const medusaPackage = "@medusajs/medusa"

// readManifest reads a directory's package.json. One that is not there is fs.ErrNotExist.
func readManifest(dir string) (manifest, error) {
	file := filepath.Join(dir, "package.json")
	text, err := os.ReadFile(file)
	if err != nil {
		return manifest{}, fmt.Errorf("look at the app: %w", err)
	}
	var m manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return manifest{}, fmt.Errorf("%s is not what npm reads: %w\n  correct it first: it says what the app is", file, err)
	}
	return m, nil
}

// Detect looks at the app in dir. A directory without package.json is no error; one that cannot be read is, and so is a
// workspace of a monorepo, which is built from the monorepo's root. app names the Medusa app of a monorepo that has
// several, by its path from dir; empty: the only one.
func Detect(dir, app string) (App, error) {
	a := App{NodeMajor: usualNode, Dockerfile: exists(dir, "Dockerfile")}
	if text, err := os.ReadFile(filepath.Join(dir, "Dockerfile")); err == nil {
		a.Prunes = strings.Contains(string(text), pruneName)
	}
	m, err := readManifest(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return a, nil
	}
	if err != nil {
		return App{}, err
	}
	a.Node, a.Medusa = true, m.Dependencies[medusaPackage]
	a.Prepare = m.Scripts["prepare"] != ""
	_, a.Name, _ = cutScope(m.Name)
	engines := m.Engines["node"]
	if a.Medusa == "" {
		shop, err := a.monorepo(dir, app, m)
		if err != nil {
			return App{}, err
		}
		if shop.Engines["node"] != "" {
			engines = shop.Engines["node"]
		}
	} else if root, err := rootAbove(dir); err != nil {
		return App{}, err
	} else if root != "" {
		return App{}, fmt.Errorf("this app is a workspace of the monorepo in %[1]s, whose lockfile its image is built from\n  run init there: cd %[1]s && medusa-deploy init", root)
	}
	a.NodeMajor = nodeMajor(engines)
	a.medusa(filepath.Join(dir, filepath.FromSlash(a.Monorepo.App)))
	a.manager(dir, m.PackageManager)
	for _, name := range extras[a.Manager] {
		if exists(dir, name) {
			a.Extra = append(a.Extra, name)
		}
	}
	a.Tokens, err = variables(dir)
	return a, err
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
	version, _, _ = strings.Cut(version, "+") // the hash behind it is for corepack
	switch a.Version = version; name {
	case "npm":
		a.Manager = NPM
	case "pnpm":
		a.Manager = PNPM
	case "yarn":
		a.Manager = Yarn1
	}
	if a.Manager == Yarn1 && (exists(dir, ".yarnrc.yml") || version != "" && !strings.HasPrefix(version, "1.")) {
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

// medusa looks at how the Medusa app in dir is set up. A configuration that cannot be read says nothing.
func (a *App) medusa(dir string) {
	for _, ending := range []string{"ts", "js"} {
		text, err := os.ReadFile(filepath.Join(dir, "medusa-config."+ending))
		if err == nil {
			a.Redis = a.Redis || strings.Contains(strings.ToLower(string(text)), "redisurl")
			a.WorkerMode = a.WorkerMode || strings.Contains(string(text), "MEDUSA_WORKER_MODE")
			a.AdminSwitch = a.AdminSwitch || strings.Contains(string(text), "DISABLE_MEDUSA_ADMIN")
		}
		a.Ready = a.Ready || exists(dir, "src/api/ready/route."+ending)
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

package scaffold

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// pruneName is the program that takes out of an image what nothing reads there.
const pruneName = "Dockerfile.prune.mjs"

// Image writes the Dockerfile of a Medusa app, its .dockerignore and the program that the Dockerfile runs, unless there is
// a Dockerfile that has no use for it.
func Image(o Options) ([]File, error) {
	all := [][2]string{{"Dockerfile", "dockerfile.tmpl"}, {".dockerignore", "dockerignore.tmpl"}}
	if !o.App.Dockerfile || o.App.Prunes {
		all = append(all, [2]string{pruneName, "prune.mjs"})
	}
	var files []File
	for _, one := range all {
		file, err := render(one[0], one[1], page{Options: o.filled()})
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

// managers are the versions that are installed where the project does not say which one it wants.
var managers = map[Manager]string{Yarn1: "1.22.22", Yarn: "4", PNPM: "10"}

// ManagerVersion is what to install of the package manager.
func (p page) ManagerVersion() string {
	if p.App.Version != "" {
		return p.App.Version
	}
	return managers[p.App.Manager]
}

// Home is where the app runs.
func (p page) Home() string { return path.Join("/server", p.App.Monorepo.App) }

// ExtraFiles and ExtraDirs are what an installation reads beside package.json and the lockfile.
func (p page) ExtraFiles() []string {
	return slices.DeleteFunc(slices.Clone(p.App.Extra), func(name string) bool { return strings.HasSuffix(name, "/") })
}

// ExtraDirs are those that are directories.
func (p page) ExtraDirs() []string {
	var dirs []string
	for _, name := range p.App.Extra {
		if dir, ok := strings.CutSuffix(name, "/"); ok {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// Manifests are the packages whose package.json an installation reads: all that the lockfile knows. Yarn 1 takes fewer for
// an answer, and would otherwise install the dependencies of all.
func (p page) Manifests() []string {
	m := p.App.Monorepo
	if p.App.Manager != Yarn1 || m.App == "" {
		return m.All
	}
	return slices.DeleteFunc(slices.Clone(m.All), func(place string) bool {
		return place != m.App && !slices.Contains(m.Linked, place)
	})
}

// Mounts are the mounts of an installation: its cache, and secrets where the build is given them.
func (p page) Mounts() string {
	cache := map[Manager]string{NPM: "/npm", Yarn1: "/yarn", Yarn: "/yarn", PNPM: "/pnpm"}[p.App.Manager]
	mounts := []string{"type=cache,target=" + cache, "type=secret,id=npmrc,target=/root/.npmrc"}
	if p.App.Manager == Yarn {
		mounts[1] = "type=secret,id=yarnrc,target=/root/.yarnrc.yml"
	}
	for _, name := range p.App.Tokens {
		mounts = append(mounts, fmt.Sprintf("type=secret,id=%[1]s,env=%[1]s", name))
	}
	return "--mount=" + strings.Join(mounts, " --mount=")
}

// InstallProduction installs what the app runs with.
func (p page) InstallProduction() string { return p.install(true) }

// InstallAll adds what it is built with.
func (p page) InstallAll() string { return p.install(false) }

func (p page) install(production bool) string {
	locked, m := p.App.Lockfile != "", p.App.Monorepo
	words := []string{}
	add := func(when bool, more ...string) {
		if when {
			words = append(words, more...)
		}
	}
	switch p.App.Manager {
	case PNPM:
		add(true, "pnpm", "install", "--store-dir", "/pnpm")
		add(locked, "--frozen-lockfile")
		add(production, "--prod")
		add(m.App != "", "--filter", "'"+m.Package+"...'")
	case Yarn1:
		// Yarn 1 gives up on a download after 30 s, unless it is told to wait.
		add(true, "yarn", "install", "--cache-folder", "/yarn", "--network-timeout", "600000")
		add(locked, "--frozen-lockfile")
		add(production, "--production")
	case Yarn:
		switch {
		case m.App != "":
			add(true, "yarn", "workspaces", "focus", m.Package)
			add(production, "--production")
		case production:
			add(true, "yarn", "workspaces", "focus", "--production")
		default:
			add(true, "yarn", "install")
			add(locked, "--immutable")
		}
	default:
		// npm refuses some of the lockfiles that it writes for Medusa's peer dependencies, without this flag. What is
		// installed is what the lockfile says, with it and without.
		add(production && locked, "npm", "ci", "--legacy-peer-deps", "--cache", "/npm")
		add(!production || !locked, "npm", "install", "--legacy-peer-deps", "--no-save", "--cache", "/npm")
		add(production, "--omit=dev")
		for _, place := range append([]string{m.App}, m.Linked...) {
			add(place != "", "--workspace", place)
		}
		add(!production && m.App != "", "--include-workspace-root")
	}
	return strings.Join(words, " ")
}

// Others are the packages of a monorepo that the app is not made from.
func (p page) Others() []string {
	m := p.App.Monorepo
	return slices.DeleteFunc(slices.Clone(m.All), func(place string) bool { return place == m.App || slices.Contains(m.Linked, place) })
}

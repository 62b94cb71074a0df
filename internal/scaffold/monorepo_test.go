package scaffold

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// monorepo is a repository with a Medusa app that uses two packages of it, and a storefront that is no business of the
// image's; with more files on top.
func monorepo(more map[string]string) map[string]string {
	files := map[string]string{
		"package.json":                     `{"name":"acme","workspaces":["apps/*","packages/**","!packages/old"]}`,
		"apps/backend/package.json":        `{"name":"@acme/backend","engines":{"node":">=24"},"dependencies":{"@medusajs/medusa":"2.21.2","@acme/shared":"*"}}`,
		"apps/storefront/package.json":     `{"name":"@acme/storefront"}`,
		"packages/shared/package.json":     `{"name":"@acme/shared","devDependencies":{"@acme/types":"*"}}`,
		"packages/deep/types/package.json": `{"name":"@acme/types"}`,
		"packages/old/package.json":        `{"name":"@acme/old"}`,
		"node_modules/package.json":        `{"name":"none"}`,
	}
	maps.Copy(files, more)
	return files
}

// monorepos are monorepos of each package manager.
var monorepos = map[string]map[string]string{
	"monorepo-npm":  monorepo(map[string]string{"package-lock.json": "{}"}),
	"monorepo-pnpm": monorepo(map[string]string{"package.json": `{"packageManager":"pnpm@10.34.9"}`, "pnpm-lock.yaml": "", "pnpm-workspace.yaml": "packages: [apps/*, packages/**, '!packages/old']\n", ".npmrc": "", "apps/backend/medusa-config.ts": adminSwitch}),
	"monorepo-yarn": monorepo(map[string]string{"yarn.lock": "", ".yarnrc.yml": ""}),
	"monorepo-yarn-classic": monorepo(map[string]string{
		"package.json": `{"workspaces":{"packages":["apps/*","packages/**"]},"packageManager":"yarn@1.22.22"}`, "yarn.lock": "",
	}),
}

func TestDetectMonorepo(t *testing.T) {
	all := []string{"apps/backend", "apps/storefront", "packages/deep/types", "packages/shared"}
	for name, files := range monorepos {
		app := detect(t, files)
		want := Monorepo{App: "apps/backend", Package: "@acme/backend", All: all, Linked: []string{"packages/deep/types", "packages/shared"}}
		if name == "monorepo-yarn-classic" { // it excludes nothing
			want.All = []string{"apps/backend", "apps/storefront", "packages/deep/types", "packages/old", "packages/shared"}
		}
		if diff := cmp.Diff(want, app.Monorepo); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if app.Medusa != "2.21.2" || app.NodeMajor != 24 {
			t.Errorf("%s: Medusa %q on Node %d", name, app.Medusa, app.NodeMajor)
		}
		made, err := Image(options(app))
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name+".Dockerfile", made[0].Content)
		golden(t, name+".dockerignore", made[1].Content)
	}
	if app := detect(t, map[string]string{"package.json": `{"workspaces":["a"]}`, "a/package.json": `{"name":"a"}`}); app.Medusa != "" || app.Monorepo.App != "" {
		t.Errorf("a monorepo without Medusa: %+v", app)
	}
}

func TestDetectWhichApp(t *testing.T) {
	dir := project(t, monorepo(map[string]string{"apps/second/package.json": `{"name":"second","dependencies":{"@medusajs/medusa":"2.0.0"}}`}))
	if err := os.Mkdir(filepath.Join(dir, ".git"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ dir, app, want, problem string }{
		{dir, "", "", "more than one Medusa app: apps/backend, apps/second\n  say which: medusa-deploy init --app apps/backend"},
		{dir, "apps/second/", "apps/second", ""},
		{dir, "apps/storefront", "", "apps/storefront is no Medusa app of this monorepo (it has: apps/backend, apps/second)"},
		{filepath.Join(dir, "apps", "backend"), "", "", "run init there: cd ../.. && medusa-deploy init"},
	} {
		app, err := Detect(tt.dir, tt.app)
		if app.Monorepo.App != tt.want || (tt.problem == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.problem) {
			t.Errorf("%s, --app %q: %q, %v", tt.dir, tt.app, app.Monorepo.App, err)
		}
	}
	// An app of its own in a directory of somebody's monorepo that does not count it in is an app of its own.
	alone := project(t, monorepo(map[string]string{"other/package.json": medusa + "}"}))
	if app, err := Detect(filepath.Join(alone, "other"), ""); err != nil || app.Monorepo.App != "" || app.Medusa == "" {
		t.Errorf("not counted in: %+v, %v", app, err)
	}
}

// TestPruneMarksAndSweeps runs the program of the Dockerfile on a small node_modules of each layout.
func TestPruneMarksAndSweeps(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("no node on this machine")
	}
	pkg := func(dependencies string) string { return `{"version":"1.0.0","dependencies":{` + dependencies + `}}` }
	flat := map[string]string{
		"package.json": pkg(`"@medusajs/medusa":"*","@medusajs/dashboard":"*","own":"*"`),
		"node_modules/@medusajs/medusa/package.json":           `{"dependencies":{"@medusajs/admin-bundler":"*","shared":"*"},"peerDependencies":{"peer":"*"}}`,
		"node_modules/@medusajs/medusa/commands/start.js":      `require("shared"); require("peer")`,
		"node_modules/@medusajs/medusa/index.js":               "",
		"node_modules/@medusajs/admin-bundler/package.json":    pkg(`"vite":"*","@medusajs/dashboard":"*"`),
		"node_modules/@medusajs/admin-bundler/index.js":        "",
		"node_modules/@medusajs/dashboard/package.json":        pkg(`"shared":"*","heavy":"*"`),
		"node_modules/vite/package.json":                       pkg(""),
		"node_modules/heavy/package.json":                      pkg(""),
		"node_modules/heavy/node_modules/deeper/package.json":  pkg(""),
		"node_modules/shared/package.json":                     pkg(""),
		"node_modules/shared/index.js":                         "",
		"node_modules/shared/index.d.ts":                       "",
		"node_modules/shared/index.js.map":                     "",
		"node_modules/shared/LICENSE":                          "",
		"node_modules/shared/node_modules/unused/package.json": pkg(""),
		"node_modules/peer/package.json":                       pkg(""),
		"node_modules/peer/index.js":                           "",
		"node_modules/own/package.json":                        pkg(`"typescript":"*"`),
		"node_modules/typescript/package.json":                 pkg(""),
		"node_modules/typescript/lib/lib.d.ts":                 "",
		"node_modules/.modules.yaml":                           "prunedAt: today",
		"node_modules/no-package/data":                         "",
	}
	gone := []string{"vite", "heavy", "@medusajs/dashboard", "shared/index.d.ts", "shared/index.js.map", "shared/node_modules/unused", ".bin/vite", ".modules.yaml"}
	stays := []string{"shared/index.js", "shared/LICENSE", "peer", "own", "typescript/lib/lib.d.ts", "no-package/data", "@medusajs/admin-bundler"}
	dir := project(t, flat)
	if err := os.MkdirAll(filepath.Join(dir, "node_modules/.bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../vite/package.json", filepath.Join(dir, "node_modules/.bin/vite")); err != nil {
		t.Fatal(err)
	}
	if out, err := prune(t, node, dir); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range gone {
		if _, err := os.Lstat(filepath.Join(dir, "node_modules", name)); err == nil {
			t.Errorf("%s is still there", name)
		}
	}
	for _, name := range stays {
		if _, err := os.Stat(filepath.Join(dir, "node_modules", name)); err != nil {
			t.Errorf("%s is gone", name)
		}
	}

	// A server that reads what is taken out fails the build, with what to do.
	flat["node_modules/@medusajs/medusa/commands/start.js"] = `require("vite")`
	flat["node_modules/vite/index.js"] = ""
	if out, err := prune(t, node, project(t, flat)); err == nil || !strings.Contains(out, "take that package's line out of buildOnly") {
		t.Errorf("a server that needs vite: %v\n%s", err, out)
	}
}

// TestPruneFollowsLinks shows the same on pnpm's layout, in a package of a monorepo.
func TestPruneFollowsLinks(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("no node on this machine")
	}
	const store = "node_modules/.pnpm/"
	root := project(t, map[string]string{
		"package.json":              `{}`,
		"apps/backend/package.json": `{"dependencies":{"@medusajs/medusa":"*"}}`,
		store + "medusa@1/node_modules/@medusajs/medusa/package.json":         `{"dependencies":{"shared":"*","@medusajs/admin-bundler":"*"}}`,
		store + "medusa@1/node_modules/@medusajs/medusa/index.js":             ``,
		store + "medusa@1/node_modules/@medusajs/medusa/commands/start.js":    `require("shared")`,
		store + "bundler@1/node_modules/@medusajs/admin-bundler/package.json": `{"dependencies":{"vite":"*"}}`,
		store + "bundler@1/node_modules/@medusajs/admin-bundler/index.js":     ``,
		store + "shared@1/node_modules/shared/package.json":                   `{}`,
		store + "shared@1/node_modules/shared/index.js":                       ``,
		store + "vite@1/node_modules/vite/package.json":                       `{}`,
		store + "node_modules/":                                               "",
		"apps/backend/node_modules/@medusajs/":                                "",
	})
	for link, target := range map[string]string{
		"apps/backend/node_modules/@medusajs/medusa":            "../../../../" + store + "medusa@1/node_modules/@medusajs/medusa",
		store + "medusa@1/node_modules/shared":                  "../../shared@1/node_modules/shared",
		store + "medusa@1/node_modules/@medusajs/admin-bundler": "../../../bundler@1/node_modules/@medusajs/admin-bundler",
		store + "bundler@1/node_modules/vite":                   "../../vite@1/node_modules/vite",
		store + "node_modules/vite":                             "../vite@1/node_modules/vite",
	} {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := prune(t, node, filepath.Join(root, "apps/backend")); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, want := range map[string]bool{
		store + "vite@1/node_modules/vite": false, store + "node_modules/vite": false, store + "bundler@1/node_modules/vite": false,
		store + "shared@1/node_modules/shared/index.js": true,
	} {
		if _, err := os.Lstat(filepath.Join(root, name)); (err == nil) != want {
			t.Errorf("%s: there is %v, want %v", name, err == nil, want)
		}
	}
}

// project makes a directory with files. A name that ends in / is a directory.
func project(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(file, 0o755); err != nil {
				t.Fatal(err)
			}
		} else if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func prune(t *testing.T, node, dir string) (string, error) {
	t.Helper()
	made, err := Image(options(App{}))
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "prune.mjs")
	if err := os.WriteFile(program, made[2].Content, 0o644); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), node, program)
	command.Dir = dir
	out, err := command.CombinedOutput()
	return string(out), err
}

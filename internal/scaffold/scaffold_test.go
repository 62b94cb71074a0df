package scaffold

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

const medusa = `{"name":"@acme/shop","dependencies":{"@medusajs/medusa":"2.21.2"}`

// adminSwitch is a config that does without the admin where a variable says so.
const adminSwitch = `export default {admin: {disable: process.env.DISABLE_MEDUSA_ADMIN === "true"}}`

// apps are Medusa apps of each package manager.
var apps = map[string]map[string]string{
	"npm":             {"package.json": medusa + `}`, "package-lock.json": "{}"},
	"npm-admin":       {"package.json": medusa + `}`, "package-lock.json": "{}", "medusa-config.ts": adminSwitch},
	"npm-no-lockfile": {"package.json": medusa + `}`},
	"yarn-classic":    {"package.json": medusa + `,"packageManager":"yarn@1.22.22"}`, "yarn.lock": "", ".npmrc": ""},
	"yarn":            {"package.json": medusa + `,"packageManager":"yarn@4.12.0"}`, "yarn.lock": "", ".yarnrc.yml": "", ".yarn/releases/": ""},
	"pnpm":            {"package.json": medusa + `,"engines":{"node":"^20.19"}}`, "pnpm-lock.yaml": "", ".npmrc": "", "package-lock.json": "{}"},
}

func detect(t *testing.T, files map[string]string) App {
	t.Helper()
	app, err := Detect(project(t, files), "")
	if err != nil {
		t.Fatal(err)
	}
	return app
}

func TestDetect(t *testing.T) {
	want := map[string]App{
		"npm":             {Manager: NPM, Lockfile: "package-lock.json", NodeMajor: 22},
		"npm-admin":       {Manager: NPM, Lockfile: "package-lock.json", NodeMajor: 22, AdminSwitch: true},
		"npm-no-lockfile": {Manager: NPM, NodeMajor: 22},
		"yarn-classic":    {Manager: Yarn1, Lockfile: "yarn.lock", NodeMajor: 22, Version: "1.22.22", Extra: []string{".npmrc"}},
		"yarn":            {Manager: Yarn, Lockfile: "yarn.lock", NodeMajor: 22, Version: "4.12.0", Extra: []string{".yarnrc.yml", ".yarn/releases/"}},
		"pnpm":            {Manager: PNPM, Lockfile: "pnpm-lock.yaml", NodeMajor: 20, Extra: []string{".npmrc"}},
	}
	for name, files := range apps {
		expect := want[name]
		expect.Name, expect.Node, expect.Medusa = "shop", true, "2.21.2"
		if diff := cmp.Diff(expect, detect(t, files)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if diff := cmp.Diff(App{NodeMajor: 22, Dockerfile: true}, detect(t, map[string]string{"Dockerfile": ""})); diff != "" {
		t.Errorf("no Node app (-want +got):\n%s", diff)
	}
	// packageManager goes before a lockfile of another manager, which then does not count.
	moved := detect(t, map[string]string{"package.json": `{"packageManager":"pnpm@10.1.0"}`, "package-lock.json": "{}"})
	if moved.Manager != PNPM || moved.Lockfile != "" || moved.Medusa != "" {
		t.Errorf("moved to pnpm: %+v", moved)
	}
	if _, err := Detect(project(t, map[string]string{"package.json": "{"}), ""); err == nil || !strings.Contains(err.Error(), "package.json is not what npm reads") {
		t.Errorf("broken package.json: %v", err)
	}
}

func TestNodeMajor(t *testing.T) {
	for engines, want := range map[string]int{
		"": 22, ">=20": 22, ">= 18": 22, "^20.19": 20, "20.x": 20, "^20.19 || >=22.12": 22, "24": 24, ">=24": 24, "^18": 22,
		">=20 <25": 22, "lts/*": 22, "v20.1.0": 20,
	} {
		if got := nodeMajor(engines); got != want {
			t.Errorf("nodeMajor(%q) = %d, want %d", engines, got, want)
		}
	}
}

func TestAppName(t *testing.T) {
	for from, want := range map[string]string{
		"shop": "shop", "My Shop!": "my-shop", "2nd_shop": "nd-shop", "--": "", "x": "", "a.b_c": "a-b-c",
		strings.Repeat("a", 62) + "-bcd": strings.Repeat("a", 62),
	} {
		if got := AppName(from); got != want {
			t.Errorf("AppName(%q) = %q, want %q", from, got, want)
		}
	}
}

func options(app App) Options {
	return Options{
		App: app, Name: "shop", Target: "production", Region: "eu-central-1", Cluster: "shop", Services: []string{"shop"},
		Platform: "linux/amd64", Account: "123456789012",
	}
}

// golden compares with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// TestDockerfiles shows the Dockerfile of each package manager.
func TestDockerfiles(t *testing.T) {
	for name, files := range apps {
		made, err := Image(options(detect(t, files)))
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name+".Dockerfile", made[0].Content)
	}
}

// TestDefinitions shows the config and the ECS JSON of a server with its worker, and of an app that is not Medusa.
func TestDefinitions(t *testing.T) {
	pair := options(detect(t, apps["npm"]))
	pair.Services, pair.Platform, pair.Registry = []string{"medusa-server", "medusa-worker"}, "linux/arm64", "${ECR_URL}"
	other := options(App{})
	other.Region, other.Cluster, other.Services, other.Account = DefaultRegion, DefaultCluster, []string{DefaultService}, ""
	for name, o := range map[string]Options{"pair": pair, "other": other} {
		config, err := Config(o)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name+".medusa-deploy.yaml", config.Content)
		definitions, err := Definitions(o)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range definitions {
			if !json.Valid(file.Content) {
				t.Errorf("%s is no JSON:\n%s", file.Path, file.Content)
			}
			golden(t, name+"."+filepath.Base(file.Path), file.Content)
		}
	}
}

func TestCompareAndWrite(t *testing.T) {
	dir := project(t, map[string]string{"same": "a\n", "other": "old\n"})
	files := []File{{"same", []byte("a\n")}, {"other", []byte("new\n")}, {"ecs/fresh", []byte("x\n")}}
	if err := os.Chmod(filepath.Join(dir, "other"), 0o600); err != nil {
		t.Fatal(err)
	}
	changes, err := Compare(dir, files)
	if err != nil {
		t.Fatal(err)
	}
	states := []State{Unchanged, Different, New}
	for i, c := range changes {
		if c.State != states[i] || (c.Diff != "") != (c.State == Different) {
			t.Errorf("%s: %s, diff %q", c.Path, c.State, c.Diff)
		}
		if err := c.Write(); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(changes[1].Diff, "-old\n+new\n") {
		t.Errorf("diff: %s", changes[1].Diff)
	}
	if changes, err = Compare(dir, files); err != nil || changes[1].State != Unchanged || changes[2].State != Unchanged {
		t.Errorf("after writing: %v, %v", changes, err)
	}
	if info, err := os.Stat(filepath.Join(dir, "other")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the mode is not kept: %v, %v", info.Mode(), err)
	}
	left, err := filepath.Glob(filepath.Join(dir, ".medusa-deploy-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	// What is no plain file is not written through.
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if _, err := Compare(dir, []File{{"link", nil}}); err == nil || !strings.Contains(err.Error(), "no plain file") {
		t.Errorf("a link: %v", err)
	}
	if _, err := Compare(dir, []File{{"same/below", nil}}); err == nil {
		t.Error("a file below a file: no error")
	}
}

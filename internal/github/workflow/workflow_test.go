package workflow

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rhysd/actionlint"

	"github.com/medusa-deploy/medusa-deploy/internal/github/lint"
)

var update = flag.Bool("update", false, "write the golden files anew")

// ours stands for this program's action, which has no release of its own in a test.
var ours = Action{Repository: "medusa-deploy/medusa-deploy", SHA: "0123456789abcdef0123456789abcdef01234567", Version: "v1.2.3"}

func options() Options {
	return Options{
		App: "shop", DefaultBranch: "main", Auth: AuthOIDC, Action: ours, Repository: "shop",
		Targets: []Target{{Name: "production", Region: "us-east-1", Cluster: "medusa-cluster", Services: []string{"medusa-service"}}},
	}
}

// variant is one combination of options and the name of its golden file.
type variant struct {
	name string
	Options
}

// variants are all combinations of the flags, and builds that differ.
func variants() []variant {
	var all []variant
	for _, plain := range []bool{false, true} {
		for _, auth := range []Auth{AuthOIDC, AuthKeys} {
			for _, targets := range []int{1, 2} {
				for _, environment := range []bool{false, true} {
					all = append(all, combination(plain, auth, targets, environment))
				}
			}
		}
	}
	for _, plain := range []bool{false, true} {
		o := options()
		o.Plain, o.Platforms = plain, []string{amd64, arm64}
		all = append(all, variant{"both-platforms" + suffix(plain), o})
		o.Platforms, o.DefaultBranch, o.RoleVariable, o.Config = []string{arm64}, "release/2.x", "DEPLOY_ROLE", "shop/medusa-deploy.yaml"
		o.Dockerfile, o.Context, o.Stage = "shop/docker/Dockerfile", "shop", "run"
		o.Args = map[string]string{"NODE_VERSION": "22", "TITLE": "it's a \"shop\" $(id)"}
		o.Prepare, o.PrepareEnv = []string{"npm", "run", "code gen"}, map[string]string{"CI": "true", "NOTE": "a: b # c"}
		all = append(all, variant{"arm-subdirectory" + suffix(plain), o})
	}
	o := options()
	o.TakesRole, o.Keyless, o.Secrets = true, true, []string{"COSIGN_PASSWORD"}
	all = append(all, variant{"own-role-signed", o})
	o.Auth = AuthKeys
	return append(all, variant{"keys-signed", o})
}

func suffix(plain bool) string {
	if plain {
		return "-plain"
	}
	return ""
}

func combination(plain bool, auth Auth, targets int, environment bool) variant {
	o := options()
	o.Plain, o.Auth = plain, auth
	name := string(auth) + suffix(plain)
	if targets == 2 {
		o.Targets = append(o.Targets, Target{Name: "staging", Region: "eu-central-1", Cluster: "staging", Services: []string{"server", "worker"}})
		name += "-two"
	}
	if environment {
		for i := range o.Targets {
			o.Targets[i].Environment = o.Targets[i].Name
		}
		name += "-environment"
	}
	return variant{name, o}
}

func render(t *testing.T, o Options) []byte {
	t.Helper()
	out, err := Render(o)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func golden(name string) string { return filepath.Join("testdata", name+".yml") }

// TestGolden shows every workflow as it is written. Go's own `-update` convention writes them anew.
func TestGolden(t *testing.T) {
	names := map[string]bool{}
	for _, v := range variants() {
		names[filepath.Base(golden(v.name))] = true
		got := render(t, v.Options)
		if *update {
			if err := os.WriteFile(golden(v.name), got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden(v.name))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", v.name, diff)
		}
	}
	files, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !names[file.Name()] {
			t.Errorf("testdata/%s belongs to no combination of options", file.Name())
		}
	}
}

// TestActionlint holds every workflow to GitHub's syntax. Scripts are checked where there is shellcheck, which CI installs.
func TestActionlint(t *testing.T) {
	linter, err := actionlint.NewLinter(io.Discard, &actionlint.LinterOptions{Shellcheck: "shellcheck"})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range variants() {
		faults, err := linter.Lint(golden(v.name), render(t, v.Options), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, fault := range faults {
			t.Errorf("%s: %v", v.name, fault)
		}
	}
}

var usesLine = regexp.MustCompile(`(?m)^\s+uses: (\S+) # (\S+)$`)

// TestActionsArePinned: every action that any workflow uses is on the list, at that commit, with that version.
func TestActionsArePinned(t *testing.T) {
	known := map[string]bool{ours.String(): true}
	for _, a := range Actions {
		if _, err := ParseAction(a.String()); err != nil || !regexp.MustCompile(`^v\d+\.\d+\.\d+$`).MatchString(a.Version) {
			t.Errorf("%v: version %q, %v", a, a.Version, err)
		}
		known[a.String()] = true
	}
	used := map[string]bool{}
	for _, v := range variants() {
		text := render(t, v.Options)
		matches := usesLine.FindAllSubmatch(text, -1)
		if want := bytes.Count(text, []byte("uses:")); len(matches) != want {
			t.Errorf("%s: %d of %d actions are pinned and say their version", v.name, len(matches), want)
		}
		for _, m := range matches {
			reference := fmt.Sprintf("%s # %s", m[1], m[2])
			if used[reference] = true; !known[reference] {
				t.Errorf("%s uses %s, which is not on the list", v.name, reference)
			}
		}
	}
	for reference := range known {
		if !used[reference] {
			t.Errorf("%s is on the list, and no workflow uses it", reference)
		}
	}
}

var (
	runLine    = regexp.MustCompile(`(?m)^\s+run: (.*)$`)
	expression = regexp.MustCompile(`\$\{\{`)
)

// TestNoExpressionReachesAShell: an input in a script would be code. The managed form has no script at all.
func TestNoExpressionReachesAShell(t *testing.T) {
	for _, v := range variants() {
		text := string(render(t, v.Options))
		if !v.Plain {
			if runLine.MatchString(text) {
				t.Errorf("%s: the managed workflow has a script", v.name)
			}
			continue
		}
		workflow, faults := actionlint.Parse([]byte(text))
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		for _, step := range workflow.Jobs["deploy"].Steps {
			if run, ok := step.Exec.(*actionlint.ExecRun); ok && expression.MatchString(run.Run.Value) {
				t.Errorf("%s: an expression in the script of %q", v.name, step.Name.Value)
			}
		}
	}
}

func TestRefusedOptions(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Options)
		want   string
	}{
		"no target":               {func(o *Options) { o.Targets = nil }, "needs a target"},
		"target in an expression": {func(o *Options) { o.Targets[0].Name = "x'}}" }, `target "x'}}"`},
		"branch":                  {func(o *Options) { o.DefaultBranch = "main]\n" }, "branch"},
		"glob branch":             {func(o *Options) { o.DefaultBranch = "ma*n" }, "branch"},
		"cluster":                 {func(o *Options) { o.Targets[0].Cluster = "$(id)" }, "cluster of target production"},
		"service":                 {func(o *Options) { o.Targets[0].Services = []string{"a b"} }, "service of target production"},
		"no service":              {func(o *Options) { o.Targets[0].Services = nil }, "has no service"},
		"region":                  {func(o *Options) { o.Targets[0].Region = "frankfurt" }, "region of target production"},
		"twice":                   {func(o *Options) { o.Targets = append(o.Targets, o.Targets[0]) }, "named twice"},
		"auth":                    {func(o *Options) { o.Auth = "password" }, "expected oidc or keys"},
		"no action":               {func(o *Options) { o.Action = Action{} }, "OWNER/REPO@SHA"},
		"moving action":           {func(o *Options) { o.Action.SHA = "v1" }, "not pinned"},
		"platform":                {func(o *Options) { o.Platforms = []string{"linux/s390x"} }, "linux/s390x"},
		"repository":              {func(o *Options) { o.Repository = "Shop" }, "image repository"},
		"dockerfile":              {func(o *Options) { o.Dockerfile = "a b" }, "Dockerfile"},
		"expression in args":      {func(o *Options) { o.Args = map[string]string{"A": "${{ secrets.X }}"} }, "GitHub would replace"},
		"secret":                  {func(o *Options) { o.Secrets = []string{"A }} ${{ x"} }, "secret"},
		"line break":              {func(o *Options) { o.Prepare = []string{"a\nb"} }, "control character"},
		"one environment": {func(o *Options) {
			o.Targets = append(o.Targets, Target{Name: "b", Region: "us-east-1", Cluster: "c", Services: []string{"s"}, Environment: "b"})
		}, "every target has an environment"},
	} {
		o := options()
		test.change(&o)
		if _, err := Render(o); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, test.want)
		}
	}
}

func TestParseAction(t *testing.T) {
	sha := strings.Repeat("ab", 20)
	for reference, want := range map[string]string{
		"a/b@" + sha:              "a/b@" + sha,
		"a/b@" + sha + "#v1.2.3":  "a/b@" + sha + " # v1.2.3",
		"a/b@" + sha + " # v1":    "a/b@" + sha + " # v1",
		"a/b@v1":                  "",
		"a/b@" + sha[:39]:         "",
		"a/b":                     "",
		"":                        "",
		"a/b@" + sha + "\nrun: x": "",
		"../b@" + sha:             "",
	} {
		got, err := ParseAction(reference)
		if (err == nil) != (want != "") || (err == nil && got.String() != want) {
			t.Errorf("ParseAction(%q) = %q, %v", reference, got, err)
		}
	}
}

// FuzzRender: whatever the values are, the file is refused or valid, with no expression in a script.
func FuzzRender(f *testing.F) {
	f.Add("shop", "main", "production", "cluster", "TITLE", "it's")
	f.Add("a # b", "on", "x'", "c}}", "A", "${{ x }}")
	f.Fuzz(func(t *testing.T, app, branch, target, cluster, arg, value string) {
		o := options()
		o.Plain, o.App, o.DefaultBranch, o.Args = true, app, branch, map[string]string{arg: value}
		o.Targets[0].Name, o.Targets[0].Cluster, o.Prepare = target, cluster, []string{"make", value}
		text, err := Render(o)
		if err != nil {
			return
		}
		workflow, faults := actionlint.Parse(text)
		if len(faults) > 0 {
			t.Fatalf("%v\n%s", faults, text)
		}
		if got := workflow.Jobs["deploy"].Env.Vars["cluster"].Value.Value; got != cluster {
			t.Errorf("cluster %q became %q", cluster, got)
		}
	})
}

// TestOwnRules: what init writes is what `check --workflow` asks for.
func TestOwnRules(t *testing.T) {
	shellcheck, err := exec.LookPath("shellcheck")
	if err != nil && os.Getenv("CI") != "" {
		t.Fatal("CI has shellcheck: internal/e2e/install.sh installs it")
	}
	for _, v := range variants() {
		found, err := lint.Source(t.Context(), golden(v.name), render(t, v.Options), lint.Options{Shellcheck: shellcheck})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range found {
			f := p.Finding()
			t.Errorf("%s: %s %s: %s", f.Where, f.Severity, f.Code, f.Problem)
		}
	}
}

package action

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"flag"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/medusa-deploy/medusa-deploy/internal/github/lint"
)

const root = "../../.."

var update = flag.Bool("update", false, "write the documentation's tables anew")

// entry is an input or an output.
type entry struct {
	Description string
	Default     *string
	Value       string
}

// metadata is what the tests need of action.yml.
type metadata struct {
	Inputs, Outputs map[string]entry
	Runs            struct {
		Steps []struct {
			ID, Run, Shell string
			Env            map[string]string
		}
	}
}

func read(t *testing.T) (string, metadata) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "action.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var m metadata
	if err := yaml.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	return string(text), m
}

// TestActionIsClean: everything is documented, inputs reach scripts through the environment alone, and our own rules and
// shellcheck find nothing.
func TestActionIsClean(t *testing.T) {
	text, m := read(t)
	for name, input := range m.Inputs {
		if input.Description == "" || input.Default == nil {
			t.Errorf("input %s has no description, or no default", name)
		}
		if !strings.Contains(text, "${{ inputs."+name+" }}") {
			t.Errorf("input %s is not used", name)
		}
	}
	for name, output := range m.Outputs {
		if output.Description == "" || output.Value != "${{ steps.run.outputs."+name+" }}" {
			t.Errorf("output %s: %+v", name, output)
		}
	}
	for _, step := range m.Runs.Steps {
		if strings.Contains(step.Run, "${{") || step.Shell != "bash" {
			t.Errorf("step %s: shell %q, run %q", step.ID, step.Shell, step.Run)
		}
	}
	found, err := lint.Source(t.Context(), "action.yml", []byte(text), lint.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range found {
		t.Errorf("%v", p.Finding())
	}
	shellcheck, err := exec.LookPath("shellcheck")
	if err != nil {
		t.Skip("there is no shellcheck: internal/e2e/install.sh installs it")
	}
	scripts, err := filepath.Glob(filepath.Join(root, "action", "*.sh"))
	if err != nil || len(scripts) != 3 {
		t.Fatalf("scripts %v, %v", scripts, err)
	}
	if out, err := exec.Command(shellcheck, scripts...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestReleaseIsWholeOrAbsent: a commit of the action carries a version and all four checksums, or none of them.
func TestReleaseIsWholeOrAbsent(t *testing.T) {
	_, m := read(t)
	env := m.Runs.Steps[0].Env
	released := regexp.MustCompile(`^v\d+\.\d+\.\d+`).MatchString(env["VERSION"])
	for _, name := range []string{"SHA256_LINUX_AMD64", "SHA256_LINUX_ARM64", "SHA256_DARWIN_AMD64", "SHA256_DARWIN_ARM64"} {
		sum, ok := env[name]
		if !ok || regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(sum) != released || (!released && sum != "") {
			t.Errorf("version %q, %s %q", env["VERSION"], name, sum)
		}
	}
}

const (
	tableStart = "<!-- of action.yml: go test ./internal/github/action -update -->\n"
	tableEnd   = "<!-- end -->\n"
)

// TestDocumented: docs/github-actions.md has the inputs and outputs as action.yml describes them.
func TestDocumented(t *testing.T) {
	_, m := read(t)
	var table strings.Builder
	for _, one := range []struct {
		title   string
		entries map[string]entry
	}{{"input", m.Inputs}, {"output", m.Outputs}} {
		table.WriteString("\n| " + one.title + " | means |\n|---|---|\n")
		for _, name := range slices.Sorted(maps.Keys(one.entries)) {
			table.WriteString("| `" + name + "` | " + strings.ReplaceAll(one.entries[name].Description, "|", "\\|") + " |\n")
		}
	}
	table.WriteString("\n")
	path := filepath.Join(root, "docs", "github-actions.md")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), tableStart)
	old, after, also := strings.Cut(rest, tableEnd)
	if !ok || !also {
		t.Fatal("docs/github-actions.md has lost its marks")
	}
	if old == table.String() {
		return
	}
	if !*update {
		t.Fatalf("docs/github-actions.md says\n%s\naction.yml says\n%s", old, table.String())
	}
	if err := os.WriteFile(path, []byte(before+tableStart+table.String()+tableEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// stage is a runner's machine for one script.
type stage struct {
	t           *testing.T
	temp, tools string
	output      string
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t, temp: t.TempDir(), tools: t.TempDir()}
	s.output = filepath.Join(s.temp, "output")
	return s
}

// run runs one of the action's scripts and gives its output and whether it succeeded.
func (s *stage) run(script string, env ...string) (string, bool) {
	s.t.Helper()
	path, err := filepath.Abs(filepath.Join(root, "action", script))
	if err != nil {
		s.t.Fatal(err)
	}
	command := exec.CommandContext(s.t.Context(), path)
	command.Dir = s.temp
	command.Env = append([]string{
		"PATH=" + s.tools + ":/usr/local/bin:/usr/bin:/bin", "RUNNER_TEMP=" + s.temp, "GITHUB_OUTPUT=" + s.output,
		"RELEASES=https://releases.invalid", "VERSION=v1.2.3",
	}, env...)
	out, err := command.CombinedOutput()
	return string(out), err == nil
}

// installed is the path that the script has written; empty: none.
func (s *stage) installed() string {
	text, err := os.ReadFile(s.output)
	if os.IsNotExist(err) {
		return ""
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.TrimSpace(strings.TrimPrefix(string(text), "path="))
}

func (s *stage) write(path, text string) string {
	s.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		s.t.Fatal(err)
	}
	return path
}

func sum(text string) string {
	digest := sha256.Sum256([]byte(text))
	return hex.EncodeToString(digest[:])
}

// sums are the checksums of all platforms: the script picks the one of this machine.
func sums(of string) []string {
	var env []string
	for _, platform := range []string{"LINUX_AMD64", "LINUX_ARM64", "DARWIN_AMD64", "DARWIN_ARM64"} {
		env = append(env, "SHA256_"+platform+"="+of)
	}
	return env
}

const (
	program  = "#!/bin/sh\necho genuine\n"
	tampered = "#!/bin/sh\necho tampered\n"
)

// mirror serves one file for this platform over TLS, and gives the environment that lets curl trust it.
func mirror(t *testing.T, s *stage, content string) []string {
	t.Helper()
	path := "/m/medusa-deploy-" + runtime.GOOS + "-" + runtime.GOARCH
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != path {
			http.NotFound(w, r)
			return
		}
		w.Write([]byte(content))
	}))
	t.Cleanup(server.Close)
	pemText := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	bundle := s.write(filepath.Join(s.temp, "ca.pem"), string(pemText))
	return []string{"MIRROR=" + server.URL + "/m", "CURL_CA_BUNDLE=" + bundle}
}

func TestDownloadIsVerified(t *testing.T) {
	s := newStage(t)
	out, ok := s.run("install.sh", append(sums(sum(program)), mirror(t, s, program)...)...)
	if !ok {
		t.Fatal(out)
	}
	got, err := exec.Command(s.installed()).Output()
	if err != nil || string(got) != "genuine\n" {
		t.Errorf("installed %q: %q, %v\n%s", s.installed(), got, err, out)
	}
}

// TestTamperedBinaryIsRefused: wherever it comes from, it is not run, and not left behind.
func TestTamperedBinaryIsRefused(t *testing.T) {
	t.Run("downloaded", func(t *testing.T) {
		s := newStage(t)
		out, ok := s.run("install.sh", append(sums(sum(program)), mirror(t, s, tampered)...)...)
		if want := "its SHA-256 is " + sum(tampered) + ", expected " + sum(program); ok || !strings.Contains(out, "::error::refused https://") || !strings.Contains(out, want) {
			t.Errorf("succeeded: %v\n%s", ok, out)
		}
		left, err := filepath.Glob(filepath.Join(s.temp, "medusa-deploy-*", "*"))
		if err != nil || len(left) > 0 || s.installed() != "" {
			t.Errorf("left behind: %v, %v, output %q", left, err, s.installed())
		}
	})
	t.Run("given", func(t *testing.T) {
		s := newStage(t)
		binary := s.write(filepath.Join(s.temp, "given"), tampered)
		out, ok := s.run("install.sh", "BINARY="+binary, "EXPECTED="+sum(program))
		if ok || !strings.Contains(out, "::error::refused "+binary) || s.installed() != "" {
			t.Errorf("succeeded: %v\n%s", ok, out)
		}
	})
	t.Run("on the PATH", func(t *testing.T) { // it is passed over, and the release fetched
		s := newStage(t)
		s.write(filepath.Join(s.tools, "medusa-deploy"), tampered)
		out, ok := s.run("install.sh", append(sums(sum(program)), mirror(t, s, program)...)...)
		if !ok || filepath.Dir(s.installed()) == s.tools {
			t.Errorf("succeeded: %v, installed %s\n%s", ok, s.installed(), out)
		}
	})
}

func TestWhatIsThereIsUsed(t *testing.T) {
	s := newStage(t)
	there := s.write(filepath.Join(s.tools, "medusa-deploy"), program)
	if out, ok := s.run("install.sh", sums(sum(program))...); !ok || s.installed() != there {
		t.Errorf("%v, installed %q, want %q\n%s", ok, s.installed(), there, out)
	}
	for _, variable := range []string{"BINARY", "MEDUSA_DEPLOY_BIN"} {
		s := newStage(t)
		s.write(filepath.Join(s.temp, "mine"), tampered)
		if out, ok := s.run("install.sh", variable+"=mine"); !ok || s.installed() != filepath.Join(s.temp, "mine") {
			t.Errorf("%s: %v, installed %q\n%s", variable, ok, s.installed(), out)
		}
	}
}

func TestInstallSaysWhatIsWrong(t *testing.T) {
	for name, test := range map[string]struct {
		env  []string
		want string
	}{
		"no release":       {nil, "::error::this commit of the action is not a release"},
		"no such binary":   {[]string{"BINARY=/nowhere"}, "::error::binary /nowhere is not a program"},
		"unreachable":      {append(sums(sum(program)), "MIRROR=https://127.0.0.1:1"), "::error::cannot download https://127.0.0.1:1/medusa-deploy-"},
		"not over TLS":     {append(sums(sum(program)), "MIRROR=http://127.0.0.1:1"), "::error::cannot download http://"},
		"a path that ends": {[]string{"BINARY=/a\n::set-output name=path::/evil"}, "::error::binary /a%0A::set-output"},
	} {
		s := newStage(t)
		out, ok := s.run("install.sh", test.env...)
		if ok || !strings.Contains(out, test.want) || s.installed() != "" {
			t.Errorf("%s: %v\n%s", name, ok, out)
		}
		for line := range strings.Lines(out) {
			if strings.HasPrefix(line, "::set-output") {
				t.Errorf("%s: a command got through: %s", name, line)
			}
		}
	}
}

// echoing is a program that tells its arguments, one a line, and its builder.
const echoing = "#!/bin/sh\nprintf '[%s]\\n' \"$@\"\necho \"builder ${MEDUSA_DEPLOY_BUILDER-none}\"\n"

func TestInputsBecomeArguments(t *testing.T) {
	for name, test := range map[string]struct {
		env  []string
		want string
	}{
		"ship":         {[]string{"COMMAND=ship"}, "[ship]\nbuilder none\n"},
		"target":       {[]string{"COMMAND=ship", "TARGET=production", "CONFIG=a b.yaml"}, "[ship]\n[--target=production]\n[--config=a b.yaml]\nbuilder none\n"},
		"injection":    {[]string{"COMMAND=ship", "TARGET=$(touch evil); `touch evil` --yes"}, "[ship]\n[--target=$(touch evil); `touch evil` --yes]\nbuilder none\n"},
		"rollback":     {[]string{"COMMAND=rollback", "RELEASE=v1; id"}, "[rollback]\n[--yes]\n[--to=v1; id]\nbuilder none\n"},
		"previous":     {[]string{"COMMAND=rollback"}, "[rollback]\n[--yes]\nbuilder none\n"},
		"deploy":       {[]string{"COMMAND=deploy", "REF=--help"}, "[deploy]\n[--]\n[--help]\nbuilder none\n"},
		"words":        {[]string{"COMMAND=ship", "ARGS=--rebuild  --explain\n*"}, "[ship]\n[--rebuild]\n[--explain]\n[*]\nbuilder none\n"},
		"builder":      {[]string{"COMMAND=ship", "BUILDER=x"}, "[ship]\nbuilder buildx:x\n"},
		"own builder":  {[]string{"COMMAND=ship", "BUILDER=x", "BUILDKIT_HOST=unix:///b"}, "[ship]\nbuilder buildkit\n"},
		"wanted":       {[]string{"COMMAND=ship", "BUILDER=x", "MEDUSA_DEPLOY_BUILDER=engine"}, "[ship]\nbuilder engine\n"},
		"a flag":       {[]string{"COMMAND=--help"}, "::error::input command: \"--help\" is not a command of medusa-deploy, such as ship or rollback\n"},
		"two commands": {[]string{"COMMAND=ship\n::debug::x"}, "::error::input command: \"ship%0A::debug::x\" is not a command of medusa-deploy, such as ship or rollback\n"},
		"release":      {[]string{"COMMAND=ship", "RELEASE=v1"}, "::error::input release goes with the command rollback, not with ship\n"},
		"ref":          {[]string{"COMMAND=ship", "REF=v1"}, "::error::input ref goes with the command deploy, not with ship: check the commit out before this step\n"},
	} {
		s := newStage(t)
		binary := s.write(filepath.Join(s.tools, "program"), echoing)
		out, ok := s.run("run.sh", append(test.env, "BINARY="+binary)...)
		if out != test.want || ok == strings.HasPrefix(out, "::error") {
			t.Errorf("%s: %v, got\n%s\nwant\n%s", name, ok, out, test.want)
		}
		if left, err := filepath.Glob(filepath.Join(s.temp, "evil")); err != nil || len(left) > 0 {
			t.Errorf("%s: an input was executed", name)
		}
	}
}

// TestDistWritesTheAction runs the release script on a copy with a compiler that only names what it would build.
func TestDistWritesTheAction(t *testing.T) {
	copyRoot, tools := t.TempDir(), t.TempDir()
	if err := os.Mkdir(filepath.Join(copyRoot, "action"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"action.yml", "action/dist.sh"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(copyRoot, name), text, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	compiler := "#!/bin/sh\nwhile test \"$1\" != -o; do shift; done\nprintf %s \"$GOOS/$GOARCH\" >\"$2\"\n"
	if err := os.WriteFile(filepath.Join(tools, "go"), []byte(compiler), 0o755); err != nil {
		t.Fatal(err)
	}
	dist := func(args ...string) ([]byte, error) {
		command := exec.CommandContext(t.Context(), filepath.Join(copyRoot, "action", "dist.sh"), args...)
		command.Env = append(os.Environ(), "PATH="+tools+":"+os.Getenv("PATH"))
		return command.CombinedOutput()
	}
	for _, bad := range [][]string{{}, {"1.2.3"}, {"v1.2.3", "a/b@v1"}} {
		if out, err := dist(bad...); err == nil {
			t.Errorf("dist %v succeeded: %s", bad, out)
		}
	}
	if out, err := dist("v1.2.3"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(copyRoot, "action.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"VERSION: v1.2.3\n", "SHA256_LINUX_AMD64: '" + sum("linux/amd64") + "'\n", "SHA256_LINUX_ARM64: '" + sum("linux/arm64") + "'\n",
		"SHA256_DARWIN_AMD64: '" + sum("darwin/amd64") + "'\n", "SHA256_DARWIN_ARM64: '" + sum("darwin/arm64") + "'\n",
	} {
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("action.yml lacks %q:\n%s", want, text)
		}
	}
	before := text
	if out, err := dist("v1.2.3", "a/b@"+strings.Repeat("ab", 20)+"#v1.2.3"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if text, err = os.ReadFile(filepath.Join(copyRoot, "action.yml")); err != nil || !bytes.Equal(before, text) {
		t.Errorf("building for people has changed the action: %v", err)
	}
}

package architecture

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/medusa-deploy/medusa-deploy/"

// listed is what `go list -json` says of a package.
type listed struct {
	ImportPath string
	Name       string
	Doc        string
	Imports    []string
	Standard   bool
}

func packages(t *testing.T) []listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Name,Doc,Imports,Standard", module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var one listed
		if err := decoder.Decode(&one); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("decode go list: %v", err)
		}
		all = append(all, one)
	}
	if len(all) < 10 {
		t.Fatalf("go list found %d packages: the rules would hold for nothing", len(all))
	}
	return all
}

// room is the part of the house that a package belongs to: "release", "localaws", "cli", …
func room(path string) string {
	path, ours := strings.CutPrefix(path, module)
	if !ours {
		return ""
	}
	path, _ = strings.CutPrefix(path, "internal/")
	first, _, _ := strings.Cut(path, "/")
	return first
}

// mayImport is the law: for every room, the other rooms that it may import. ARCHITECTURE.md says why.
var mayImport = map[string][]string{
	"release":      {},
	"config":       {},
	"awsclient":    {"release", "jobtoken", "awshttp"},
	"awshttp":      {},
	"childenv":     {},
	"dockerlogin":  {},
	"jobtoken":     {},
	"git":          {"release", "childenv"},
	"build":        {"release", "childenv"},
	"registry":     {"release", "awsclient"},
	"orchestrator": {"release", "awsclient"},
	"check":        {"release", "awsclient"},
	"report":       {"release"},
	"github":       {"release", "childenv"},
	"iam":          {},
	"provenance":   {"release", "jobtoken"},
	"scaffold":     {},
	"localaws":     {"childenv"},
	"localci":      {"childenv"},
	"cli":          {"childenv", "dockerlogin", "release", "config", "awsclient", "git", "build", "registry", "orchestrator", "check", "report", "github", "iam", "provenance", "scaffold", "localaws", "localci"},
	"cmd":          {"cli"},
	"rehearsal":    {"release", "awshttp"},
	"e2e":          {"release", "rehearsal"},
	"architecture": {},
	"examples":     {},
}

func TestImports(t *testing.T) {
	for _, p := range packages(t) {
		from := room(p.ImportPath)
		allowed, known := mayImport[from]
		if !known {
			t.Errorf("%s: there is no rule for the room %q: add one here and to ARCHITECTURE.md", p.ImportPath, from)
			continue
		}
		for _, imported := range p.Imports {
			to := room(imported)
			if to != "" && to != from && !slices.Contains(allowed, to) {
				t.Errorf("%s imports %s: %s may import only %v", p.ImportPath, imported, from, allowed)
			}
		}
	}
}

func TestTheHeartImportsTheStandardLibraryOnly(t *testing.T) {
	for _, p := range packages(t) {
		if room(p.ImportPath) != "release" {
			continue
		}
		for _, imported := range p.Imports {
			if first, _, _ := strings.Cut(imported, "/"); strings.Contains(first, ".") {
				t.Errorf("%s imports %s", p.ImportPath, imported)
			}
		}
	}
}

func TestOnePackagePaysForBuildKit(t *testing.T) {
	for _, p := range packages(t) {
		for _, imported := range p.Imports {
			if strings.HasPrefix(imported, "github.com/moby/buildkit/") && room(p.ImportPath) != "build" {
				t.Errorf("%s imports %s: only internal/build may", p.ImportPath, imported)
			}
		}
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	for _, p := range packages(t) {
		if p.Doc == "" && p.Name != "main_test" {
			t.Errorf("%s has no doc comment", p.ImportPath)
		}
	}
}

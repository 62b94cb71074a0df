package check

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// building is a request and a world in which a Dockerfile is built.
func building(t *testing.T, file string, files map[string]string) (release.CheckRequest, Ports) {
	t.Helper()
	dir := plant(t, files)
	req := request()
	req.ContextDir, req.Dockerfile = dir, filepath.Join(dir, "Dockerfile")
	w := soundWorld()
	return req, Ports{Registry: w, Orchestrator: w, Cloud: w, Dockerfile: func(string) ([]release.Instruction, error) { return read(file), nil }}
}

func checkBuild(t *testing.T, req release.CheckRequest, p Ports) []release.Finding {
	t.Helper()
	findings, err := New(p).Check(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return findings
}

const soundFile = "FROM node:22\nCOPY package.json .\nRUN npm ci\nCOPY . ." + clean

func TestBuild(t *testing.T) {
	req, p := building(t, soundFile, map[string]string{"package.json": "{}"})
	req.Commit = release.Commit{SHA: strings.Repeat("c", 40)}
	if findings := checkBuild(t, req, p); len(findings) > 0 {
		t.Errorf("findings = %+v", findings)
	}
	req.Commit.Dirty = true
	if findings := checkBuild(t, req, p); len(findings) != 1 || findings[0].Code != "MD037" || findings[0].Severity != release.SeverityInfo {
		t.Errorf("findings = %+v", findings)
	}
}

// TestNothingIsBuilt: deploy and rollback look at no Dockerfile.
func TestNothingIsBuilt(t *testing.T) {
	req, p := building(t, "FROM node\nCMD x", nil)
	req.Dockerfile, req.ContextDir = "", ""
	p.Dockerfile = func(string) ([]release.Instruction, error) { t.Error("it was read"); return nil, nil }
	if findings := checkBuild(t, req, p); len(findings) > 0 {
		t.Errorf("findings = %+v", findings)
	}
}

func TestBuildFilesThatCannotBeUsed(t *testing.T) {
	for name, tc := range map[string]struct {
		err    error // of the Dockerfile
		files  map[string]string
		remove bool // the context
		want   []string
		cure   string
	}{
		"no Dockerfile": {err: fmt.Errorf("read it: %w", os.ErrNotExist), want: []string{"Dockerfile"}, cure: "image.dockerfile"},
		"a mistake":     {err: &release.BuildError{Line: 7, Err: errors.New("unknown instruction: FORM")}, want: []string{"Dockerfile:7"}, cure: "correct"},
		"no context":    {remove: true, want: []string{""}, cure: "image.context"},
		"a pattern":     {files: map[string]string{".dockerignore": "[a-"}, want: []string{".dockerignore"}, cure: "correct"},
		"two of them":   {err: &release.BuildError{Err: errors.New("there is no FROM")}, files: map[string]string{".dockerignore": "[a-"}, want: []string{"Dockerfile", ".dockerignore"}},
	} {
		t.Run(name, func(t *testing.T) {
			req, p := building(t, soundFile, tc.files)
			if tc.err != nil {
				p.Dockerfile = func(string) ([]release.Instruction, error) { return nil, tc.err }
			}
			if tc.remove {
				if err := os.RemoveAll(req.ContextDir); err != nil {
					t.Fatal(err)
				}
			}
			var got []string
			for _, f := range checkBuild(t, req, p) {
				if f.Code != "MD038" || !strings.Contains(f.Cure, tc.cure) {
					t.Errorf("finding = %+v", f)
				}
				got = append(got, strings.TrimPrefix(strings.TrimPrefix(f.Where, req.ContextDir), "/"))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestUnneeded(t *testing.T) {
	req, p := building(t, soundFile, anApp())
	findings := checkBuild(t, req, p)
	if len(findings) != 1 || findings[0].Code != "MD047" {
		t.Fatalf("findings = %+v", findings)
	}
	f := findings[0]
	if !strings.Contains(f.Problem, ".git, node_modules, packages/p/node_modules would go into the build, and there is no .dockerignore") ||
		!strings.Contains(f.Cure, `printf '%s\n' '.git' 'node_modules' 'packages/p/node_modules' >> '`+req.ContextDir+`/.dockerignore'`) {
		t.Errorf("finding = %+v", f)
	}
	if err := os.WriteFile(filepath.Join(req.ContextDir, ".dockerignore"), []byte(".git\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if findings := checkBuild(t, req, p); len(findings) != 1 || strings.Contains(findings[0].Problem, "there is no .dockerignore") {
		t.Errorf("findings = %+v", findings)
	}
}

// TestHuge has a file that is large only by its size: it takes no room on the disk.
func TestHuge(t *testing.T) {
	req, p := building(t, soundFile, map[string]string{"package.json": "{}", "media/video": "", "docs/a": "aa", "b": ""})
	for name, size := range map[string]int64{"media/video": hugeBytes, "docs/a": 3_000_000} {
		if err := os.Truncate(filepath.Join(req.ContextDir, name), size); err != nil {
			t.Fatal(err)
		}
	}
	findings := checkBuild(t, req, p)
	if len(findings) != 1 || findings[0].Code != "MD048" {
		t.Fatalf("findings = %+v", findings)
	}
	f := findings[0]
	if !strings.Contains(f.Problem, "503 MB in 4 files; most of it: media 500 MB in 1 files, docs 3 MB in 1 files, . 0 MB in 2 files") ||
		!strings.Contains(f.Cure, "'docs' 'media' >> ") {
		t.Errorf("finding = %+v", f)
	}
	p.Dockerfile = func(string) ([]release.Instruction, error) { return read("FROM scratch\nCOPY docs ." + clean), nil }
	if findings := checkBuild(t, req, p); len(findings) > 0 {
		t.Errorf("only docs is copied: %+v", findings)
	}
}

func TestHugeByNumber(t *testing.T) {
	for _, c := range []contextFiles{{files: hugeFiles + 1}, {bytes: hugeBytes + 1}, {cutShort: true}} {
		if !c.huge() {
			t.Errorf("%+v is not huge", c)
		}
	}
	if c := (contextFiles{files: hugeFiles, bytes: hugeBytes}); c.huge() {
		t.Errorf("%+v is huge", c)
	}
	f := judgeContext(release.CheckRequest{ContextDir: "/app"}, contextFiles{cutShort: true, files: 3})
	if len(f) != 1 || !strings.Contains(f[0].Problem, "at least 0 MB in 3 files (the count was cut short)") || !strings.Contains(f[0].Cure, "/app/.dockerignore") {
		t.Errorf("findings = %+v", f)
	}
}

func TestNoCommit(t *testing.T) {
	if f := NoCommit("/app", errors.New("not a git repository")); f.Code != "MD036" || f.Severity != release.SeverityWarning || f.Where != "/app" {
		t.Errorf("finding = %+v", f)
	}
}

// TestOrder: the whole target first, then the services, then what will be built.
func TestOrder(t *testing.T) {
	req, p := building(t, "FROM node:22\nCMD x", nil)
	w := p.Registry.(*world)
	w.mutability = Mutability{Immutable: true}
	idle := sound()
	idle.Desired, idle.Breaker = 0, false
	w.services["web"] = idle
	req.Commit.Dirty = true
	if diff := cmp.Diff([]string{"MD024", "MD015", "MD017", "MD037", "MD040", "MD042"}, codes(checkBuild(t, req, p))); diff != "" {
		t.Error(diff)
	}
}

package lint

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/diff"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestFixes: each fix of the corpus takes its problem away, brings no new one, and changes what its golden file shows and
// nothing else. Correcting twice is correcting once.
func TestFixes(t *testing.T) {
	fixed := map[string]bool{}
	for _, s := range samples(t, "bad") {
		name := filepath.Base(s.path)
		result, titles, err := Correct(t.Context(), s.path, s.content, s.options)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		golden := filepath.Join("testdata", "fixed", strings.TrimSuffix(name, ".yml")+".diff")
		if len(titles) == 0 {
			if _, err := os.Stat(golden); err == nil {
				t.Errorf("%s: there is a golden file, and no fix", name)
			}
			continue
		}
		fixed[strings.Fields(s.want[0])[0]] = true
		got := diff.Diff("before", s.content, "after", result)
		if *update {
			if err := os.WriteFile(golden, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(want), string(got)); d != "" {
			t.Errorf("%s (-golden +got):\n%s", name, d)
		}
		checkFixed(t, s, result)
	}
	for _, code := range fixable {
		if !fixed[code] {
			t.Errorf("no sample of the corpus is fixed for %s", code)
		}
	}
	for code := range fixed {
		if !slices.Contains(fixable, code) {
			t.Errorf("%s has a fix and is not among those that the documentation names", code)
		}
	}
}

// fixable are the codes that docs/workflow-checks.md promises a fix for.
var fixable = []string{
	codeDeprecatedCommand, codeHeredocTerminator, codeInjection, codePasted, codeCurl, codeNoDispatch, codeDispatchRight,
	codeNoPermissions, codeIDToken, codeContents, codeCallerGrants, codeCancel, codeNotLoaded, codeWrongLogin,
}

func checkFixed(t *testing.T, s sample, result []byte) {
	t.Helper()
	again, titles, err := Correct(t.Context(), s.path, result, s.options)
	if err != nil || len(titles) > 0 || !bytes.Equal(again, result) {
		t.Errorf("%s: correcting once more changes something: %v, %v", s.path, titles, err)
	}
	left, err := Source(t.Context(), s.path, result, s.options)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range left {
		t.Errorf("%s: after the fix: %s:%d:%d: %s", s.path, p.Code, p.Line, p.Column, p.Message)
	}
}

package check

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var heading = regexp.MustCompile(`(?m)^### (MD[0-9]{3}): (.+)\n\nSeverity: (\w+)\.`)

// TestDocs: docs/checks.md has every rule, with its title and severity, and no other.
func TestDocs(t *testing.T) {
	raw, err := os.ReadFile("../../docs/checks.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented, known []string
	for _, m := range heading.FindAllStringSubmatch(string(raw), -1) {
		documented = append(documented, strings.Join(m[1:], "|"))
	}
	for _, r := range Rules() {
		known = append(known, r.Code+"|"+r.Title+"|"+string(r.Severity))
	}
	slices.Sort(documented)
	if diff := cmp.Diff(known, documented); diff != "" {
		t.Errorf("rules (-code +docs):\n%s", diff)
	}
	if n := strings.Count(string(raw), "\n### "); n != len(documented) {
		t.Errorf("%d sections, %d of them in the form that this test reads", n, len(documented))
	}
}

func TestCodesAreInOrder(t *testing.T) {
	for i, r := range Rules() {
		if want := fmt.Sprintf("MD%03d", i+1); r.Code != want {
			t.Errorf("rule %d has code %s, want %s", i, r.Code, want)
		}
	}
}

// TestEveryRuleHasATest: each code is expected by some test of this package.
func TestEveryRuleHasATest(t *testing.T) {
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		tests.Write(raw)
	}
	for _, r := range Rules() {
		if !strings.Contains(tests.String(), `"`+r.Code) {
			t.Errorf("no test expects %s (%s)", r.Code, r.Title)
		}
	}
}

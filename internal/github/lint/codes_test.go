package lint

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

// section is what the documentation says of a code.
type section struct {
	code, title, severity string
	text                  string
}

var heading = regexp.MustCompile(`(?m)^### (MW[0-9]{3}): (.+)\n\nSeverity: (\w+)\. `)

func documentation(t *testing.T) []section {
	t.Helper()
	raw, err := os.ReadFile("../../../docs/workflow-checks.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	found := heading.FindAllStringSubmatchIndex(text, -1)
	if n := strings.Count(text, "\n### "); n != len(found) {
		t.Errorf("%d sections, %d of them in the form that this test reads", n, len(found))
	}
	var all []section
	for i, m := range found {
		end := len(text)
		if i+1 < len(found) {
			end = found[i+1][0]
		}
		all = append(all, section{code: text[m[2]:m[3]], title: text[m[4]:m[5]], severity: text[m[6]:m[7]], text: text[m[0]:end]})
	}
	return all
}

// TestDocs: docs/workflow-checks.md has every code in its order, with its title, its severity, its reason and its cure.
func TestDocs(t *testing.T) {
	var documented, known []string
	for _, s := range documentation(t) {
		documented = append(documented, strings.Join([]string{s.code, s.title, s.severity}, "|"))
		if r := byCode[s.code]; !strings.Contains(s.text, "Cure: "+r.Cure+".") || !strings.Contains(s.text, r.Why[1:]+".") {
			t.Errorf("%s: the documentation does not give the reason and the cure that the program gives", s.code)
		}
		if strings.Contains(s.text, "`--fix`: ") != slices.Contains(fixable, s.code) {
			t.Errorf("%s: the documentation is wrong about whether --fix corrects it", s.code)
		}
	}
	for _, r := range Rules() {
		known = append(known, strings.Join([]string{r.Code, r.Title, string(r.Severity)}, "|"))
	}
	slices.Sort(known)
	if diff := cmp.Diff(known, documented); diff != "" {
		t.Errorf("rules (-code +docs):\n%s", diff)
	}
}

var example = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// TestExamples: what the documentation shows of a fault is part of a workflow of the corpus in which it is found.
func TestExamples(t *testing.T) {
	squeeze := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	all := samples(t, "bad")
	for _, s := range documentation(t) {
		m := example.FindStringSubmatch(s.text)
		if m == nil {
			if !slices.Contains(withoutSample, s.code) {
				t.Errorf("%s has no example", s.code)
			}
			continue
		}
		if !slices.ContainsFunc(all, func(one sample) bool {
			return strings.HasPrefix(one.want[0], s.code) && strings.Contains(squeeze(string(one.content)), squeeze(m[1]))
		}) {
			t.Errorf("%s: no workflow of the corpus has this fault and these lines:\n%s", s.code, m[1])
		}
	}
}

// withoutSample are the codes that no workflow alone can show: they need shellcheck, a fault of the program, or an action
// that grows old.
var withoutSample = []string{codeShellcheck, codeUnchecked, codeOldAction}

func TestCodesAreInOrder(t *testing.T) {
	rules := Rules()
	slices.SortFunc(rules, func(a, b Rule) int { return strings.Compare(a.Code, b.Code) })
	for i, r := range rules {
		if want := fmt.Sprintf("MW%03d", i+1); r.Code != want {
			t.Errorf("rule %d has code %s, want %s", i, r.Code, want)
		}
		if r.Title == "" || r.Why == "" || r.Cure == "" {
			t.Errorf("%s says too little: %+v", r.Code, r)
		}
	}
}

// TestEveryRuleHasASample: each code is that of some broken workflow that is caught.
func TestEveryRuleHasASample(t *testing.T) {
	missed := notCaught(t)
	caught := map[string]bool{}
	for _, s := range samples(t, "bad") {
		if _, isMissed := missed[filepath.Base(s.path)]; !isMissed {
			caught[strings.Fields(s.want[0])[0]] = true
		}
	}
	for _, r := range Rules() {
		if !caught[r.Code] && !slices.Contains(withoutSample, r.Code) {
			t.Errorf("no workflow of the corpus shows %s (%s)", r.Code, r.Title)
		}
	}
}

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

// sample is a workflow of the corpus: what its first comment says, and what is found in it.
type sample struct {
	path    string
	content []byte
	want    []string // "MW018 12:9"
	options Options
}

var header = regexp.MustCompile(`(?m)^# (fault|want|secrets|root)(?:: (.*))?$`)

func samples(t *testing.T, dir string) []sample {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", dir, "*.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var all []sample
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s := sample{path: path, content: content}
		for _, m := range header.FindAllStringSubmatch(string(content), -1) {
			switch m[1] {
			case "want":
				s.want = append(s.want, m[2])
			case "secrets":
				s.options.Secrets = strings.Fields(m[2])
			case "root":
				s.options.Root = filepath.Join("testdata", "repo")
			}
		}
		all = append(all, s)
	}
	return all
}

// found is what the linter says of a sample, in the form of its header.
func (s sample) found(t *testing.T) (places, full []string) {
	t.Helper()
	problems, err := Source(t.Context(), s.path, s.content, s.options)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		places = append(places, fmt.Sprintf("%s %d:%d", p.Code, p.Line, p.Column))
		full = append(full, fmt.Sprintf("%s %s: %s", p.Code, p.Finding().Where, p.Message))
	}
	return places, full
}

// notCaught are the samples whose fault is not found, by their file names.
func notCaught(t *testing.T) map[string]string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", "notcaught.txt"))
	if err != nil {
		t.Fatal(err)
	}
	list := map[string]string{}
	for line := range strings.Lines(string(content)) {
		if name, why, found := strings.Cut(strings.TrimSpace(line), ": "); found && !strings.HasPrefix(line, "#") {
			list[name] = why
		}
	}
	return list
}

// TestBad: each broken workflow gives its fault at its place, and nothing else; the list of those that are not caught
// says the truth.
func TestBad(t *testing.T) {
	missed := notCaught(t)
	all := samples(t, "bad")
	if len(all)-len(missed) < 60 {
		t.Fatalf("%d samples are too few", len(all)-len(missed))
	}
	for _, s := range all {
		t.Run(filepath.Base(s.path), func(t *testing.T) {
			if len(s.want) == 0 {
				t.Fatal("the sample does not say what is wrong with it")
			}
			found, full := s.found(t)
			if why, isMissed := missed[filepath.Base(s.path)]; isMissed {
				if slices.Contains(found, s.want[0]) {
					t.Errorf("it is caught: remove it from notcaught.txt (%s)", why)
				}
				return
			}
			if diff := cmp.Diff(s.want, found); diff != "" {
				t.Errorf("problems (-want +found):\n%s%s", diff, strings.Join(full, "\n"))
			}
		})
	}
}

// TestGood: nothing is said of a sound workflow.
func TestGood(t *testing.T) {
	all := samples(t, "good")
	if len(all) < 40 {
		t.Errorf("%d samples are too few", len(all))
	}
	for _, s := range all {
		t.Run(filepath.Base(s.path), func(t *testing.T) {
			if _, full := s.found(t); len(full) > 0 {
				t.Errorf("false alarm:\n%s", strings.Join(full, "\n"))
			}
		})
	}
}

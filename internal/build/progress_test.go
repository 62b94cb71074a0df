package build

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestProgress plays recorded statuses (one JSON object a line) and compares the events with the file beside them.
func TestProgress(t *testing.T) {
	recorded, err := filepath.Glob("testdata/progress/*.status.jsonl")
	if err != nil || len(recorded) == 0 {
		t.Fatalf("no recorded statuses: %v", err)
	}
	for _, file := range recorded {
		name := strings.TrimSuffix(filepath.Base(file), ".status.jsonl")
		t.Run(name, func(t *testing.T) {
			got := play(t, file, strings.HasPrefix(name, "push"))
			golden := strings.TrimSuffix(file, ".status.jsonl") + ".events.jsonl"
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func play(t *testing.T, file string, push bool) []byte {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var events bytes.Buffer
	out := json.NewEncoder(&events)
	out.SetEscapeHTML(false)
	p := newProgress(func(e release.Event) {
		if err := out.Encode(map[string]any{e.Kind(): e}); err != nil {
			t.Error(err)
		}
	}, push, "hunter2")
	for lines := bufio.NewScanner(bytes.NewReader(raw)); lines.Scan(); {
		var status client.SolveStatus
		if err := json.Unmarshal(lines.Bytes(), &status); err != nil {
			t.Fatal(err)
		}
		p.observe(&status)
	}
	p.end()
	return events.Bytes()
}

func TestFindNamesTheStepThatFailedByItself(t *testing.T) {
	p := newProgress(func(release.Event) {}, false, "")
	p.observe(&client.SolveStatus{Vertexes: []*client.Vertex{
		failedNamed("sha256:1", "[1/2] COPY a /", "context canceled"),
		failedNamed("sha256:2", "importing cache manifest from x", "not found"),
		failedNamed("sha256:3", "[2/2] RUN no", "exit code: 1"),
	}})
	if s := p.find(""); s == nil || s.id != "sha256:3" {
		t.Errorf("got %+v", s)
	}
	if s := p.find("sha256:1"); s == nil || s.id != "sha256:1" {
		t.Errorf("got %+v", s)
	}
}

// TestCacheTrouble: what goes wrong with a cache is a warning, once, and no failed step; without a cache a step's failure
// is one, whatever it says.
func TestCacheTrouble(t *testing.T) {
	const lost = "failed to copy: httpReadSeeker: failed open: not found"
	for name, c := range map[string]struct {
		imports  bool
		vertices []*client.Vertex
		want     []string
	}{
		"missing":    {true, []*client.Vertex{failedNamed("sha256:1", "importing cache manifest from h/app:cache", "h/app:cache: not found")}, nil},
		"unreadable": {true, []*client.Vertex{failedNamed("sha256:1", "importing cache manifest from h/app:cache", "500 Internal Server Error")}, []string{"notice"}},
		"lost":       {true, []*client.Vertex{failedNamed("sha256:1", "[1/2] COPY a /", lost), failedNamed("sha256:2", "[2/2] COPY b /", lost)}, []string{"notice"}},
		"no cache":   {false, []*client.Vertex{failedNamed("sha256:1", "[1/2] COPY a /", lost)}, []string{"build_step"}},
		"export":     {true, []*client.Vertex{failedNamed("sha256:1", "exporting cache to client directory", "no space left on device")}, []string{"notice"}},
		"GitHub":     {true, []*client.Vertex{failedNamed("sha256:1", "exporting to GitHub Actions Cache", "429 Too Many Requests")}, []string{"notice"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			p := newProgress(func(e release.Event) {
				if step, ok := e.(release.BuildStep); !ok || step.State == stepFailed {
					got = append(got, e.Kind())
				}
			}, false, "")
			p.imports = c.imports
			p.observe(&client.SolveStatus{Vertexes: c.vertices})
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func failedNamed(id, name, why string) *client.Vertex {
	now := time.Unix(1, 0)
	return &client.Vertex{Digest: digest.Digest(id), Name: name, Error: why, Started: &now, Completed: &now}
}

func TestOutput(t *testing.T) {
	for name, c := range map[string]struct {
		pieces []string
		want   []string
	}{
		"lines":             {[]string{"one\ntwo\n"}, []string{"one", "two"}},
		"split line":        {[]string{"o", "ne\nt", "wo\n"}, []string{"one", "two"}},
		"no line end":       {[]string{"one\ntwo"}, []string{"one", "two"}},
		"windows":           {[]string{"one\r\n"}, []string{"one"}},
		"progress bar":      {[]string{"10%\r50%\r100%\n"}, []string{"100%"}},
		"empty line":        {[]string{"\n"}, []string{""}},
		"not text":          {[]string{"a\xffb\n"}, []string{"a\uFFFDb"}},
		"nothing":           {nil, nil},
		"longer than lines": {[]string{strings.Repeat("x", longestLine+1)}, []string{strings.Repeat("x", longestLine), "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			var o output
			var got []string
			for _, piece := range c.pieces {
				got = append(got, o.write(1, []byte(piece))...)
			}
			if diff := cmp.Diff(c.want, append(got, o.flush()...)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOutputKeepsStreamsApart(t *testing.T) {
	var o output
	o.write(1, []byte("out "))
	o.write(2, []byte("err "))
	got := append(o.write(1, []byte("put\n")), o.write(2, []byte("or\n"))...)
	if diff := cmp.Diff([]string{"out put", "err or"}, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzOutput(f *testing.F) {
	f.Add([]byte("one\ntwo\r\n\rthree"), 3)
	f.Add([]byte(strings.Repeat("x", longestLine+5)+"\n"), 1000)
	f.Fuzz(func(t *testing.T, raw []byte, at int) {
		at = min(max(at, 0), len(raw))
		var whole, parted output
		one := append(whole.write(1, raw), whole.flush()...)
		two := append(parted.write(1, raw[:at]), parted.write(1, raw[at:])...)
		two = append(two, parted.flush()...)
		if diff := cmp.Diff(one, two); diff != "" {
			t.Errorf("it matters where the pieces part: %s", diff)
		}
		for _, line := range one {
			if strings.ContainsAny(line, "\n") || !utf8.ValidString(line) {
				t.Errorf("not one line of text: %q", line)
			}
		}
	})
}

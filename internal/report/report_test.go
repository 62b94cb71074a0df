package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// render gives what a face writes for a stream: its error stream, then its output stream.
func render(t *testing.T, kind Kind, o Options, events []release.Event) (stderr, stdout string) {
	t.Helper()
	var out, err bytes.Buffer
	o.Out, o.Err, o.Now = &out, &err, func() time.Time { return at }
	synctest.Test(t, func(t *testing.T) {
		face := New(kind, o)
		for _, e := range events {
			face.Emit(e)
		}
		if closeErr := face.Close(); closeErr != nil {
			t.Error(closeErr)
		}
	})
	return err.String(), out.String()
}

// liveLines are what the terminal face takes off the screen again.
var liveLines = regexp.MustCompile("\r\x1b\\[K([^\n\r]*\r\x1b\\[K)*")

func TestGolden(t *testing.T) {
	previous := time.Local
	time.Local = time.UTC
	t.Cleanup(func() { time.Local = previous })
	for name, events := range streams() {
		for _, kind := range []Kind{Terminal, Plain, GitHub, JSON} {
			t.Run(name+"/"+string(kind), func(t *testing.T) {
				stderr, stdout := render(t, kind, Options{Explain: true}, events)
				got := "── stderr\n" + liveLines.ReplaceAllString(stderr, "") + "── stdout\n" + stdout
				golden(t, filepath.Join("testdata", name+"."+string(kind)), got)
			})
		}
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestChoose(t *testing.T) {
	tests := []struct {
		flag     string
		terminal bool
		env      map[string]string
		want     Kind
	}{
		{"", true, nil, Terminal},
		{"", false, nil, Plain},
		{"", true, map[string]string{"TERM": "dumb"}, Plain},
		{"", true, map[string]string{"GITHUB_ACTIONS": "true"}, GitHub},
		{"text", false, nil, Plain},
		{"text", true, map[string]string{"TERM": "dumb"}, Plain},
		{"plain", true, nil, Plain},
		{"json", true, map[string]string{"GITHUB_ACTIONS": "true"}, JSON},
		{"github", false, nil, GitHub},
		{"xml", false, nil, ""},
	}
	for _, tt := range tests {
		got, err := Choose(tt.flag, tt.terminal, func(name string) string { return tt.env[name] })
		if got != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("Choose(%q, %v, %v) = %q, %v; want %q", tt.flag, tt.terminal, tt.env, got, err, tt.want)
		}
	}
}

// poison is foreign text in every member that can have some.
func poison(text string) []release.Event {
	return []release.Event{
		release.PhaseStarted{Phase: release.PhaseBuild, About: text, ByHand: []string{text}},
		release.BuildStep{ID: "1", Name: text, State: "started"},
		release.BuildLog{ID: "1", Line: text},
		release.BuildStep{ID: "1", Name: text, State: "failed", Error: text},
		release.BuildStep{ID: "1", Name: text, State: "done"},
		release.Transfer{ID: "1", Name: text, Done: true},
		release.PhaseDone{Phase: release.PhaseBuild, Summary: text},
		release.PhaseFailed{Phase: release.PhaseBuild, Error: text},
		release.Found{Finding: release.Finding{Code: text, Where: text, Problem: text, Why: text, Cure: text}},
		release.RolloutStarted{Service: text, Deployment: text, From: release.Digest(text), To: release.Digest(text)},
		release.RolloutProgress{Service: text, Status: text, Desired: 1, Running: 1},
		release.ServiceMessage{Service: text, Text: text},
		release.TaskStopped{Service: text, Task: text, StopCode: text, Reason: text},
		release.LogLine{Service: text, Task: text, Text: text},
		release.Notice{Text: text},
		release.Result{Outcome: release.OutcomeSucceeded, Command: text, Target: text, Commit: text, Digest: release.Digest(text),
			Services: []release.ServiceResult{{Name: text, From: release.Digest(text), To: release.Digest(text), URL: text}}},
		release.Result{Outcome: release.OutcomeFailed, Exit: 1, Command: text, Error: text, Explanation: &release.Explanation{
			Service: text, Task: text, Cause: text, StopCode: text, Reason: text, Log: []string{text}, Next: []string{text}}},
	}
}

// ours are the workflow commands that the GitHub face writes itself.
var ours = regexp.MustCompile(`^::(group|endgroup|error|warning)( file=[^:]*)?::`)

func checkHarmless(t *testing.T, text string) {
	t.Helper()
	for _, kind := range []Kind{Plain, GitHub, Terminal} {
		stderr, stdout := render(t, kind, Options{Verbose: true, Explain: true}, poison(text))
		all := liveLines.ReplaceAllString(stderr, "") + stdout
		if i := strings.IndexFunc(all, func(r rune) bool { return r != '\n' && unsafe(r) }); i >= 0 {
			t.Errorf("%s: %q lets a control character through: %q", kind, text, all[max(0, i-40):min(len(all), i+40)])
		}
		if kind != GitHub {
			continue
		}
		for line := range strings.Lines(all) {
			if strings.Contains(line, "##[") {
				t.Errorf("%q gives a command: %q", text, line)
			}
			if strings.HasPrefix(strings.TrimLeftFunc(line, blank), "::") && !ours.MatchString(line) {
				t.Errorf("%q gives a command: %q", text, line)
			}
		}
	}
}

func TestForeignTextIsHarmless(t *testing.T) {
	for _, text := range []string{
		"::add-path::/evil", "x ##[error]evil", "\u00a0::set-env name=X::1", "a\n::stop-commands::t", "a\r::add-mask::x",
		"\x1b[2J\x1b]0;title\x07", "\u202eevil", "\xff\xfe::x::", "a\u2028::b::", "%0A::error::x", "\x00::x::",
	} {
		checkHarmless(t, text)
	}
}

func FuzzForeignText(f *testing.F) {
	f.Add("::error file=a,line=1::b\n\x1b[31m##[group]")
	f.Fuzz(func(t *testing.T, text string) {
		if ours.MatchString(text) {
			t.Skip("what we write ourselves cannot be told from it here")
		}
		checkHarmless(t, text)
	})
}

// TestSchema holds docs/events.schema.json and the JSON face in step, for every kind of event.
func TestSchema(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile(filepath.Join("..", "..", "docs", "events.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]bool{}
	for name, events := range streams() {
		_, stdout := render(t, JSON, Options{}, events)
		for line := range strings.Lines(stdout) {
			value, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
			if err != nil {
				t.Fatalf("%s: %q: %v", name, line, err)
			}
			if err := schema.Validate(value); err != nil {
				t.Errorf("%s: %s: %v", name, line, err)
			}
			kinds[value.(map[string]any)["type"].(string)] = true
		}
	}
	const all = 16 // the event types of package release
	if len(kinds) != all {
		t.Errorf("the streams have %d kinds of events, want all %d: %v", len(kinds), all, kinds)
	}
	for _, bad := range []string{`{}`, `{"type":"result"}`, `{"type":"unheard_of","time":"2026-11-23T12:00:00.000Z"}`} {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(bad))
		if err != nil {
			t.Fatal(err)
		}
		if schema.Validate(value) == nil {
			t.Errorf("the schema takes %s", bad)
		}
	}
}

func TestTheResultLine(t *testing.T) {
	_, stdout := render(t, JSON, Options{}, streams()["success"])
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	var got struct {
		Type, Outcome, Target, Image, Digest, Commit, Time string
		Exit                                               int
		Services                                           []map[string]any
		Seconds                                            map[string]float64
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &got); err != nil {
		t.Fatal(err)
	}
	if got.Type != "result" || got.Outcome != "succeeded" || got.Digest != string(newDigest) || got.Commit != commit || got.Time != "2026-11-23T12:00:00.000Z" {
		t.Errorf("result = %+v", got)
	}
	if got.Seconds["build"] != 1.3 || got.Seconds["total"] != 2.4 || got.Services[0]["running"] != 2.0 {
		t.Errorf("result = %+v", got)
	}
}

// brokenWriter fails.
type brokenWriter struct{}

var errBroken = errors.New("broken pipe")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestWriteErrorsAreTold(t *testing.T) {
	for _, kind := range []Kind{Terminal, Plain, GitHub, JSON} {
		face := New(kind, Options{Out: brokenWriter{}, Err: brokenWriter{}})
		face.Emit(release.Notice{Text: "x"})
		if err := face.Close(); !errors.Is(err, errBroken) {
			t.Errorf("%s: Close() = %v, want the write error", kind, err)
		}
	}
}

func TestNothingAfterClose(t *testing.T) {
	for _, kind := range []Kind{Terminal, Plain, GitHub, JSON} {
		var out bytes.Buffer
		face := New(kind, Options{Out: &out, Err: &out})
		for range 2 {
			if err := face.Close(); err != nil {
				t.Fatal(err)
			}
		}
		face.Emit(release.Notice{Text: "late"})
		if out.Len() > 0 {
			t.Errorf("%s wrote %q after Close", kind, out.String())
		}
	}
}

func TestASilentPhaseShowsThatItLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		face := New(Plain, Options{Out: &out, Err: &out})
		face.Emit(release.PhaseStarted{Phase: release.PhaseVerify, About: "x"})
		time.Sleep(35 * time.Second) // fake time
		synctest.Wait()
		if err := face.Close(); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(out.String(), "still in verify"); n < 2 {
			t.Errorf("%d signs of life in 35 s of silence:\n%s", n, out.String())
		}
	})
}

func TestTheLiveLineNeverWraps(t *testing.T) {
	for _, columns := range []int{10, 40, 80} {
		synctest.Test(t, func(t *testing.T) {
			var screen bytes.Buffer
			face := New(Terminal, Options{Out: &screen, Err: &screen, Color: true, Width: func() int { return columns }})
			face.Emit(release.PhaseStarted{Phase: release.PhaseBuild, About: strings.Repeat("部署 wide ", 30)})
			time.Sleep(time.Second) // fake time: the line is drawn a few times
			synctest.Wait()
			if err := face.Close(); err != nil {
				t.Fatal(err)
			}
			for _, drawn := range strings.Split(screen.String(), "\r\x1b[K") {
				plain, used := sequences.ReplaceAllString(drawn, ""), 0
				for _, r := range plain {
					used += columnsOf(r)
				}
				if used >= columns {
					t.Errorf("%d columns: the live line takes %d: %q", columns, used, plain)
				}
			}
		})
	}
}

func TestConcurrentEvents(t *testing.T) {
	for _, kind := range []Kind{Terminal, Plain, GitHub, JSON} {
		var out bytes.Buffer
		face := New(kind, Options{Out: &out, Err: &out})
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for _, e := range streams()["rolled-back"] {
					face.Emit(e)
				}
			})
		}
		all.Wait()
		if err := face.Close(); err != nil {
			t.Error(err)
		}
	}
}

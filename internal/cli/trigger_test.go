package cli

import (
	"bytes"
	"context"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/medusa-deploy/medusa-deploy/internal/github/dispatch"
	"github.com/medusa-deploy/medusa-deploy/internal/github/githubtest"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
	"github.com/medusa-deploy/medusa-deploy/internal/report"
)

// shopRun ends as the release input says: "bad" fails, "long" does not end.
func shopRun(id int64, inputs map[string]string) *githubtest.Run {
	at := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	conclusion, code := "success", ""
	if inputs["release"] == "bad" {
		conclusion, code = "failure", "2026-11-25T12:00:02.0000000Z ##[error]Process completed with exit code 6.\n"
	}
	job := githubtest.Job{
		ID: id, Name: "deploy", Status: "completed", Conclusion: conclusion, StartedAt: at, CompletedAt: at.Add(3 * time.Second),
		Log: "2026-11-25T12:00:01.0000000Z ##[group]Run medusa-deploy ship\n2026-11-25T12:00:01.5000000Z ##[endgroup]\n" +
			"2026-11-25T12:00:01.6000000Z ::error::injected ##[set-env name=x]y " + githubtest.Token + " \x1b[2Jcleared\n" + code,
		Steps: []githubtest.Step{{Name: "Ship", Status: "completed", Conclusion: conclusion, StartedAt: at.Add(time.Second), CompletedAt: at.Add(2 * time.Second)}},
	}
	if inputs["release"] == "long" {
		return &githubtest.Run{Stages: []githubtest.Stage{{Status: "in_progress"}}}
	}
	return &githubtest.Run{Stages: []githubtest.Stage{{Status: "completed", Conclusion: conclusion, Jobs: []githubtest.Job{job}}}}
}

// TestTrigger types `trigger` as a user would, against a GitHub Enterprise host over TLS.
func TestTrigger(t *testing.T) {
	type key struct{}
	server := func(ts *testscript.TestScript) *githubtest.Server { return ts.Value(key{}).(*githubtest.Server) }
	testscript.Run(t, testscript.Params{
		Dir: "testdata/trigger",
		Setup: func(env *testscript.Env) error {
			shop := githubtest.New()
			shop.AddWorkflow(githubtest.DeployWorkflow)
			jobs := int64(0)
			shop.NewRun = func(inputs map[string]string) *githubtest.Run {
				jobs++
				return shopRun(jobs, inputs)
			}
			started, err := shop.Start(env.WorkDir)
			if err != nil {
				return err
			}
			env.Defer(func() {
				started.Close()
				if leaks := shop.Leaks(); len(leaks) > 0 {
					t.Errorf("the token was brought to the storage host: %v", leaks)
				}
			})
			env.Values[key{}] = shop
			for name, value := range map[string]string{
				"GH_HOST": started.Host, "SSL_CERT_FILE": started.Certificate, "GH_ENTERPRISE_TOKEN": githubtest.Token,
				"TOKEN": githubtest.Token, "GH_CONFIG_DIR": env.WorkDir, "GIT_CONFIG_GLOBAL": os.DevNull,
			} {
				env.Setenv(name, value)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			// dispatched REF NAME=VALUE… checks the last dispatch; with ! that there was none.
			"dispatched": func(ts *testscript.TestScript, negated bool, args []string) {
				all := server(ts).Dispatches()
				if negated {
					if len(all) > 0 {
						ts.Fatalf("it was dispatched: %+v", all)
					}
					return
				}
				if len(all) == 0 {
					ts.Fatalf("nothing was dispatched")
				}
				last := all[len(all)-1]
				got := []string{last.Ref}
				for _, name := range slices.Sorted(maps.Keys(last.Inputs)) {
					got = append(got, name+"="+last.Inputs[name])
				}
				if !slices.Equal(got, args) {
					ts.Fatalf("dispatched %q, want %q", got, args)
				}
			},
			// followed waits until a run is looked at.
			"followed": func(ts *testscript.TestScript, _ bool, _ []string) {
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
				defer cancel()
				ts.Check(server(ts).Await(ctx, "jobs"))
			},
			// refuse KIND STATUS MESSAGE has GitHub refuse.
			"refuse": func(ts *testscript.TestScript, _ bool, args []string) {
				status := map[string]int{"403": http.StatusForbidden, "404": http.StatusNotFound, "422": http.StatusUnprocessableEntity}[args[1]]
				server(ts).Answer(args[0], githubtest.Answer{Status: status, Message: strings.Join(args[2:], " "), Times: 1})
			},
		},
	})
}

// TestTriggerSchema holds docs/trigger.schema.json and the events in step, with all of their fields and with none.
func TestTriggerSchema(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile(filepath.Join("..", "..", "docs", "trigger.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	face := report.New(report.JSON, report.Options{Out: &out, Mask: &report.Mask{}})
	for _, e := range []release.Event{
		dispatch.Dispatched{}, dispatch.JobChanged{}, dispatch.StepChanged{Number: 1}, dispatch.JobLog{}, release.Notice{Level: "info"},
		dispatch.Result{Outcome: release.OutcomeFailed, Command: "trigger"},
		dispatch.Dispatched{Repository: "acme/shop", Workflow: "deploy.yml", Ref: "main", Inputs: map[string]string{"a": "b"}, Run: 1, URL: "u"},
		dispatch.JobChanged{Job: "deploy", ID: 1, Status: "completed", Conclusion: "success", URL: "u", Seconds: 1.5},
		dispatch.StepChanged{Job: "deploy", Number: 1, Step: "Ship", Status: "completed", Conclusion: "success", Seconds: 1},
		dispatch.JobLog{Job: "deploy", Step: "Ship", At: time.Now(), Text: "x"},
		dispatch.Result{
			Outcome: release.OutcomeRefused, Exit: 3, Command: "trigger", Repository: "acme/shop", Run: 1, URL: "u",
			Conclusion: "failure", Reason: dispatch.ReasonNoRef, Error: "e", Seconds: 2,
		},
	} {
		face.Emit(e)
	}
	if err := face.Close(); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(value); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	for _, bad := range []string{`{}`, `{"type":"result","time":"2026-11-23T12:00:00.000Z"}`, `{"type":"phase_started","time":"2026-11-23T12:00:00.000Z","phase":"build","about":""}`} {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(bad))
		if err != nil {
			t.Fatal(err)
		}
		if schema.Validate(value) == nil {
			t.Errorf("the schema takes %s", bad)
		}
	}
}

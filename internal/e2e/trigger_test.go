package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/medusa-deploy/medusa-deploy/internal/github/githubtest"
)

// caller runs gh and medusa-deploy against one and the same GitHub Enterprise.
type caller struct {
	t   *testing.T
	dir string
	env []string
}

func newCaller(t *testing.T) (caller, *githubtest.Server) {
	t.Helper()
	server := githubtest.New()
	server.AddWorkflow(githubtest.DeployWorkflow)
	at := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	job := githubtest.Job{
		ID: 7, Name: "deploy", Status: "completed", Conclusion: "failure", StartedAt: at, CompletedAt: at.Add(3 * time.Second),
		Log: "2026-11-25T12:00:01.0000000Z ##[group]Run medusa-deploy rollback\n2026-11-25T12:00:02.0000000Z ##[error]Process completed with exit code 7.\n",
		Steps: []githubtest.Step{
			{Name: "Roll back", Status: "completed", Conclusion: "failure", StartedAt: at, CompletedAt: at.Add(3 * time.Second)},
		},
	}
	server.NewRun = func(map[string]string) *githubtest.Run {
		return &githubtest.Run{Stages: []githubtest.Stage{{Status: "completed", Conclusion: "failure", Jobs: []githubtest.Job{job}}}}
	}
	c := caller{t: t, dir: t.TempDir()}
	started, err := server.Start(c.dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		started.Close()
		if leaks := server.Leaks(); len(leaks) > 0 {
			t.Errorf("the token was brought to the storage host: %v", leaks)
		}
	})
	c.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + c.dir, "GH_CONFIG_DIR=" + filepath.Join(c.dir, "gh"), "GH_HOST=" + started.Host,
		"SSL_CERT_FILE=" + started.Certificate, "GH_NO_UPDATE_NOTIFIER=1", "GH_PROMPT_DISABLED=1", "GH_REPO=" + started.Host + "/acme/shop",
	}
	// gh's login, as `gh auth login` leaves it.
	hosts := `"` + started.Host + `"` + ":\n    user: ada\n    oauth_token: " + githubtest.Token + "\n    git_protocol: https\n"
	if err := os.MkdirAll(filepath.Join(c.dir, "gh"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.dir, "gh", "hosts.yml"), []byte(hosts), 0o600); err != nil {
		t.Fatal(err)
	}
	return c, server
}

func (c caller) run(program string, args ...string) (string, int) {
	c.t.Helper()
	command := exec.CommandContext(c.t.Context(), program, args...)
	command.Dir, command.Env = c.dir, c.env
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	if err := command.Run(); command.ProcessState == nil {
		c.t.Fatalf("%s: %v", program, err)
	}
	return out.String(), command.ProcessState.ExitCode()
}

// TestTriggerAndGHDispatchTheSame: one and the same workflow, ref and inputs, with one and the same login.
func TestTriggerAndGHDispatchTheSame(t *testing.T) {
	if testing.Short() {
		t.Skip("end-to-end tests are not short")
	}
	program := filepath.Join(root(t), "bin", "medusa-deploy")
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("%v: run `make build` first", err)
	}
	if _, err := exec.LookPath("gh"); err != nil {
		t.Fatalf("%v: run internal/e2e/install.sh first", err)
	}
	c, server := newCaller(t)
	inputs := []string{"target=production", "action=rollback", "release=v41 $(id) 'x'"}

	byHand := []string{"workflow", "run", "deploy.yml", "--ref", "main"}
	for _, pair := range inputs {
		byHand = append(byHand, "-f", pair)
	}
	if out, code := c.run("gh", byHand...); code != 0 {
		t.Fatalf("gh: exit %d: %s", code, out)
	}
	out, code := c.run(program, "trigger", "--ref", "main", "--target", "production", "--action", "rollback", "--release", "v41 $(id) 'x'")
	if code != 7 || !strings.Contains(out, "error: Process completed with exit code 7.") {
		t.Fatalf("trigger: exit %d: %s", code, out)
	}
	if strings.Contains(out, githubtest.Token) {
		t.Errorf("the token shows: %s", out)
	}
	all := server.Dispatches()
	if len(all) != 2 {
		t.Fatalf("%d dispatches arrived: %+v", len(all), all)
	}
	gh, ours := all[0], all[1]
	gh.ReturnRunDetails, ours.ReturnRunDetails = false, false // Debian's gh is older than the field
	if diff := cmp.Diff(gh, ours); diff != "" {
		t.Errorf("gh and trigger do not dispatch the same:\n%s", diff)
	}
	for _, r := range server.Requests("dispatch") {
		if _, token, _ := strings.Cut(r.Header.Get("Authorization"), " "); token != githubtest.Token || !strings.HasPrefix(r.Path, "/api/v3/repos/acme/shop/actions/workflows/") {
			t.Errorf("a dispatch went to %s with %q", r.Path, token)
		}
	}
	// The run that gh started is followed like one of our own.
	if out, code := c.run(program, "trigger", "--follow", "1000"); code != 7 {
		t.Errorf("trigger --follow: exit %d: %s", code, out)
	}
}

package e2e

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// TestTrace ships two commits and one that crashes. Then every name of what runs leads to all the others, the history
// tells what became of each, and what is changed by hand is drift.
func TestTrace(t *testing.T) {
	stage := upStage(t)
	one := green(t, stage, release.OutcomeSucceeded, "ship")
	edit(t, stage, "Hello from", "Hello again from")
	two := green(t, stage, release.OutcomeSucceeded, "ship")
	breakImage(t, stage, "ENV CRASH=3")
	bad, err := stage.Release(t.Context(), "ship")
	if err != nil {
		t.Fatal(err)
	}
	if bad.Outcome != release.OutcomeRolledBack || bad.Explanation == nil {
		t.Fatalf("outcome %s: %s\n%s", bad.Outcome, bad.Error, bad.Raw)
	}
	restoreImage(t, stage)

	t.Run("history", func(t *testing.T) { expectHistory(t, stage, one, two, bad) })
	t.Run("what would ship", func(t *testing.T) { expectNext(t, stage, two) })
	t.Run("from each name to all the others", func(t *testing.T) { expectTraces(t, stage, one, two, bad) })
	t.Run("what leads nowhere", func(t *testing.T) { expectDeadEnds(t, stage) })
	aws := newAWS(t, stage)
	t.Run("the tag is moved by hand", func(t *testing.T) { moveTag(t, stage, aws, one, two) })
	t.Run("a task definition by hand", func(t *testing.T) { changeDefinition(t, stage, aws, two) })
	t.Run("the image is deleted", func(t *testing.T) { deleteImage(t, stage, aws, two) })
}

// document runs a command with JSON output, holds the output against its schema, and decodes it.
func document(t *testing.T, stage *rehearsal.Stage, into any, args ...string) {
	t.Helper()
	out := must(t, stage, append(args, "--output", "json")...)
	validate(t, args[0], out)
	decode(t, out, into)
}

func validate(t *testing.T, schema, text string) {
	t.Helper()
	compiled, err := jsonschema.NewCompiler().Compile(filepath.Join("..", "..", "docs", schema+".schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := compiled.Validate(value); err != nil {
		t.Errorf("%s.schema.json: %v\n%s", schema, err, text)
	}
}

func expectHistory(t *testing.T, stage *rehearsal.Stage, one, two, bad rehearsal.Result) {
	var h release.History
	document(t, stage, &h, "history")
	if len(h.Deployments) != 3 || h.More != 0 {
		t.Fatalf("history = %+v, want three deployments", h)
	}
	newest, runs, first := h.Deployments[0], h.Deployments[1], h.Deployments[2]
	if newest.State != release.StateRolledBack || newest.Digest != bad.Digest || newest.Commit != bad.Commit || newest.WentBack == nil ||
		newest.WentBack.Digest != two.Digest || newest.WentBack.Commit != two.Commit || newest.WentBack.Deployment != two.Services[0].Deployment {
		t.Errorf("the newest = %+v, went back to %+v, want the bad commit rolled back to the second", newest, newest.WentBack)
	}
	if runs.State != release.StateRuns || runs.Digest != two.Digest || runs.Running != 2 || runs.Deployment != two.Services[0].Deployment || !slices.Contains(runs.Tags, "latest") {
		t.Errorf("the second = %+v, want what runs", runs)
	}
	if first.State != release.StateReplaced || first.Digest != one.Digest || first.Running != 0 || first.Subject != "first version" {
		t.Errorf("the first = %+v, want it replaced", first)
	}
	table := must(t, stage, "history")
	for _, want := range []string{"rolled back to " + two.Digest.Short(), "runs now, 2 tasks", "replaced", "break it: ENV CRASH=3"} {
		if !strings.Contains(table, want) {
			t.Errorf("the table does not say %q:\n%s", want, table)
		}
	}
}

func expectNext(t *testing.T, stage *rehearsal.Stage, two rehearsal.Result) {
	var s release.Status
	document(t, stage, &s, "status")
	if s.Drifted() || s.Services[0].Rollout.State != release.StateRolledBack || s.Services[0].Commit != two.Commit {
		t.Errorf("status = %+v, want the second commit and no drift", s)
	}
	if s.Next == nil || s.Next.From != two.Commit || s.Next.Relation != release.RelationAhead || s.Next.Count != 2 ||
		s.Next.Commits[1].Subject != "break it: ENV CRASH=3" || s.Next.Commits[0].Author != "Ada" {
		t.Errorf("next = %+v, want the bad commit and its revert", s.Next)
	}
}

// expectTraces asks for an image by every name that ECS, ECR, git and the program itself have for it.
func expectTraces(t *testing.T, stage *rehearsal.Stage, one, two, bad rehearsal.Result) {
	var h release.History
	document(t, stage, &h, "history")
	last := func(arn string) string { return arn[strings.LastIndex(arn, "/")+1:] }
	var whole release.Trace
	document(t, stage, &whole, "trace", two.Commit)
	if whole.Image.Digest != two.Digest || whole.Commit != two.Commit || whole.Source == nil || len(whole.Tasks) < 2 || len(whole.Deployments) != 1 ||
		!slices.Contains(whole.Image.Tags, "git-"+two.Commit) || !slices.Contains(whole.Image.Tags, "latest") || whole.Image.SizeBytes == 0 || whole.Image.PushedAt.IsZero() {
		t.Fatalf("trace = %+v", whole)
	}
	tasks := strings.Fields(newAWS(t, stage).run("ecs", "list-tasks", "--cluster", "medusa-cluster", "--service-name", "medusa-service", "--query", "taskArns", "--output", "text"))
	runs, digest := h.Deployments[1], string(two.Digest)
	refs := []string{
		two.Commit[:12], two.Commit[:7], "HEAD~2", "main~2", "latest", "git-" + two.Commit, "medusa:latest", digest, digest[:7+12], digest[7 : 7+16], two.Image,
		runs.Deployment, last(runs.Deployment), runs.Revision, last(runs.Revision), tasks[0], last(tasks[0]), last(tasks[1])[:10],
	}
	forget := func(tr *release.Trace) { // what differs by the reference, or by the moment
		tr.Ref, tr.Kinds, tr.Name = "", nil, ""
		for n := range tr.Tasks {
			tr.Tasks[n].Health = ""
		}
	}
	forget(&whole)
	for _, ref := range refs {
		var got release.Trace
		document(t, stage, &got, "trace", ref)
		forget(&got)
		if diff := cmp.Diff(whole, got); diff != "" {
			t.Errorf("%s leads elsewhere than the commit:\n%s", ref, diff)
		}
	}
	others := map[string]release.Digest{
		one.Commit: one.Digest, bad.Commit[:12]: bad.Digest, bad.Explanation.Task: bad.Digest, last(h.Deployments[0].Deployment): bad.Digest, last(h.Deployments[2].Revision): one.Digest,
	}
	for ref, want := range others {
		var got release.Trace
		if document(t, stage, &got, "trace", ref); got.Image.Digest != want {
			t.Errorf("%s leads to %s, want %s", ref, got.Image.Digest, want)
		}
	}
	text := must(t, stage, "trace", "HEAD~2")
	for _, want := range []string{two.Commit, digest, last(tasks[0]), last(tasks[1]), "runs now, 2 tasks", runs.Revision, "Ada, "} {
		if !strings.Contains(text, want) {
			t.Errorf("the text does not have %q:\n%s", want, text)
		}
	}
}

func expectDeadEnds(t *testing.T, stage *rehearsal.Stage) {
	for ref, want := range map[string]struct {
		exit int
		says string
	}{
		"HEAD":           {release.ExitCheck, "has no image of it: not built yet"},
		"no-such-thing":  {release.ExitCheck, "tag: repository medusa has no such tag"},
		"medusa:99":      {release.ExitCheck, "ECS has no medusa:99"},
		"medusa:1":       {release.ExitUsage, "leads to several images"},
		"sha256:0123":    {release.ExitUsage, "give at least 12 digits"},
		"arn:aws:s3:::x": {release.ExitUsage, "is no ARN of ECS"},
	} {
		out, err := stage.Run(t.Context(), "trace", ref)
		if err != nil {
			t.Fatal(err)
		}
		if out.Exit != want.exit || !strings.Contains(out.Stderr, want.says) || out.Stdout != "" {
			t.Errorf("trace %s: exit %d, %s, want exit %d and %q", ref, out.Exit, out.Stderr, want.exit, want.says)
		}
	}
}

// kinds looks at the status and gives the kinds of drift of the service.
func kinds(t *testing.T, stage *rehearsal.Stage) []release.DriftKind {
	t.Helper()
	var s release.Status
	document(t, stage, &s, "status")
	found := []release.DriftKind{}
	for _, d := range s.Services[0].Drift {
		found = append(found, d.Kind)
	}
	return found
}

// put moves a tag as a person would, with the AWS CLI alone.
func put(t *testing.T, aws awsCLI, tag string, d release.Digest) {
	t.Helper()
	manifest := aws.run("ecr", "batch-get-image", "--repository-name", "medusa", "--image-ids", "imageDigest="+string(d), "--query", "images[0].imageManifest", "--output", "text")
	aws.run("ecr", "put-image", "--repository-name", "medusa", "--image-tag", tag, "--image-manifest", manifest)
}

// moveTag watches while :latest is moved to another image and back.
func moveTag(t *testing.T, stage *rehearsal.Stage, aws awsCLI, one, two rehearsal.Result) {
	aws.t = t
	command := stage.Command(t.Context(), "status", "--watch", "--output", "json")
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	next := func() release.Status {
		t.Helper()
		if !lines.Scan() {
			t.Fatalf("the watch ended: %v", lines.Err())
		}
		validate(t, "status", lines.Text())
		var s release.Status
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	if s := next(); s.Drifted() {
		t.Errorf("drift before anything was touched: %+v", s)
	}
	put(t, aws, "latest", one.Digest)
	if s := next(); s.Tagged != one.Digest || len(s.Services[0].Drift) != 1 || s.Services[0].Drift[0].Kind != release.DriftTag {
		t.Errorf("after the tag was moved: %+v", s)
	}
	out, err := stage.Run(t.Context(), "status", "--exit-code")
	if err != nil {
		t.Fatal(err)
	}
	if want := "drift: :latest names " + one.Digest.Short() + ", but " + two.Digest.Short() + " runs"; out.Exit != release.ExitCheck || !strings.Contains(out.Stdout, want) {
		t.Errorf("status --exit-code: exit %d\n%s", out.Exit, out.Stdout)
	}
	put(t, aws, "latest", two.Digest)
	if s := next(); s.Drifted() {
		t.Errorf("after the tag was moved back: %+v", s)
	}
	if err := command.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if lines.Scan() {
		t.Errorf("a line although nothing changed: %s", lines.Text())
	}
	if err := command.Wait(); err != nil {
		t.Errorf("an interrupted watch: %v, want exit 0", err)
	}
}

// changeDefinition registers a revision of the task definition and updates the service, with the AWS CLI alone.
func changeDefinition(t *testing.T, stage *rehearsal.Stage, aws awsCLI, two rehearsal.Result) {
	aws.t = t
	text, err := stage.Read("ecs/task-definition.json")
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(text, `"memory": "512"`, `"memory": "1024"`, 1)
	path := filepath.Join(t.TempDir(), "task-definition.json")
	if err := os.WriteFile(path, []byte(changed), 0o600); err != nil || changed == text {
		t.Fatalf("change the task definition: %v", err)
	}
	revision := aws.run("ecs", "register-task-definition", "--cli-input-json", "file://"+path, "--query", "taskDefinition.[family,revision]", "--output", "text")
	name := strings.Join(strings.Fields(revision), ":")
	aws.run("ecs", "update-service", "--cluster", "medusa-cluster", "--service", "medusa-service", "--task-definition", name)
	var s release.Status
	eventually(t, "the service settles on "+name, func() bool {
		s = statusOf(t, stage)
		return !s.InFlight() && strings.HasSuffix(s.Services[0].TaskDefinition, name)
	})
	drift := map[release.DriftKind]release.Drift{}
	for _, d := range s.Services[0].Drift {
		drift[d.Kind] = d
	}
	if got := drift[release.DriftDefinition].Text; !strings.Contains(got, "to "+name+" while the image stayed") {
		t.Errorf("drift = %+v, want a task definition that no release brought", s.Services[0].Drift)
	}
	if got := drift[release.DriftFiles].Differences; len(got) != 1 || got[0].Path != "memory" || got[0].From != `"1024"` || got[0].To != `"512"` {
		t.Errorf("differences = %+v, want the memory, as it is and as the file has it", got)
	}
	var got release.Trace
	if document(t, stage, &got, "trace", name); got.Image.Digest != two.Digest || len(got.Definitions) != 2 || len(got.Deployments) != 2 {
		t.Errorf("%s leads to %+v, want what runs, with both of its task definitions", name, got)
	}
}

// deleteImage deletes what runs from the registry.
func deleteImage(t *testing.T, stage *rehearsal.Stage, aws awsCLI, two rehearsal.Result) {
	aws.t = t
	aws.run("ecr", "batch-delete-image", "--repository-name", "medusa", "--image-ids", "imageDigest="+string(two.Digest))
	if got := kinds(t, stage); !slices.Contains(got, release.DriftGone) {
		t.Errorf("drift = %v, want that the image is gone", got)
	}
	if table := must(t, stage, "history"); strings.Count(table, "image gone") != 2 {
		t.Errorf("the table does not mark both deployments of the image that is gone:\n%s", table)
	}
	var got release.Trace
	if document(t, stage, &got, "trace", string(two.Digest)[:7+12]); !got.Gone || got.Image.Digest != two.Digest || len(got.Deployments) != 2 || len(got.Tasks) < 2 {
		t.Errorf("trace = %+v, want an image that is gone, with its deployments and tasks", got)
	}
}

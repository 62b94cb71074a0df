package localci

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"html"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Surroundings are what a run gets to see of the world that it deploys to.
type Surroundings struct {
	Variables map[string]string // of every step
	Secrets   map[string]string // `secrets.NAME`
	Vars      map[string]string // `vars.NAME`
}

// job is one workflow that is to run, and why.
type job struct {
	workflow workflow
	event    string
	ref, sha string
	inputs   map[string]any // of a dispatch
	subject  string         // of the commit
	payload  func(s settings, branch string) any
	source   string // checkout of sha
}

// runner runs workflows, one after the other, and writes what happens.
type runner struct {
	dir      Dir
	settings settings
	world    Surroundings
	out      *output
	branch   string // the default one
}

func (d Dir) runner(ctx context.Context, world Surroundings, out *output) (*runner, error) {
	s, err := d.load()
	if err != nil {
		return nil, err
	}
	if err := d.Problem(); err != nil {
		return nil, err
	}
	if err := d.sweep(); err != nil {
		return nil, err
	}
	head, err := git(ctx, d.Repository(), "symbolic-ref", "HEAD")
	if err != nil {
		return nil, err
	}
	return &runner{dir: d, settings: s, world: world, out: out, branch: strings.TrimPrefix(strings.TrimSpace(head), "refs/heads/")}, nil
}

// output writes lines to whoever started the run, for as long as he is there, and to the run's log.
type output struct {
	mu   sync.Mutex
	to   io.Writer
	log  io.Writer
	gone context.CancelCauseFunc // called when nobody reads any more
}

// errGone says that whoever started a run went away.
var errGone = errors.New("whoever started it went away")

func (o *output) line(text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.log != nil {
		_, _ = io.WriteString(o.log, text+"\n") // a full disk must not end a deploy
	}
	if o.to == nil {
		return
	}
	if _, err := io.WriteString(o.to, text+"\n"); err != nil {
		o.to = nil
		o.gone(fmt.Errorf("%w: %w", errGone, err))
	}
}

func (o *output) linef(format string, args ...any) { o.line(fmt.Sprintf(format, args...)) }

// run takes one workflow from its record to its outcome.
func (r *runner) run(ctx context.Context, j job) (Record, error) {
	number, path, err := r.dir.nextRun()
	if err != nil {
		return Record{}, err
	}
	alive, err := take(r.dir.runLock(number), os.Getpid())
	if err != nil || alive == nil {
		return Record{}, errors.Join(fmt.Errorf("begin run %d", number), err)
	}
	defer alive.release()
	logFile, err := os.OpenFile(filepath.Join(path, "log.txt"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return Record{}, fmt.Errorf("begin run %d: %w", number, err)
	}
	defer logFile.Close()
	r.out.log = logFile
	defer func() { r.out.log = nil }()
	known := r.facts(j, number)
	record := Record{
		Number: number, Workflow: j.workflow.name(), Path: j.workflow.path, Title: visible(j.workflow.title(known, j.subject)),
		Event: j.event, Ref: j.ref, SHA: j.sha, Started: time.Now().UTC(), Log: logFile.Name(), Mark: "local-ci-" + rand.Text(), Source: j.source,
	}
	if err := writeJSON(r.dir.recordPath(number), record); err != nil {
		return record, err
	}
	r.out.linef("local ci: run %d of %s (%s): %s", number, visible(record.Workflow), record.Path, record.Title)
	r.out.linef("  %s of %s at %s", record.Event, visible(strings.TrimPrefix(record.Ref, "refs/heads/")), record.SHA[:min(12, len(record.SHA))])
	return r.finish(record, r.inTurn(ctx, j, known, &record, path))
}

// finish records the outcome and tells it.
func (r *runner) finish(record Record, failed error) (Record, error) {
	record.Finished = time.Now().UTC()
	record.Outcome = Success
	var replaced *replacedError
	switch {
	case failed == nil:
	case errors.As(failed, &replaced), errors.Is(failed, context.Canceled), errors.Is(failed, errGone), errors.Is(failed, ErrInterrupted):
		record.Outcome, record.Reason = Cancelled, failed.Error()
	default:
		record.Outcome, record.Reason = Failure, failed.Error()
	}
	took := short(record.Finished.Sub(record.Started))
	switch record.Outcome {
	case Success:
		r.out.linef("✅ local ci: run %d of %s succeeded in %s", record.Number, visible(record.Workflow), took)
	case Cancelled:
		r.out.linef("⚠️ local ci: run %d of %s was cancelled after %s: %s", record.Number, visible(record.Workflow), took, visible(record.Reason))
	default:
		r.out.linef("❌ local ci: run %d of %s FAILED after %s: %s", record.Number, visible(record.Workflow), took, visible(record.Reason))
		r.out.linef("   its log: %s", record.Log)
	}
	return record, writeJSON(r.dir.recordPath(record.Number), record)
}

// ErrInterrupted is the cause of a context that a signal ended.
var ErrInterrupted = errors.New("interrupted")

// inTurn waits until the run may begin, and has act do it.
func (r *runner) inTurn(ctx context.Context, j job, known facts, record *Record, path string) error {
	for _, t := range j.workflow.turns(known) {
		mine, err := r.dir.enter(ctx, t, record.Number, func(other int) {
			r.out.linef("  waits for run %d: both are of the concurrency group %q", other, visible(t.group))
		})
		if err != nil {
			return err
		}
		defer mine.release()
	}
	scratch := r.dir.scratch(record.Number)
	if err := os.Mkdir(scratch, 0o700); err != nil {
		return fmt.Errorf("begin run %d: %w", record.Number, err)
	}
	defer os.RemoveAll(scratch) //nolint:errcheck // secrets are in it, which are readable for this user alone
	mapped, fetched := r.dir.standIns(j.workflow.used())
	for _, one := range fetched {
		r.out.linef("  %s has no stand-in here: it is fetched from GitHub", visible(one))
	}
	act, err := r.act(j, *record, scratch, mapped)
	if err != nil {
		return err
	}
	shown := &stream{line: r.out.line, name: record.Workflow}
	err = act.run(ctx, shown)
	if text := strings.TrimSpace(shown.summary.String()); text != "" {
		record.Summary = filepath.Join(path, "summary.md")
		r.showSummary(text)
		err = errors.Join(err, replace(record.Summary, []byte(text+"\n")))
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// showSummary prints the job summary, as Markdown. Written for a browser, its characters are entities where they could be
// taken for markup; a terminal shows them as they are, without what could control it.
func (r *runner) showSummary(text string) {
	r.out.line("── summary")
	text = html.UnescapeString(strings.NewReplacer("<code>", "`", "</code>", "`").Replace(text))
	for line := range strings.SplitSeq(text, "\n") {
		r.out.line(strings.TrimRight("  "+visible(line), " "))
	}
}

// act sets act up for a job.
func (r *runner) act(j job, record Record, scratch string, standins map[string]string) (actRun, error) {
	secrets, err := r.merged(r.world.Secrets, r.dir.secrets())
	if err != nil {
		return actRun{}, err
	}
	vars, err := r.merged(r.world.Vars, r.dir.variables())
	if err != nil {
		return actRun{}, err
	}
	variables := maps.Clone(r.world.Variables)
	if variables == nil {
		variables = map[string]string{}
	}
	owner, _, _ := strings.Cut(r.settings.Name, "/")
	maps.Copy(variables, map[string]string{
		"GITHUB_REPOSITORY": r.settings.Name, "GITHUB_REPOSITORY_OWNER": owner, "GITHUB_RUN_ID": fmt.Sprint(record.Number),
		"GITHUB_RUN_NUMBER": fmt.Sprint(record.Number), "SHA_REF": j.sha, "MEDUSA_DEPLOY_CI_PROGRAM": r.settings.Program,
	})
	labels := []string{"ubuntu-latest", "ubuntu-24.04", "ubuntu-22.04"}
	for _, label := range j.workflow.labels() {
		if strings.HasPrefix(label, "ubuntu-") && !slices.Contains(labels, label) || label == "self-hosted" {
			labels = append(labels, label)
		}
	}
	return actRun{
		act: r.settings.Act, source: j.source, workflow: j.workflow.path, event: j.event, scratch: scratch, home: r.dir.home(), bin: r.dir.bin(),
		mark: record.Mark, standins: standins, labels: labels, payload: j.payload(r.settings, r.branch),
		variables: variables, secrets: secrets, vars: vars,
	}, nil
}

// merged are the world's values, and over them the user's own.
func (r *runner) merged(world map[string]string, path string) (map[string]string, error) {
	own, err := readPairs(path)
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	maps.Copy(all, world)
	maps.Copy(all, own)
	return all, nil
}

// facts are what run-name and concurrency may use.
func (r *runner) facts(j job, number int) facts {
	lower := map[string]any{}
	for name, value := range j.inputs {
		lower[strings.ToLower(name)] = value
	}
	vars := map[string]any{}
	for name, value := range r.world.Vars {
		vars[strings.ToLower(name)] = value
	}
	kind := "branch"
	if strings.HasPrefix(j.ref, "refs/tags/") {
		kind = "tag"
	}
	owner, _, _ := strings.Cut(r.settings.Name, "/")
	return facts{
		"inputs": lower, "vars": vars,
		"github": map[string]any{
			"ref": j.ref, "ref_name": change{ref: j.ref}.name(), "ref_type": kind, "sha": j.sha, "event_name": j.event, "actor": actor,
			"workflow": j.workflow.name(), "repository": r.settings.Name, "repository_owner": owner,
			"run_id": fmt.Sprint(number), "run_number": fmt.Sprint(number), "run_attempt": "1", "head_ref": "", "base_ref": "",
		},
	}
}

// source checks a commit out, for the workflows in it.
func (r *runner) source(ctx context.Context, sha string) (path string, remove func(), err error) {
	path, err = os.MkdirTemp(string(r.dir), "source-")
	if err != nil {
		return "", nil, fmt.Errorf("check out %s: %w", sha, err)
	}
	remove = func() { _ = os.RemoveAll(path) }
	_, err = r.dir.Checkout(ctx, Checkout{Workspace: path, Ref: sha, Depth: 1})
	if err != nil {
		remove()
		return "", nil, err
	}
	return path, remove, nil
}

package build

import (
	"strings"

	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// The states of a release.BuildStep.
const (
	stepStarted = "started"
	stepDone    = "done"
	stepCached  = "cached"
	stepFailed  = "failed"
)

// cancelled is the error of a step that BuildKit gave up because another one failed.
const cancelled = "context canceled"

// progress turns what the daemon says of a solve into events. It sees one status at a time.
type progress struct {
	emit    release.Emit
	push    bool   // a pushing solve repeats a build: its steps were reported by the first
	secret  string // never let through
	steps   map[digest.Digest]*step
	ordered []*step

	imports   bool // results may come from a cache elsewhere
	cacheLost bool // that it is broken was said
}

// step is one vertex of the build graph, as far as it was reported.
type step struct {
	id        string
	name      string
	state     string
	err       string
	output    output
	transfers map[string]release.Transfer
}

func newProgress(emit release.Emit, push bool, secret string) *progress {
	return &progress{emit: emit, push: push, secret: secret, steps: map[digest.Digest]*step{}}
}

// observe reports what is new in one status.
func (p *progress) observe(status *client.SolveStatus) {
	for _, v := range status.Vertexes {
		p.vertex(v)
	}
	for _, s := range status.Statuses {
		p.transfer(s)
	}
	for _, l := range status.Logs {
		s := p.step(l.Vertex)
		for _, line := range s.output.write(l.Stream, l.Data) {
			p.log(s, line)
		}
	}
	for _, v := range status.Vertexes { // after the logs that came with it, so that a step's last words precede its end
		p.finish(v)
	}
}

// end reports lines that were never ended.
func (p *progress) end() {
	for _, s := range p.ordered {
		p.flush(s)
	}
}

func (p *progress) step(id digest.Digest) *step {
	s, ok := p.steps[id]
	if !ok {
		s = &step{id: id.String(), transfers: map[string]release.Transfer{}}
		p.steps[id] = s
		p.ordered = append(p.ordered, s)
	}
	return s
}

// vertex reports that a step began.
func (p *progress) vertex(v *client.Vertex) {
	s := p.step(v.Digest)
	if v.Name != "" {
		s.name = p.censor(v.Name)
	}
	if v.Started == nil || s.state != "" || !visible(s.name) || p.push || v.Cached {
		return
	}
	s.state = stepStarted
	p.emit(release.BuildStep{ID: s.id, Name: s.name, State: stepStarted})
}

// finish reports that a step ended. BuildKit may run one step in several intervals; its first end is what counts,
// except that a failure always does.
func (p *progress) finish(v *client.Vertex) {
	if v.Completed == nil && !v.Cached {
		return
	}
	s := p.step(v.Digest)
	p.flush(s)
	state := stepDone
	switch {
	case v.Error != "":
		state = stepFailed
	case v.Cached:
		state = stepCached
	}
	if s.state == state || s.state == stepFailed || s.state != "" && s.state != stepStarted && state != stepFailed {
		return
	}
	if state == stepFailed {
		p.failed(s, v)
		return
	}
	s.state = state
	if visible(s.name) && !p.push {
		p.emit(release.BuildStep{ID: s.id, Name: s.name, State: state, Seconds: seconds(v)})
	}
}

func (p *progress) failed(s *step, v *client.Vertex) {
	s.state, s.err = stepFailed, p.censor(v.Error)
	switch {
	case strings.HasPrefix(s.name, "importing cache"):
		if !p.push && !missing(s.err) {
			p.emit(release.Notice{Level: "warning", Text: "the build cache could not be read, so this build does without: " + s.err})
		}
		return
	case strings.HasPrefix(s.name, "exporting cache"), strings.HasPrefix(s.name, "exporting to GitHub Actions Cache"):
		p.emit(release.Notice{Level: "warning", Text: "the build cache could not be stored, so the next build elsewhere starts from nothing: " + s.err})
		return
	}
	if p.imports && containsAny(s.err, lostBlobs...) {
		p.lostCache(s.err) // the daemon runs the step, or the solve is repeated without the cache
		return
	}
	why := s.err
	if strings.HasSuffix(why, cancelled) {
		why = "given up, because another step failed"
	}
	p.emit(release.BuildStep{ID: s.id, Name: s.name, State: stepFailed, Seconds: seconds(v), Error: why})
}

// lostCache says once that a cache is broken.
func (p *progress) lostCache(why string) {
	if !p.cacheLost {
		p.emit(release.Notice{Level: "warning", Text: "the build cache names what it does not have, so this build does without: " + why})
	}
	p.cacheLost = true
}

// missing says whether a registry answered that there is no such cache, which the first build of every repository finds.
func missing(why string) bool {
	return containsAny(why, "not found", "404 Not Found", "NAME_UNKNOWN", "MANIFEST_UNKNOWN") && !containsAny(why, lostBlobs...)
}

// transfer reports how far an export or a push is.
func (p *progress) transfer(status *client.VertexStatus) {
	s := p.step(status.Vertex)
	if !strings.HasPrefix(s.name, "exporting to image") {
		return
	}
	name := status.Name
	if name == "" {
		name = status.ID
	}
	t := release.Transfer{
		ID: status.ID, Name: p.censor(name), Current: status.Current, Total: status.Total, Done: status.Completed != nil,
	}
	if s.transfers[t.ID] == t {
		return
	}
	s.transfers[t.ID] = t
	p.emit(t)
}

func (p *progress) flush(s *step) {
	for _, line := range s.output.flush() {
		p.log(s, line)
	}
}

func (p *progress) log(s *step, line string) {
	line = p.censor(line)
	s.output.remember(line)
	if visible(s.name) && !p.push {
		p.emit(release.BuildLog{ID: s.id, Line: line})
	}
}

// find gives what is known of a vertex; when the daemon did not name one, the first step that failed by itself.
func (p *progress) find(id string) *step {
	if s, ok := p.steps[digest.Digest(id)]; ok {
		return s
	}
	for _, s := range p.ordered {
		if s.state == stepFailed && !strings.HasSuffix(s.err, cancelled) && !strings.HasPrefix(s.name, "importing cache") {
			return s
		}
	}
	return nil
}

// censor keeps the registry's password out, should a daemon or a registry ever repeat it.
func (p *progress) censor(text string) string {
	if p.secret == "" {
		return text
	}
	return strings.ReplaceAll(text, p.secret, "********")
}

// visible says whether a vertex is a step that the user wrote, rather than BuildKit's own housekeeping.
func visible(name string) bool {
	for _, own := range []string{"[internal]", "[auth]", "exporting ", "importing cache", "resolve image config", "preparing build cache", "merging", "diff "} {
		if strings.HasPrefix(name, own) {
			return false
		}
	}
	return name != ""
}

func seconds(v *client.Vertex) float64 {
	if v.Started == nil || v.Completed == nil {
		return 0
	}
	return v.Completed.Sub(*v.Started).Seconds()
}

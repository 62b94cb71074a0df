package release

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// DeployRequest brings an image that the registry has to a target.
type DeployRequest struct {
	Target Target
	// Ref is a tag, a digest or a full commit sha; empty: what the release tag names now.
	Ref    string
	DryRun bool // stop before anything changes
}

// Deploy releases an image that is already in the registry.
func (p *Pipeline) Deploy(ctx context.Context, req DeployRequest) Result {
	r := p.start("deploy", req.Target)
	return r.end(ctx, func() error {
		image, err := r.find(ctx, req.Target, orElse(req.Ref, req.Target.Tag))
		if err != nil {
			return err
		}
		r.image(image)
		if err := r.preflight(ctx, CheckRequest{Target: req.Target, Platforms: image.Platforms}); err != nil {
			return err
		}
		if err := r.requireSignature(ctx, req.Target, image); err != nil {
			return err
		}
		if req.DryRun {
			return r.plan(ctx, req.Target, image)
		}
		return r.roll(ctx, req.Target, image)
	}())
}

// find gives the image that a tag, a digest or a full commit sha names; a name that leads nowhere is refused.
func (r *run) find(ctx context.Context, t Target, ref string) (Image, error) {
	tried := []string{ref, "git-" + ref}
	if Digest(ref).Valid() || strings.HasPrefix(ref, "git-") {
		tried = tried[:1]
	}
	for _, name := range tried {
		image, err := r.Registry.Image(ctx, t.Repository, name)
		if err == nil {
			return image, nil
		}
		if !notFound(err) {
			return Image{}, asFailure(ctx, err, OutcomeFailed, ExitInternal)
		}
	}
	return Image{}, failf(OutcomeRefused, ExitCheck,
		"the registry has no image %s:%s; nothing was touched: see `medusa-deploy status` for what runs, or `medusa-deploy ship` to build it", t.Repository, ref)
}

// RollbackRequest brings an earlier image back.
type RollbackRequest struct {
	Target Target
	To     string // tag, digest or full commit sha; empty or "previous": the newest earlier successful one
	// Confirm is asked once the image is known and before anything is touched; an error refuses. nil: nobody is asked.
	Confirm func(image Image) error
}

// Rollback brings back an earlier image: nothing is rebuilt, a tag moves.
func (p *Pipeline) Rollback(ctx context.Context, req RollbackRequest) Result {
	r := p.start("rollback", req.Target)
	r.backwards = true
	return r.end(ctx, func() error {
		image, err := r.rollbackImage(ctx, req)
		if err != nil {
			return err
		}
		r.image(image)
		if req.Confirm != nil {
			if err := req.Confirm(image); err != nil {
				return &Failure{Outcome: OutcomeRefused, Exit: ExitInterrupted, Err: err}
			}
		}
		return r.roll(ctx, req.Target, image)
	}())
}

func (r *run) rollbackImage(ctx context.Context, req RollbackRequest) (image Image, err error) {
	about := "an earlier image of " + strings.Join(req.Target.Services, ", ")
	err = r.phase(ctx, PhaseRollback, about, nil, func(ctx context.Context) (string, bool, error) {
		if req.To != "" && req.To != "previous" {
			image, err = r.find(ctx, req.Target, req.To)
		} else {
			image, err = r.previous(ctx, req.Target)
		}
		if err != nil {
			return "", false, err
		}
		return image.Digest.Short() + describeCommit(image), false, nil
	})
	return image, err
}

func describeCommit(i Image) string {
	if sha := i.Labels[LabelRevision]; sha != "" {
		return " of commit " + sha[:min(12, len(sha))]
	}
	return ""
}

// previous gives the newest earlier successful image of the first service that the registry still has. Earlier means:
// another digest than the one that runs. A revision number less one may be another bad one, so it counts for nothing.
func (r *run) previous(ctx context.Context, t Target) (Image, error) {
	service := t.Services[0]
	past, err := r.resolvedPast(ctx, t, service)
	if err != nil {
		return Image{}, asFailure(ctx, fmt.Errorf("history of %s: %w", service, err), OutcomeFailed, ExitInternal)
	}
	tasks, err := r.Orchestrator.Running(ctx, t.Cluster, service)
	if err != nil {
		return Image{}, asFailure(ctx, fmt.Errorf("tasks of %s: %w", service, err), OutcomeFailed, ExitInternal)
	}
	runs := commonDigest(tasks, t.Repository)
	var gone []string
	for _, candidate := range earlier(past, runs, t.Repository) {
		image, err := r.Registry.Image(ctx, t.Repository, string(candidate))
		if err == nil {
			return image, nil
		}
		if !notFound(err) {
			return Image{}, asFailure(ctx, err, OutcomeFailed, ExitInternal)
		}
		gone = append(gone, candidate.Short())
	}
	if len(gone) > 0 {
		return Image{}, failf(OutcomeRefused, ExitCheck, "cannot roll back %s: the registry no longer has %s; nothing was touched: ship the commit again", service, strings.Join(gone, ", "))
	}
	return Image{}, failf(OutcomeRefused, ExitCheck, "cannot roll back %s: it has no earlier successful deployment of another image; nothing was touched", service)
}

// earlierDefinition is the task definition with which the service ran the image last, so that settings go back with the
// code that they belong to; the present one when the image never ran here.
func (r *run) earlierDefinition(ctx context.Context, t Target, m *move, image Image) (string, error) {
	past, err := r.Orchestrator.Past(ctx, t.Cluster, m.name)
	if err != nil {
		return "", err
	}
	definition, pinned := m.before.TaskDefinition.ARN, m.before.TaskDefinition.pins(image)
	for _, p := range past {
		if p.Status == statusSuccessful && p.runs(image) && p.TaskDefinition != "" {
			definition, pinned = p.TaskDefinition, p.pinned(image.Repository)
			break
		}
	}
	switch {
	case t.Strategy == StrategyPinned && !pinned:
		return r.Orchestrator.Pin(ctx, definition, image)
	case t.Strategy != StrategyPinned && pinned, definition == m.before.TaskDefinition.ARN:
		return "", nil // the tag decides what runs, and the present definition names it
	}
	r.Emit(Notice{Level: "info", Text: m.name + " goes back to task definition " + lastPart(definition) + " with it"})
	return definition, nil
}

// pinned reports whether the deployment named the repository's image by digest.
func (p PastRollout) pinned(repository string) bool {
	for _, ref := range p.Refs {
		if SameRepository(ref, repository) {
			return strings.Contains(ref, "@")
		}
	}
	return false
}

// earlier lists the digests of successful deployments before the one that runs, newest first, each once.
//
// Whatever ran after the image that runs now was left on purpose: going back twice goes further back, and never forth to
// what a rollback had left. When the newest deployment failed or is in flight, what ran last is already the way back; and
// one in flight that brings an older image than what ran last is a rollback under way, to be joined.
func earlier(past []PastRollout, runs Digest, repository string) []Digest {
	var good []Digest // of successful deployments, newest first
	for _, p := range past {
		if d := p.digest(repository); d != "" && p.Status == statusSuccessful {
			good = append(good, d)
		}
	}
	if len(past) > 0 && !ended(past[0].Status) {
		runs = past[0].digest(repository)
		if at := slices.Index(good, runs); at > 0 {
			return unique(append([]Digest{runs}, good[at:]...))
		}
	}
	oldest := -1
	for i, d := range good {
		if d == runs {
			oldest = i
		}
	}
	return unique(slices.DeleteFunc(good[oldest+1:], func(d Digest) bool { return d == runs }))
}

// unique keeps the first of each.
func unique(all []Digest) []Digest {
	var kept []Digest
	for _, d := range all {
		if !slices.Contains(kept, d) {
			kept = append(kept, d)
		}
	}
	return kept
}

// resolvePatience is how long a deployment that has just started may take to resolve its image. One whose image is
// missing never does.
const resolvePatience = 20 * time.Second

// resolvedPast is the service's history once its newest deployment, when it is in flight, has resolved its image.
func (r *run) resolvedPast(ctx context.Context, t Target, service string) ([]PastRollout, error) {
	for begin := time.Now(); ; {
		past, err := r.Orchestrator.Past(ctx, t.Cluster, service)
		if err != nil || len(past) == 0 || ended(past[0].Status) || past[0].digest(t.Repository) != "" || !names(past[0].Refs, t.Repository) || time.Since(begin) > resolvePatience {
			return past, err
		}
		if err := pause(ctx, r.PollMin); err != nil {
			return nil, err
		}
	}
}

package release

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// deployTimeout is what starting the rollouts may take once the tag has moved: an interrupt does not cut it short, because
// half a deploy helps nobody. AWS takes five updates of services a second.
const deployTimeout = 5 * time.Minute

// roll brings the image to every service of the target and verifies it. When one rollout fails, all go back.
func (r *run) roll(ctx context.Context, t Target, image Image) error {
	moves, tagBefore, err := r.survey(ctx, t, image)
	if err != nil {
		return asFailure(ctx, err, OutcomeFailed, ExitInternal)
	}
	if unchanged(moves, tagBefore, image) {
		return r.leave(ctx, t, moves, image)
	}
	r.announce(ctx, t, moves, image)
	if err := r.migrate(ctx, t, moves, image); err != nil {
		return err
	}
	err = r.phase(ctx, PhaseDeploy, deployAbout(t, image), deployByHand(t, image), func(ctx context.Context) (string, bool, error) {
		return r.deploy(ctx, t, moves, tagBefore, image)
	})
	if err != nil {
		return r.recover(ctx, t, moves, tagBefore, image, asFailure(ctx, err, OutcomeFailed, ExitNotRolledBack))
	}
	err = r.phase(ctx, PhaseVerify, "every task runs "+image.Digest.Short(), nil, func(ctx context.Context) (string, bool, error) {
		if err := r.verify(ctx, t, moves, image); err != nil {
			return "", false, err
		}
		return verifySummary(moves), false, nil
	})
	if err != nil {
		return r.recover(ctx, t, moves, tagBefore, image, asFailure(ctx, err, OutcomeFailed, ExitNotRolledBack))
	}
	return r.conclude(ctx, moves, image)
}

// announce tells which commits the release brings, or takes back. What the local history cannot tell is said there, and
// is no reason to stop.
func (r *run) announce(ctx context.Context, t Target, moves []*move, image Image) {
	if r.Commits == nil {
		return
	}
	commit := r.commit
	if commit.SHA == "" {
		sha, dirty, _ := ParseRevision(image.Labels[LabelRevision])
		known, err := r.Commits.Known(ctx, []string{sha})
		if err != nil || known[sha].SHA == "" {
			return // an image of a commit that is not here
		}
		commit = known[sha]
		commit.Dirty = dirty
	}
	var runs Image
	for _, m := range moves {
		if m.from != "" && !m.already {
			var err error
			if runs, err = r.Registry.Image(ctx, t.Repository, string(m.from)); err != nil {
				return // what runs is no longer in the registry: check has a finding for it
			}
			break
		}
	}
	changes, err := ChangesTo(ctx, r.Commits, runs, commit)
	if err != nil {
		return
	}
	r.Emit(ChangesFound{changes})
	if changes.Backwards() && !r.backwards {
		r.Emit(Notice{Level: "warning", Text: changes.Summary()})
	}
}

// leave ends a release that has nothing to do.
func (r *run) leave(ctx context.Context, t Target, moves []*move, image Image) error {
	err := r.phase(ctx, PhaseDeploy, deployAbout(t, image), deployByHand(t, image), func(context.Context) (string, bool, error) {
		return "nothing to deploy: every task runs " + image.Digest.Short() + " already", true, nil
	})
	if err != nil {
		return err
	}
	r.result.Outcome = OutcomeUnchanged
	return r.conclude(ctx, moves, image)
}

// deploy registers what has to be registered, moves the tag and starts the rollouts: all of them or, in turn, the first.
// Nothing is touched before the tag moves.
func (r *run) deploy(ctx context.Context, t Target, moves []*move, tagBefore, image Image) (string, bool, error) {
	err := together(moves, func(i int) error { return r.prepareChange(ctx, t, moves[i], image) })
	if err != nil {
		return "", false, err
	}
	if err := ctx.Err(); err != nil {
		return "", false, err // the last moment at which an interrupt leaves everything as it was
	}
	r.touched = true
	safe, cancel := context.WithTimeout(context.WithoutCancel(ctx), deployTimeout)
	defer cancel()
	tag := ":" + t.Tag + " → " + image.Digest.Short()
	if !tagBefore.names(image) {
		if tag, err = r.moveTag(safe, t, image); err != nil {
			return "", false, err
		}
	}
	waiting := slices.DeleteFunc(slices.Clone(moves), func(m *move) bool { return m.already })
	if len(waiting) == 0 && r.tagStays {
		r.result.Outcome = OutcomeUnchanged
	}
	if t.InTurn {
		waiting = waiting[:min(1, len(waiting))]
	}
	err = together(waiting, func(i int) error { return r.startRollout(safe, t, waiting[i], image) })
	return fmt.Sprintf("%s, %s", tag, countWords(len(waiting), "rollout")), false, err
}

// moveTag makes the release tag name the image. Where a service pins digests, a tag that must not move may stay.
func (r *run) moveTag(ctx context.Context, t Target, image Image) (string, error) {
	err := r.Registry.Tag(ctx, t.Repository, image.Digest, t.Tag)
	if errors.Is(err, ErrImmutable) && t.Strategy == StrategyPinned {
		r.tagStays = true
		r.Emit(Notice{Level: "warning", Text: fmt.Sprintf(":%s is immutable and stays as it is; the services pin the digest", t.Tag)})
		return ":" + t.Tag + " stays", nil
	}
	if err != nil {
		return "", fmt.Errorf("move :%s: %w", t.Tag, err)
	}
	return ":" + t.Tag + " → " + image.Digest.Short(), nil
}

// prepareChange registers the task definition that the service moves to, when it moves to another one.
func (r *run) prepareChange(ctx context.Context, t Target, m *move, image Image) (err error) {
	pin := Image{}
	if t.Strategy == StrategyPinned {
		pin = image
	}
	definition := t.Definitions[m.name]
	switch {
	case m.already:
	case !m.exists && t.Strategy == StrategyPinned, len(m.differences) > 0:
		for _, d := range m.differences {
			r.Emit(DefinitionChange{Service: m.name, Difference: d})
		}
		m.change.TaskDefinition, err = r.Orchestrator.Register(ctx, definition, pin)
		if m.exists {
			m.change.Settings = definition
		}
	case r.backwards:
		m.change.TaskDefinition, err = r.earlierDefinition(ctx, t, m, image)
	case t.Strategy == StrategyPinned:
		m.change.TaskDefinition, err = r.Orchestrator.Pin(ctx, m.before.TaskDefinition.ARN, image)
	}
	if err != nil {
		return fmt.Errorf("register the task definition of %s: %w", m.name, err)
	}
	return nil
}

// startRollout starts the service's rollout; one that is already on its way to the image is joined.
func (r *run) startRollout(ctx context.Context, t Target, m *move, image Image) error {
	attached, err := r.beginRollout(ctx, t, m, image)
	if err != nil {
		return fmt.Errorf("start the rollout of %s: %w", m.name, err)
	}
	m.started = true
	r.Emit(RolloutStarted{Service: m.name, Deployment: m.rollout.Deployment, From: m.from, To: image.Digest, Attached: attached})
	return nil
}

func (r *run) beginRollout(ctx context.Context, t Target, m *move, image Image) (attached bool, err error) {
	if !m.exists {
		m.rollout, err = r.Orchestrator.Create(ctx, t.Cluster, t.Definitions[m.name], m.change.TaskDefinition)
		return false, err
	}
	if m.before.DeploymentInFlight && len(m.differences) == 0 {
		past, err := r.Orchestrator.Past(ctx, t.Cluster, m.name)
		if err != nil {
			return false, err
		}
		if len(past) > 0 && inFlight(past[0].Status) && past[0].runs(image) {
			m.rollout = past[0].Rollout
			return true, nil
		}
	}
	m.rollout, err = r.Orchestrator.Deploy(ctx, t.Cluster, m.name, m.change)
	return false, err
}

// together does one thing for all services at once, and gives all that failed.
func together[T any](all []T, do func(i int) error) error {
	failures := make([]error, len(all))
	var group sync.WaitGroup
	for i := range all {
		group.Go(func() { failures[i] = do(i) })
	}
	group.Wait()
	return errors.Join(failures...)
}

func inFlight(status string) bool { return status == statusPending || status == statusInProgress }

// runs reports whether the deployment resolved to the image.
func (p PastRollout) runs(image Image) bool { return image.Is(p.digest(image.Repository)) }

// digest is what the deployment resolved the repository's image to.
func (p PastRollout) digest(repository string) Digest {
	return containerDigest(p.Refs, p.Images, repository)
}

// conclude fills the result in from what runs.
func (r *run) conclude(ctx context.Context, moves []*move, image Image) error {
	for _, m := range moves {
		s := ServiceResult{Name: m.name, Deployment: m.rollout.Deployment, From: m.from, To: image.Digest, Running: countRunning(m.last, image)}
		if s.Deployment == "" {
			s.Deployment = m.before.CurrentDeployment
		}
		if r.ServiceURL != nil {
			s.URL = r.ServiceURL(ctx, m.name)
		}
		r.result.Services = append(r.result.Services, s)
	}
	return nil
}

func countRunning(o Observation, image Image) int {
	n := 0
	for _, t := range o.Tasks {
		if t.serving() && image.Is(t.Digest(image.Repository)) {
			n++
		}
	}
	return n
}

func verifySummary(moves []*move) string {
	total := 0
	for _, m := range moves {
		total += m.last.Desired
	}
	return countWords(total, "task") + " verified by digest"
}

func deployAbout(t Target, image Image) string {
	return fmt.Sprintf("%s to %s on %s", image.Digest.Short(), countWords(len(t.Services), "service"), t.Cluster)
}

func deployByHand(t Target, image Image) []string {
	lines := []string{fmt.Sprintf("aws ecr put-image --repository-name %[1]s --image-tag %[2]s --image-manifest \"$(aws ecr batch-get-image --repository-name %[1]s --image-ids imageDigest=%[3]s --query 'images[0].imageManifest' --output text)\"", t.Repository, t.Tag, image.Digest)}
	update := "aws ecs update-service --cluster %s --service %s --force-new-deployment"
	if t.Strategy == StrategyPinned {
		lines = append(lines, "aws ecs register-task-definition --cli-input-json <the service's, with the image "+image.Ref()+">")
		update += " --task-definition <the new revision>"
	}
	for _, name := range t.Services {
		lines = append(lines, fmt.Sprintf(update, t.Cluster, name))
	}
	return lines
}

// plan says what a release would change, and changes nothing.
func (r *run) plan(ctx context.Context, t Target, image Image) error {
	r.result.Outcome = OutcomeUnchanged
	say := func(format string, args ...any) {
		r.Emit(Notice{Level: "info", Text: fmt.Sprintf(format, args...)})
	}
	moves, tagBefore, err := r.survey(ctx, t, image)
	if err != nil {
		return asFailure(ctx, err, OutcomeFailed, ExitInternal)
	}
	if image.Digest != "" && unchanged(moves, tagBefore, image) {
		say("nothing would change: every task runs %s", image.Digest.Short())
		return nil
	}
	if t.Migrate != nil {
		say("would run the migration %q on it", t.Migrate.Command)
	}
	to := orElse(image.Digest.Short(), "the new image")
	if !tagBefore.names(image) {
		say("would move :%s from %s to %s", t.Tag, orElse(tagBefore.Digest.Short(), "nothing"), to)
	}
	if image.Digest != "" {
		r.announce(ctx, t, moves, image)
	}
	for _, m := range moves {
		for _, d := range m.differences {
			r.Emit(DefinitionChange{Service: m.name, Difference: d})
		}
		if !m.already {
			say("would move %s from %s to %s", m.name, orElse(m.from.Short(), "nothing"), to)
		}
	}
	return nil
}

package release

import (
	"context"
	"fmt"
)

// move is one service on its way from what it runs to the release's image.
type move struct {
	name    string
	before  Service // zero when the service does not exist yet
	exists  bool
	from    Digest // what its tasks run now; empty: nothing
	rollout Rollout
	started bool
	seen    *sightings // what was reported of the rollout; nil before it is watched
	verdict Verdict
	last    Observation
}

// roll brings the image to every service of the target and verifies it. When one rollout fails, all go back.
func (r *run) roll(ctx context.Context, t Target, image Image) error {
	moves, tagBefore, err := r.survey(ctx, t, image)
	if err != nil {
		return asFailure(ctx, err, OutcomeFailed, ExitInternal)
	}
	unchanged := r.unchanged(moves, tagBefore, image)
	err = r.phase(ctx, PhaseDeploy, deployAbout(t, image), deployByHand(t, image), func(ctx context.Context) (string, bool, error) {
		if unchanged {
			return "nothing to deploy: every task runs " + image.Digest.Short() + " already", true, nil
		}
		if err := r.deploy(ctx, t, moves, tagBefore, image); err != nil {
			return "", false, err
		}
		return fmt.Sprintf(":%s → %s, %s", t.Tag, image.Digest.Short(), countWords(len(moves), "rollout")), false, nil
	})
	if err != nil {
		return r.recover(ctx, t, moves, tagBefore, asFailure(ctx, err, OutcomeFailed, ExitNotRolledBack))
	}
	if unchanged {
		r.result.Outcome = OutcomeUnchanged
		return r.conclude(ctx, moves, image)
	}
	err = r.phase(ctx, PhaseVerify, "every task runs "+image.Digest.Short(), nil, func(ctx context.Context) (string, bool, error) {
		if err := r.verify(ctx, t, moves, image); err != nil {
			return "", false, err
		}
		return verifySummary(moves), false, nil
	})
	if err != nil {
		failure := asFailure(ctx, err, OutcomeFailed, ExitNotRolledBack)
		return r.recover(ctx, t, moves, tagBefore, failure)
	}
	return r.conclude(ctx, moves, image)
}

// survey learns what runs now, before anything moves.
func (r *run) survey(ctx context.Context, t Target, image Image) ([]*move, Image, error) {
	tagBefore, err := r.Registry.Image(ctx, t.Repository, t.Tag)
	if err != nil && !notFound(err) {
		return nil, Image{}, fmt.Errorf("look up :%s: %w", t.Tag, err)
	}
	var moves []*move
	for _, name := range t.Services {
		m := &move{name: name}
		service, err := r.Orchestrator.Service(ctx, t.Cluster, name)
		switch {
		case notFound(err) && t.Definitions[name].Service != nil:
			moves = append(moves, m)
			continue
		case err != nil:
			return nil, Image{}, fmt.Errorf("service %s: %w", name, err)
		}
		m.before, m.exists = service, true
		tasks, err := r.Orchestrator.Running(ctx, t.Cluster, name)
		if err != nil {
			return nil, Image{}, fmt.Errorf("tasks of %s: %w", name, err)
		}
		m.last.Tasks, m.last.Desired = tasks, service.Desired
		if m.from, err = r.settledDigest(ctx, t, m, image.Repository); err != nil {
			return nil, Image{}, err
		}
		moves = append(moves, m)
	}
	return moves, tagBefore, nil
}

// settledDigest is what the service runs when nothing is being rolled out: what its tasks run, or, in the middle of a
// rollout, when they run this and that, what the newest successful deployment brought.
func (r *run) settledDigest(ctx context.Context, t Target, m *move, repository string) (Digest, error) {
	if !m.before.DeploymentInFlight {
		return commonDigest(m.last.Tasks, repository), nil
	}
	past, err := r.Orchestrator.Past(ctx, t.Cluster, m.name)
	if err != nil {
		return "", fmt.Errorf("history of %s: %w", m.name, err)
	}
	for _, p := range past {
		if p.Status == statusSuccessful {
			return p.digest(repository), nil
		}
	}
	return "", nil
}

// commonDigest is what most serving tasks run.
func commonDigest(tasks []Task, repository string) Digest {
	counts, best := map[Digest]int{}, Digest("")
	for _, t := range tasks {
		if d := t.Digest(repository); t.serving() && d != "" {
			counts[d]++
			if counts[d] > counts[best] || counts[d] == counts[best] && d < best {
				best = d
			}
		}
	}
	return best
}

// unchanged reports whether the release has nothing to do: the tag names the image and every service runs it, settled.
func (r *run) unchanged(moves []*move, tagBefore, image Image) bool {
	if tagBefore.Digest != image.Digest {
		return false
	}
	for _, m := range moves {
		if !m.exists || m.before.DeploymentInFlight || m.before.Desired == 0 {
			return false
		}
		if judgeDigests(m.last, image).Decision != DecisionGreen {
			return false
		}
	}
	return true
}

// deploy moves the tag and starts a rollout of every service; one that is already on its way to the image is joined.
func (r *run) deploy(ctx context.Context, t Target, moves []*move, tagBefore, image Image) error {
	if tagBefore.Digest != image.Digest {
		if err := r.Registry.Tag(ctx, t.Repository, image.Digest, t.Tag); err != nil {
			return fmt.Errorf("move :%s: %w", t.Tag, err)
		}
	}
	for _, m := range moves {
		attached, err := r.startRollout(ctx, t, m, image)
		if err != nil {
			return fmt.Errorf("start the rollout of %s: %w", m.name, err)
		}
		m.started = true
		r.Emit(RolloutStarted{Service: m.name, Deployment: m.rollout.Deployment, From: m.from, To: image.Digest, Attached: attached})
	}
	return nil
}

func (r *run) startRollout(ctx context.Context, t Target, m *move, image Image) (attached bool, err error) {
	if !m.exists {
		m.rollout, err = r.Orchestrator.Create(ctx, t.Cluster, t.Definitions[m.name], "")
		return false, err
	}
	if m.before.DeploymentInFlight {
		past, err := r.Orchestrator.Past(ctx, t.Cluster, m.name)
		if err != nil {
			return false, err
		}
		if len(past) > 0 && inFlight(past[0].Status) && past[0].runs(image) {
			m.rollout = past[0].Rollout
			return true, nil
		}
	}
	m.rollout, err = r.Orchestrator.Deploy(ctx, t.Cluster, m.name, Change{})
	return false, err
}

func inFlight(status string) bool { return status == statusPending || status == statusInProgress }

// runs reports whether the deployment resolved to the image.
func (p PastRollout) runs(image Image) bool { return image.Is(p.digest(image.Repository)) }

// digest is what the deployment resolved the repository's image to.
func (p PastRollout) digest(repository string) Digest {
	for container, ref := range p.Refs {
		if SameRepository(ref, repository) {
			return p.Images[container]
		}
	}
	return ""
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
	for _, name := range t.Services {
		lines = append(lines, fmt.Sprintf("aws ecs update-service --cluster %s --service %s --force-new-deployment", t.Cluster, name))
	}
	return lines
}

// plan says what a release would change, and changes nothing.
func (r *run) plan(ctx context.Context, t Target, image Image) error {
	r.result.Outcome = OutcomeUnchanged
	if image.Digest == "" {
		r.Emit(Notice{Level: "info", Text: fmt.Sprintf("would then move :%s to it and start a new deployment of %v on %s", t.Tag, t.Services, t.Cluster)})
		return nil
	}
	moves, tagBefore, err := r.survey(ctx, t, image)
	if err != nil {
		return asFailure(ctx, err, OutcomeFailed, ExitInternal)
	}
	if r.unchanged(moves, tagBefore, image) {
		r.Emit(Notice{Level: "info", Text: "nothing would change: every task runs " + image.Digest.Short()})
		return nil
	}
	for _, m := range moves {
		r.Emit(Notice{Level: "info", Text: fmt.Sprintf("would move %s from %s to %s", m.name, orElse(m.from.Short(), "nothing"), image.Digest.Short())})
	}
	return nil
}

package release

import (
	"context"
	"fmt"
	"strings"
)

// move is one service on its way from what it runs to the release's image.
type move struct {
	name           string
	before         Service // zero when the service does not exist yet
	exists         bool
	from           Digest // what its tasks ran before; empty: nothing
	fromDefinition string // ARN of the task definition that they ran
	already        bool   // it runs the image and is settled: nothing to do
	differences    []Difference
	change         Change
	rollout        Rollout
	started        bool
	reclaims       int        // how often its rollout was started again
	seen           *sightings // what was reported of the rollout; nil before it is watched
	verdict        Verdict
	last           Observation
}

// survey learns what runs now, before anything moves.
func (r *run) survey(ctx context.Context, t Target, image Image) ([]*move, Image, error) {
	tagBefore, err := r.tagged(ctx, t)
	if err != nil {
		return nil, Image{}, err
	}
	moves := make([]*move, len(t.Services))
	err = together(moves, func(i int) (err error) {
		moves[i], err = r.surveyService(ctx, t, t.Services[i], tagBefore, image)
		return err
	})
	return moves, tagBefore, err
}

// tagged is the image that the release tag names now; a zero one when it names none.
func (r *run) tagged(ctx context.Context, t Target) (Image, error) {
	image, err := r.Registry.Image(ctx, t.Repository, t.Tag)
	if err != nil && !notFound(err) {
		return Image{}, fmt.Errorf("look up :%s: %w", t.Tag, err)
	}
	return image, nil
}

func (r *run) surveyService(ctx context.Context, t Target, name string, tagBefore, image Image) (*move, error) {
	m := &move{name: name}
	service, err := r.Orchestrator.Service(ctx, t.Cluster, name)
	if notFound(err) && t.Creates(name) {
		return m, nil
	}
	if err != nil {
		return nil, fmt.Errorf("service %s: %w", name, err)
	}
	m.before, m.exists = service, true
	if m.last.Tasks, err = r.Orchestrator.Running(ctx, t.Cluster, name); err != nil {
		return nil, fmt.Errorf("tasks of %s: %w", name, err)
	}
	m.last.Desired = service.Desired
	if err := r.settled(ctx, t, m, image.Repository); err != nil {
		return nil, err
	}
	if t.Apply {
		if m.differences, err = r.Orchestrator.Compare(ctx, t.Cluster, t.Definitions[name], t.Repository); err != nil {
			return nil, fmt.Errorf("compare %s with its definition: %w", name, err)
		}
	}
	m.already = image.Digest != "" && m.done(t, tagBefore, image)
	return m, nil
}

// settled notes what the service runs when nothing is being rolled out: what its tasks run, or, in the middle of a
// rollout, when they run this and that, what the newest successful deployment brought.
func (r *run) settled(ctx context.Context, t Target, m *move, repository string) error {
	if !m.before.DeploymentInFlight {
		m.from, m.fromDefinition = commonDigest(m.last.Tasks, repository), m.before.TaskDefinition.ARN
		return nil
	}
	past, err := r.Orchestrator.Past(ctx, t.Cluster, m.name)
	if err != nil {
		return fmt.Errorf("history of %s: %w", m.name, err)
	}
	for _, p := range past {
		if p.Status == statusSuccessful {
			m.from, m.fromDefinition = p.digest(repository), p.TaskDefinition
			return nil
		}
	}
	return nil
}

// done reports whether the release has nothing to do for the service: the tag names the image, all tasks run it, and the
// task definition says what it should.
func (m *move) done(t Target, tagBefore, image Image) bool {
	if !tagBefore.names(image) && t.Strategy != StrategyPinned || m.before.DeploymentInFlight || m.before.Desired == 0 || len(m.differences) > 0 {
		return false
	}
	if t.Strategy == StrategyPinned && !m.before.TaskDefinition.pins(image) {
		return false
	}
	return judgeDigests(m.last, image).Decision == DecisionGreen
}

// names reports whether i, what a tag stands for, is the image.
func (i Image) names(image Image) bool { return i.Digest != "" && i.Digest == image.Digest }

// pins reports whether a container names the image by its digest.
func (d TaskDefinition) pins(image Image) bool {
	for _, c := range d.Containers {
		if SameRepository(c.Image, image.Repository) && strings.HasSuffix(c.Image, "@"+string(image.Digest)) {
			return true
		}
	}
	return false
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
func unchanged(moves []*move, tagBefore, image Image) bool {
	if !tagBefore.names(image) {
		return false
	}
	for _, m := range moves {
		if !m.already {
			return false
		}
	}
	return true
}

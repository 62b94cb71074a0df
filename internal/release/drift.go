package release

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// DriftKind is a way in which what runs and what should run differ.
type DriftKind string

// The kinds of drift.
const (
	DriftTag            DriftKind = "tag_elsewhere"        // the release tag does not name what runs
	DriftMixed          DriftKind = "mixed_images"         // tasks of one service run different images
	DriftServices       DriftKind = "services_differ"      // services of one target run different images
	DriftTask           DriftKind = "task_astray"          // a task runs another image than its deployment resolved
	DriftGone           DriftKind = "image_gone"           // what runs is no longer in the registry
	DriftCount          DriftKind = "count"                // fewer or more tasks run than are wanted
	DriftDefinition     DriftKind = "definition_changed"   // another task definition came without a release
	DriftFiles          DriftKind = "differs_from_files"   // the service is not what its ecs/*.json say
	DriftUnpinned       DriftKind = "not_pinned"           // strategy pinned, and the task definition names a tag
	DriftRepository     DriftKind = "other_repository"     // no container comes from the target's repository
	DriftRolloutStopped DriftKind = "rollout_not_finished" // the newest deployment failed and nothing brought the one before back
)

// Drift is one thing that does not fit together.
type Drift struct {
	Kind        DriftKind    `json:"kind"`
	Text        string       `json:"text"`                  // what, in one line
	Cure        string       `json:"cure,omitempty"`        // what to do
	Differences []Difference `json:"differences,omitempty"` // with DriftFiles
}

// comparison is what came of holding a service against its files.
type comparison struct {
	done        bool
	differences []Difference
	failed      string // why it could not be done
}

// agrees reports whether the service is what its files say: then whatever changed was applied.
func (c comparison) agrees() bool { return c.done && len(c.differences) == 0 }

// compare holds a service against its files, where there are any: once for each deployment, since nothing but a
// deployment changes what the files say.
func (i *Inspector) compare(ctx context.Context, t Target, l look) (comparison, error) {
	def, ok := t.Definitions[l.name]
	if !ok || def.TaskDefinition == nil {
		return comparison{}, nil
	}
	i.mu.Lock()
	known, ok := i.compared[l.service.CurrentDeployment]
	i.mu.Unlock()
	if ok && l.service.CurrentDeployment != "" {
		return known, nil
	}
	c := comparison{done: true}
	var err error
	if c.differences, err = i.Orchestrator.Compare(ctx, t.Cluster, def, t.Repository); err != nil {
		if ctx.Err() != nil {
			return c, err
		}
		return comparison{failed: fmt.Sprintf("could not compare it with %s: %v", filesOf(def), err)}, nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.compared == nil {
		i.compared = map[string]comparison{}
	}
	i.compared[l.service.CurrentDeployment] = c
	return c, nil
}

func filesOf(def Definition) string {
	if def.ServicePath == "" {
		return def.TaskDefinitionPath
	}
	return def.TaskDefinitionPath + " and " + def.ServicePath
}

// drift names what does not fit together in a service that is not being deployed. It is pure.
func drift(l look, f facts, s ServiceStatus, c comparison) []Drift {
	var all []Drift
	for _, found := range [][]Drift{
		driftOfTag(f, s), driftOfImages(l, f, s), driftOfTasks(l, f), driftOfCount(l), driftOfRollout(l),
		driftOfDefinition(l, f, c), driftOfFiles(l, c),
	} {
		all = append(all, found...)
	}
	return all
}

func driftOfTag(f facts, s ServiceStatus) []Drift {
	if len(s.Runs) == 0 || f.tagged.Is(s.Runs[0].Digest) {
		return nil
	}
	runs := s.Runs[0].Digest
	return []Drift{{
		Kind: DriftTag,
		Text: fmt.Sprintf(":%s names %s, but %s runs", f.target.Tag, orElse(f.tagged.Digest.Short(), "nothing"), runs.Short()),
		Cure: fmt.Sprintf("keep what runs: medusa-deploy deploy %s; or bring what the tag names: medusa-deploy deploy %s", runs, f.target.Tag),
	}}
}

func driftOfImages(l look, f facts, s ServiceStatus) []Drift {
	var all []Drift
	if len(s.Runs) > 1 {
		var parts []string
		for _, r := range s.Runs {
			parts = append(parts, fmt.Sprintf("%d × %s", r.Tasks, r.Digest.Short()))
		}
		all = append(all, Drift{
			Kind: DriftMixed, Text: fmt.Sprintf("its tasks run %d different images: %s", len(s.Runs), strings.Join(parts, ", ")),
			Cure: "bring one to all of them: medusa-deploy deploy " + string(s.Runs[0].Digest),
		})
	}
	for _, r := range s.Runs {
		if r.Gone {
			all = append(all, Drift{
				Kind: DriftGone, Text: fmt.Sprintf("repository %s no longer has %s, which runs: a new task of it could not start", f.target.Repository, r.Digest.Short()),
				Cure: "ship a commit, and keep what runs tagged so that no lifecycle policy removes it",
			})
		}
	}
	if len(s.Runs) == 0 && slices.ContainsFunc(l.tasks, Task.serving) {
		all = append(all, Drift{
			Kind: DriftRepository, Text: fmt.Sprintf("tasks run, but none of their containers comes from repository %s", f.target.Repository),
			Cure: "check image.repository in the config and the images in " + lastPart(l.service.TaskDefinition.ARN),
		})
	}
	return all
}

// driftOfTasks finds tasks that run another image than the deployment that is to run resolved.
func driftOfTasks(l look, f facts) []Drift {
	n := newestSuccess(l.past)
	if n < 0 {
		return nil
	}
	resolved := f.images.of(l.past[n].digest(f.target.Repository))
	if resolved == "" {
		return nil
	}
	var all []Drift
	for _, task := range l.tasks {
		d := f.images.of(task.Digest(f.target.Repository))
		if task.serving() && d != "" && d != resolved {
			all = append(all, Drift{
				Kind: DriftTask, Text: fmt.Sprintf("task %s runs %s, but its deployment resolved %s", shortID(task.ID), d.Short(), resolved.Short()),
				Cure: "check versionConsistency in " + lastPart(task.TaskDefinition) + ", and bring one image to all tasks: medusa-deploy deploy " + string(resolved),
			})
		}
	}
	return all
}

func driftOfCount(l look) []Drift {
	serving := 0
	for _, task := range l.tasks {
		if task.serving() {
			serving++
		}
	}
	if serving == l.service.Desired {
		return nil
	}
	d := Drift{
		Kind: DriftCount, Text: fmt.Sprintf("%d of %s run, and nothing is being deployed", serving, countWords(l.service.Desired, "task")),
		Cure: "medusa-deploy logs --service " + l.name,
	}
	if last := lastStopped(l.tasks); last.StoppedReason != "" && serving < l.service.Desired {
		d.Text += fmt.Sprintf("; task %s was the last to stop: %s", shortID(last.ID), last.StoppedReason)
	}
	return []Drift{d}
}

// lastStopped is the task that stopped last; zero when none did.
func lastStopped(tasks []Task) Task {
	var last Task
	for _, t := range tasks {
		if t.LastStatus == "STOPPED" && !t.Stopped.Before(last.Stopped) {
			last = t
		}
	}
	return last
}

func driftOfRollout(l look) []Drift {
	if len(l.past) == 0 {
		return nil
	}
	p := l.past[0]
	switch stateOf(l.past, 0) {
	case StateStopped, StateRollbackFailed:
		return []Drift{{
			Kind: DriftRolloutStopped,
			Text: fmt.Sprintf("its newest deployment %s and nothing brought the one before back", plainState(p)),
			Cure: "medusa-deploy rollback, or ship a commit that mends it",
		}}
	}
	return nil
}

func plainState(p PastRollout) string {
	text := "was stopped"
	if p.Status == statusRollbackFailed {
		text = "could not be rolled back"
	}
	if p.StatusReason != "" {
		text += " (" + strings.TrimSuffix(p.StatusReason, ".") + ")"
	}
	return text
}

// driftOfDefinition finds a task definition that no release brought.
func driftOfDefinition(l look, f facts, c comparison) []Drift {
	n := newestSuccess(l.past)
	if n < 0 {
		return nil
	}
	var all []Drift
	brought := l.past[n]
	if s := l.service.TaskDefinition.ARN; n == 0 && s != "" && brought.TaskDefinition != "" && s != brought.TaskDefinition {
		all = append(all, Drift{
			Kind: DriftDefinition, Text: fmt.Sprintf("its task definition is %s, but its newest deployment brought %s", lastPart(s), lastPart(brought.TaskDefinition)),
			Cure: "deploy again: medusa-deploy deploy " + f.target.Tag,
		})
	}
	if before := successBefore(l.past, n); changedAlone(before, brought, f.target.Repository) && !c.agrees() {
		was, is := lastPart(before.TaskDefinition), lastPart(brought.TaskDefinition)
		all = append(all, Drift{
			Kind: DriftDefinition,
			Text: fmt.Sprintf("its task definition went from %s to %s while the image stayed: by hand, unless --apply did it", was, is),
			Cure: fmt.Sprintf("see the difference: diff <(aws ecs describe-task-definition --task-definition %s) <(aws ecs describe-task-definition --task-definition %s)", was, is),
		})
	}
	if f.target.Strategy == StrategyPinned {
		all = append(all, unpinned(l, brought, f.target.Repository)...)
	}
	return all
}

// changedAlone reports whether a deployment brought another task definition and no other image. With strategy latest a
// release never changes the task definition, with strategy pinned it changes together with the image.
func changedAlone(before, brought PastRollout, repository string) bool {
	return before.TaskDefinition != "" && brought.TaskDefinition != "" && before.TaskDefinition != brought.TaskDefinition &&
		before.digest(repository) == brought.digest(repository)
}

// successBefore is the newest successful deployment before the nth; zero when there is none.
func successBefore(past []PastRollout, n int) PastRollout {
	for _, p := range past[n+1:] {
		if p.Status == statusSuccessful {
			return p
		}
	}
	return PastRollout{}
}

func unpinned(l look, brought PastRollout, repository string) []Drift {
	for container, ref := range brought.Refs {
		if SameRepository(ref, repository) && !strings.Contains(ref, "@sha256:") {
			return []Drift{{
				Kind: DriftUnpinned, Text: fmt.Sprintf("strategy is pinned, but container %s of %s names %s", container, lastPart(l.service.TaskDefinition.ARN), ref),
				Cure: "ship or deploy: that registers a revision that names the digest",
			}}
		}
	}
	return nil
}

func driftOfFiles(l look, c comparison) []Drift {
	if len(c.differences) == 0 {
		return nil
	}
	var names []string
	for _, d := range c.differences {
		names = append(names, d.Path)
	}
	const shown = 3
	text := strings.Join(names[:min(shown, len(names))], ", ")
	if more := len(names) - shown; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return []Drift{{
		Kind: DriftFiles, Text: fmt.Sprintf("it differs from its files in %s: %s", countWords(len(names), "place"), text),
		Cure: "bring it in step with the files: medusa-deploy deploy --apply; or the files in step with it", Differences: c.differences,
	}}
}

// apart finds services that run different images although none is being deployed.
func apart(services []ServiceStatus) []Drift {
	byDigest := map[Digest][]string{}
	var digests []Digest
	for _, s := range services {
		if s.InFlight {
			return nil
		}
		if len(s.Runs) == 0 {
			continue
		}
		d := s.Runs[0].Digest
		if byDigest[d] == nil {
			digests = append(digests, d)
		}
		byDigest[d] = append(byDigest[d], s.Name)
	}
	if len(digests) < 2 {
		return nil
	}
	var parts []string
	for _, d := range digests {
		parts = append(parts, strings.Join(byDigest[d], ", ")+" "+d.Short())
	}
	return []Drift{{
		Kind: DriftServices, Text: "the services run different images: " + strings.Join(parts, "; "),
		Cure: "bring one to all of them: medusa-deploy deploy COMMIT|TAG|DIGEST",
	}}
}

func shortID(id string) string { return id[:min(8, len(id))] }

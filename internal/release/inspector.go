package release

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// ImageReader is what an Inspector asks of the registry.
type ImageReader interface {
	// Image resolves a tag or a digest in a repository; ErrNotFound when it does not exist.
	Image(ctx context.Context, repository, reference string) (Image, error)
	// Images gives many images by digest in few calls; those that the registry does not have are left out.
	Images(ctx context.Context, repository string, digests []Digest) (map[Digest]Image, error)
	// List names all images that a repository holds, the newest push first, without what is attached to them; ErrNotFound when there is no such repository.
	List(ctx context.Context, repository string) ([]Held, error)
}

// Held is one manifest that a repository holds.
type Held struct {
	Digest   Digest
	Tags     []string
	PushedAt time.Time
	Index    bool // it lists the manifests of several platforms
}

// ServiceReader is what an Inspector asks of the orchestrator. See Orchestrator for the methods that it shares.
type ServiceReader interface {
	Service(ctx context.Context, cluster, service string) (Service, error)
	Past(ctx context.Context, cluster, service string) ([]PastRollout, error)
	Observe(ctx context.Context, cluster string, r Rollout) (Observation, error)
	Compare(ctx context.Context, cluster string, def Definition, repository string) ([]Difference, error)
	// Tasks gives a service's tasks, oldest first: those that run, and those that stopped within about the last hour.
	Tasks(ctx context.Context, cluster, service string) ([]Task, error)
	// Task gives one task of the cluster by id or ARN, whoever started it; ErrNotFound when it is not known (any more).
	Task(ctx context.Context, cluster, id string) (Task, error)
	// TaskDefinition gives a task definition by ARN or FAMILY:REVISION; ErrNotFound when there is none.
	TaskDefinition(ctx context.Context, name string) (TaskDefinition, error)
	// WayBack tells which service revision each of the deployments (ARNs) was rolled back to; those that were not are left out.
	WayBack(ctx context.Context, deployments []string) (map[string]string, error)
}

// Inspector tells what runs, what ran, and what leads to what, from what ECS, ECR and git know. It reads only. It is safe
// for concurrent use and remembers what can never change, so that one that is asked again and again costs little.
type Inspector struct {
	Registry     ImageReader
	Orchestrator ServiceReader
	Commits      Commits           // nil: no local history
	Attestations AttestationReader // nil: what is attached to images is not looked at
	// ServiceURL tells where a service answers, when that is known.
	ServiceURL func(ctx context.Context, service string) string

	mu       sync.Mutex
	parents  map[Digest]Digest     // platform manifest → index; itself when no index lists it
	compared map[string]comparison // by service deployment
}

// abreast is how many services are looked at side by side: more would only wait for AWS's rates.
const abreast = 8

// sideBySide does n things, some at a time, and gives the first error, which ends the others.
func sideBySide(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	places := make(chan struct{}, abreast)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			if ctx.Err() != nil {
				return
			}
			if err := do(ctx, i); err != nil {
				cancel(err)
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

// look is what ECS tells of one service.
type look struct {
	name    string
	missing bool // it does not exist
	service Service
	past    []PastRollout // newest first
	tasks   []Task
}

// looks asks for the past and the tasks of services, and for their present as well when that is wanted.
func (i *Inspector) looks(ctx context.Context, t Target, services []string, present bool) ([]look, error) {
	all := make([]look, len(services))
	err := sideBySide(ctx, len(services), func(ctx context.Context, n int) (err error) {
		all[n], err = i.look(ctx, t, services[n], present)
		return err
	})
	return all, err
}

func (i *Inspector) look(ctx context.Context, t Target, name string, present bool) (look, error) {
	l := look{name: name}
	var err error
	if present {
		if l.service, err = i.Orchestrator.Service(ctx, t.Cluster, name); notFound(err) {
			l.missing = true
			return l, nil
		} else if err != nil {
			return l, fmt.Errorf("service %s: %w", name, err)
		}
	}
	if l.foreign() {
		l.tasks, err = i.tasks(ctx, t, name)
		return l, err
	}
	if l.past, err = i.Orchestrator.Past(ctx, t.Cluster, name); notFound(err) {
		l.missing = true
		return l, nil
	} else if err != nil {
		return l, fmt.Errorf("history of %s: %w", name, err)
	}
	l.tasks, err = i.tasks(ctx, t, name)
	return l, err
}

func (i *Inspector) tasks(ctx context.Context, t Target, service string) ([]Task, error) {
	tasks, err := i.Orchestrator.Tasks(ctx, t.Cluster, service)
	if err != nil {
		return nil, fmt.Errorf("tasks of %s: %w", service, err)
	}
	return tasks, nil
}

// foreign reports whether something other than ECS deploys the service: then ECS has no deployments of it to list.
func (l look) foreign() bool { return l.service.Controller != "" && l.service.Controller != "ECS" }

// album is images by every digest that was asked for.
type album map[Digest]Image

// of gives the digest of the image that d belongs to: of the index, when d is a platform's manifest.
func (a album) of(d Digest) Digest {
	if image, ok := a[d]; ok {
		return image.Digest
	}
	return d
}

// has reports whether the registry has the image.
func (a album) has(d Digest) bool { return a[d].Digest != "" }

// contradict reports whether the tags of the images are not those of a moment when the tag named that image.
func (a album) contradict(tagged Image, tag string) bool {
	for _, image := range a {
		if slices.Contains(image.Tags, tag) != (image.Digest == tagged.Digest) {
			return true
		}
	}
	return false
}

// images looks digests up. ECS may name a platform's manifest where an index was pushed: that leads to the index, which
// is what has tags.
func (i *Inspector) images(ctx context.Context, t Target, digests []Digest) (album, error) {
	found, err := i.Registry.Images(ctx, t.Repository, digests)
	if err != nil {
		return nil, err
	}
	var orphans []Digest
	for d, image := range found {
		if len(image.Tags) == 0 && len(image.Manifests) == 0 {
			orphans = append(orphans, d)
		}
	}
	parents, err := i.indexes(ctx, t, orphans)
	if err != nil {
		return nil, err
	}
	for _, d := range orphans {
		if index, ok := parents[d]; ok {
			found[d], found[index.Digest] = index, index
		}
	}
	return found, nil
}

// indexes finds the indexes that list manifests. It looks through all indexes of the repository, once for each manifest.
func (i *Inspector) indexes(ctx context.Context, t Target, manifests []Digest) (map[Digest]Image, error) {
	parents, err := i.parentsOf(ctx, t, manifests)
	if err != nil || len(parents) == 0 {
		return nil, err
	}
	var wanted []Digest
	for _, parent := range parents {
		wanted = append(wanted, parent)
	}
	images, err := i.Registry.Images(ctx, t.Repository, wanted)
	if err != nil {
		return nil, err
	}
	found := map[Digest]Image{}
	for manifest, parent := range parents {
		if image, ok := images[parent]; ok {
			found[manifest] = image
		}
	}
	return found, nil
}

// parentsOf gives the index of each manifest that has one.
func (i *Inspector) parentsOf(ctx context.Context, t Target, manifests []Digest) (map[Digest]Digest, error) {
	known, complete := i.knownParents(manifests)
	if complete {
		return known, nil
	}
	held, err := i.Registry.List(ctx, t.Repository)
	if err != nil && !notFound(err) {
		return nil, err
	}
	var indexes []Digest
	for _, h := range held {
		if h.Index {
			indexes = append(indexes, h.Digest)
		}
	}
	images, err := i.Registry.Images(ctx, t.Repository, indexes)
	if err != nil {
		return nil, err
	}
	i.mu.Lock()
	if i.parents == nil {
		i.parents = map[Digest]Digest{}
	}
	for _, m := range manifests {
		i.parents[m] = m
	}
	for _, index := range images {
		for _, child := range index.Manifests {
			if p, ok := i.parents[child]; !ok || p == child || len(index.Tags) > 0 {
				i.parents[child] = index.Digest
			}
		}
	}
	i.mu.Unlock()
	known, _ = i.knownParents(manifests)
	return known, nil
}

// knownParents gives what is remembered, and whether all of the manifests were looked for already.
func (i *Inspector) knownParents(manifests []Digest) (parents map[Digest]Digest, complete bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	parents, complete = map[Digest]Digest{}, true
	for _, m := range manifests {
		parent, ok := i.parents[m]
		complete = complete && ok
		if ok && parent != m {
			parents[m] = parent
		}
	}
	return parents, complete
}

// commits tells what the local history has of the commits that images' labels name, by label.
func (i *Inspector) commits(ctx context.Context, images album) (map[string]Commit, error) {
	found := map[string]Commit{}
	if i.Commits == nil {
		return found, nil
	}
	labels := map[string]string{} // sha → label
	var shas []string
	for _, image := range images {
		label := image.Labels[LabelRevision]
		if sha, _, ok := ParseRevision(label); ok {
			labels[label] = sha
			shas = append(shas, sha)
		}
	}
	known, err := i.Commits.Known(ctx, shas)
	if err != nil {
		return nil, fmt.Errorf("look commits up in git: %w", err)
	}
	for label, sha := range labels {
		if c, ok := known[sha]; ok {
			found[label] = c
		}
	}
	return found, nil
}

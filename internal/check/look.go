package check

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// optional bounds the look-ups that a release can do without: no answer to them is no reason to wait.
const optional = 10 * time.Second

// look is everything that was found out, or why it was not.
type look struct {
	now         time.Time
	account     string
	identityErr error
	host        string        // of the registry; empty: unknown
	tagged      release.Image // what the release tag names; zero: nothing yet
	registryErr error
	services    []serviceLook // in the target's order

	ahead      time.Duration
	clockKnown bool
	expiry     awsclient.Expiry
	ends       bool // expiry is known
	mutability *Mutability
	policy     string // lifecycle policy; empty: none
	rules      []lifecycleRule
	running    []runningImage
	secrets    map[string]error // by reference
	groups     map[logGroup]error
	roles      []roleLook
	build      buildLook
	builder    builderLook
	medusa     medusaLook

	mu     sync.Mutex
	unseen []unseen
}

// unseen is something that could not be looked at, and that a release can do without.
type unseen struct {
	what string
	err  error
}

// miss notes that an optional look-up failed. What does not exist is an answer.
func (l *look) miss(what string, err error) {
	if err == nil || errors.Is(err, release.ErrNotFound) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unseen = append(l.unseen, unseen{what, err})
}

// serviceLook is one service as it is or, where it does not exist yet, as its definition would make it.
type serviceLook struct {
	name       string
	facts      release.Service
	preview    bool // there is no such service yet
	fromFiles  bool // what is judged stands in the definition's files
	err        error
	previewErr error
	tasks      []release.Task
}

// runningImage is an image of the target's repository that services run now.
type runningImage struct {
	digest   release.Digest
	services []string
	tags     []string
	known    bool // tags are known
	gone     bool // the registry no longer has it
}

// logGroup names a log group; an empty region is the target's own.
type logGroup struct{ region, name string }

// look asks for everything at the same time, in two rounds: the second is about what the first has found. One failure
// hides no other.
func (c *Checker) look(ctx context.Context, req release.CheckRequest) *look {
	t := req.Target
	seen := &look{now: c.Now(), services: make([]serviceLook, len(t.Services))}
	var first sync.WaitGroup
	first.Go(func() { seen.account, seen.identityErr = c.Cloud.Account(ctx) })
	first.Go(func() { seen.host, seen.tagged, seen.registryErr = c.lookAtRegistry(ctx, t) })
	first.Go(func() { c.lookAtRepository(ctx, seen, t.Repository) })
	first.Go(func() { c.lookAtCredentials(ctx, seen, t) })
	first.Go(func() { seen.build = c.lookAtBuild(ctx, req) })
	first.Go(func() { seen.builder = c.lookAtBuilder(ctx, req) })
	for i, name := range t.Services {
		first.Go(func() { seen.services[i] = c.lookAtService(ctx, seen, t, name) })
	}
	first.Wait()
	var second sync.WaitGroup
	second.Go(func() { seen.medusa = c.lookAtMedusa(ctx, req, seen) }) // which asks nobody, and has a limit of its own
	bounded, cancel := context.WithTimeout(ctx, optional)
	defer cancel()
	second.Go(func() { c.lookAtRunning(bounded, seen, t) })
	second.Go(func() { c.lookAtSecrets(bounded, seen) })
	second.Go(func() { c.lookAtLogGroups(bounded, seen) })
	if !t.Local { // local AWS has no IAM
		second.Go(func() { c.lookAtRoles(bounded, seen, t) })
	}
	second.Wait()
	if !t.Local { // one machine has one clock
		seen.ahead, seen.clockKnown = c.Cloud.ClockAhead()
	}
	slices.SortStableFunc(seen.unseen, func(a, b unseen) int { return strings.Compare(a.what, b.what) })
	return seen
}

// lookAtRegistry gives the registry's host and what the release tag names, and an error when the registry cannot be
// read. A repository or a tag that does not exist yet is no error: the release creates both.
func (c *Checker) lookAtRegistry(ctx context.Context, t release.Target) (host string, tagged release.Image, err error) {
	host, err = c.Registry.Host(ctx)
	if err != nil {
		return "", release.Image{}, err
	}
	tagged, err = c.Registry.Image(ctx, t.Repository, t.Tag)
	if errors.Is(err, release.ErrNotFound) {
		err = nil
	}
	return host, tagged, err
}

// lookAtRepository asks how a repository treats its tags and its old images.
func (c *Checker) lookAtRepository(ctx context.Context, seen *look, repository string) {
	ctx, cancel := context.WithTimeout(ctx, optional)
	defer cancel()
	var both sync.WaitGroup
	both.Go(func() {
		m, err := c.Cloud.Mutability(ctx, repository)
		if err == nil {
			seen.mutability = &m
		}
		seen.miss("tag mutability of repository "+repository, err)
	})
	both.Go(func() {
		text, err := c.Cloud.LifecyclePolicy(ctx, repository)
		if err == nil {
			seen.policy = text
			seen.rules, err = parseLifecycle(text)
		}
		seen.miss("lifecycle policy of repository "+repository, err)
	})
	both.Wait()
}

// lookAtCredentials asks when the credentials end. That they cannot be had at all comes out elsewhere.
func (c *Checker) lookAtCredentials(ctx context.Context, seen *look, t release.Target) {
	if t.Local {
		return
	}
	if expiry, known, err := c.Cloud.Expiry(ctx); err == nil {
		seen.expiry, seen.ends = expiry, known
	}
}

func (c *Checker) lookAtService(ctx context.Context, seen *look, t release.Target, name string) serviceLook {
	s := serviceLook{name: name}
	var both sync.WaitGroup
	both.Go(func() { s.facts, s.err = c.Orchestrator.Service(ctx, t.Cluster, name) })
	both.Go(func() {
		bounded, cancel := context.WithTimeout(ctx, optional)
		defer cancel()
		tasks, err := c.Orchestrator.Running(bounded, t.Cluster, name)
		s.tasks = tasks
		seen.miss("tasks of service "+t.Cluster+"/"+name, err)
	})
	both.Wait()
	switch def := t.Definitions[name]; {
	case errors.Is(s.err, release.ErrNotFound) && t.Creates(name):
		s.preview, s.fromFiles, s.err = true, true, nil
		s.facts, s.previewErr = c.Orchestrator.Preview(def)
	case s.err == nil && t.Apply && def.Service != nil:
		s.apply(c.Orchestrator.Preview(def))
	}
	return s
}

// apply has a service be judged as its files will make it, for what they say; the rest stays as it is.
func (s *serviceLook) apply(files release.Service, err error) {
	s.fromFiles, s.previewErr = true, err
	if err != nil {
		return
	}
	now := s.facts
	s.facts.TaskDefinition, s.facts.DeploymentStrategy, s.facts.Bake = files.TaskDefinition, files.DeploymentStrategy, files.Bake
	s.facts.MinimumHealthyPercent, s.facts.MaximumPercent = files.MinimumHealthyPercent, files.MaximumPercent
	s.facts.Breaker, s.facts.BreakerRollback, s.facts.GracePeriod = files.Breaker, files.BreakerRollback, files.GracePeriod
	s.facts.LoadBalanced, s.facts.HealthPath = now.LoadBalanced || files.LoadBalanced, files.HealthPath
}

// lookAtRunning asks for the tags of what runs, once for each image.
func (c *Checker) lookAtRunning(ctx context.Context, seen *look, t release.Target) {
	seen.running = runningImages(seen, t)
	var all sync.WaitGroup
	for i := range seen.running {
		all.Go(func() {
			image := &seen.running[i]
			tags, err := c.Cloud.Tags(ctx, t.Repository, image.digest)
			image.tags, image.known, image.gone = tags, err == nil, errors.Is(err, release.ErrNotFound)
			seen.miss("image "+t.Repository+"@"+image.digest.Short(), err)
		})
	}
	all.Wait()
}

// runningImages lists the images of the target's repository that run, in the order of the services.
func runningImages(seen *look, t release.Target) []runningImage {
	var found []runningImage
	for _, s := range seen.services {
		v := view{target: t, account: seen.account, host: seen.host}
		for _, task := range s.tasks {
			for _, c := range task.Containers {
				if r := parseReference(c.Image); c.Digest == "" || r.name != t.Repository || !v.inRegistry(r.host) {
					continue
				}
				i := slices.IndexFunc(found, func(f runningImage) bool { return f.digest == c.Digest })
				if i < 0 {
					i, found = len(found), append(found, runningImage{digest: c.Digest})
				}
				if !slices.Contains(found[i].services, s.name) {
					found[i].services = append(found[i].services, s.name)
				}
			}
		}
	}
	return found
}

// containers gives every container definition that could be found out.
func (l *look) containers() []release.ContainerDefinition {
	var all []release.ContainerDefinition
	for _, s := range l.services {
		if s.err == nil && s.previewErr == nil {
			all = append(all, s.facts.TaskDefinition.Containers...)
		}
	}
	return all
}

// errAnothers is why a parameter that another account shares is not looked for: only its owner can list it.
var errAnothers = errors.New("it belongs to another account")

func anothers(reference, account string) bool {
	parts := strings.Split(reference, ":")
	return account != "" && len(parts) > 5 && parts[2] == "ssm" && parts[4] != account
}

func (c *Checker) lookAtSecrets(ctx context.Context, seen *look) {
	var references []string
	for _, container := range seen.containers() {
		for _, s := range container.Secrets {
			if s.From == "" || slices.Contains(references, s.From) {
				continue
			}
			if anothers(s.From, seen.account) {
				seen.miss("parameter "+s.From, errAnothers)
				continue
			}
			references = append(references, s.From)
		}
	}
	if len(references) == 0 {
		return
	}
	seen.secrets = c.Cloud.Secrets(ctx, references)
	for _, reference := range references {
		seen.miss("secret "+reference, seen.secrets[reference])
	}
}

func (c *Checker) lookAtLogGroups(ctx context.Context, seen *look) {
	seen.groups = map[logGroup]error{}
	for _, container := range seen.containers() {
		if container.LogGroup != "" && !container.LogCreatesGroup {
			seen.groups[logGroup{container.LogRegion, container.LogGroup}] = nil
		}
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, g := range slices.Collect(maps.Keys(seen.groups)) {
		all.Go(func() {
			err := c.Cloud.LogGroup(ctx, g.region, g.name)
			mu.Lock()
			defer mu.Unlock()
			seen.groups[g] = err
			seen.miss("log group "+g.name, err)
		})
	}
	all.Wait()
}

package release

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

func itoa(n int) string { return strconv.Itoa(n) }

// ShipRequest is one commit on its way to one target.
type ShipRequest struct {
	Target  Target
	Commit  Commit
	Build   BuildRequest // Repository and Labels are filled in
	Rebuild bool         // build also when the registry has the commit's image
	DryRun  bool         // stop before anything changes
	// Prepare runs before the build (say, to compile what the Dockerfile copies); nil: nothing to prepare.
	Prepare func(ctx context.Context, emit Emit) error
}

// Ship takes a commit to verified running: check, build, authenticate, push, deploy, verify.
func (p *Pipeline) Ship(ctx context.Context, req ShipRequest) Result {
	r := p.start("ship", req.Target)
	r.result.Commit, r.commit = req.Commit.SHA, req.Commit
	return r.end(ctx, r.ship(ctx, req))
}

func (r *run) ship(ctx context.Context, req ShipRequest) error {
	if err := r.preflight(ctx, CheckRequest{Target: req.Target, Platforms: req.Build.Platforms, Commit: req.Commit, ContextDir: req.Build.ContextDir, Dockerfile: req.Build.Dockerfile}); err != nil {
		return err
	}
	image, err := r.obtain(ctx, req)
	if err != nil {
		return err
	}
	r.image(image)
	if err := r.requireSignature(ctx, req.Target, image); err != nil {
		return err
	}
	if req.DryRun {
		return r.plan(ctx, req.Target, image)
	}
	return r.roll(ctx, req.Target, image)
}

// Build builds a commit's image, keeps it with the builder, and takes it where it is wanted.
func (p *Pipeline) Build(ctx context.Context, req ShipRequest, to Destinations) Result {
	command := "build"
	if to.Push && !to.Load {
		command = "push"
	}
	r := p.start(command, req.Target)
	r.result.Commit = req.Commit.SHA
	image, err := r.buildFor(ctx, req, to)
	r.image(image)
	return r.end(ctx, err)
}

func (r *run) buildFor(ctx context.Context, req ShipRequest, to Destinations) (Image, error) {
	if to.Push && !to.Load {
		return r.obtain(ctx, req)
	}
	build, err := r.request(ctx, req)
	if err != nil {
		return Image{}, err
	}
	if to.Push {
		req.Rebuild = true // what is loaded was built here, also where the registry has the commit's image
		if err := r.prepareAttester(ctx, req); err != nil {
			return Image{}, err
		}
	}
	image, err := r.build(ctx, req, build)
	if err != nil || !to.Load {
		return image, err
	}
	if err := r.load(ctx, req, build, image); err != nil || !to.Push {
		return image, err
	}
	return r.push(ctx, req, build, image)
}

// obtain gives the commit's image in the registry: the one that is there, or a new one, built and pushed.
// A clean commit's image is immutable under git-<sha>, so that finding it there makes a build needless.
func (r *run) obtain(ctx context.Context, req ShipRequest) (Image, error) {
	build, err := r.request(ctx, req)
	if err != nil {
		return Image{}, err
	}
	if err := r.prepareAttester(ctx, req); err != nil {
		return Image{}, err
	}
	if !req.Commit.Dirty && !req.Rebuild {
		image, err := r.Registry.Image(ctx, req.Target.Repository, ImageTag(req.Commit, ""))
		if err == nil {
			asItIs, err := r.takeAsItIs(ctx, req, image)
			if err != nil {
				return Image{}, err
			}
			if asItIs {
				return image, r.reuse(ctx, req, image)
			}
			req.Rebuild = true
		} else if !notFound(err) {
			return Image{}, asFailure(ctx, fmt.Errorf("look for the commit's image: %w", err), OutcomeFailed, ExitBuild)
		}
	}
	if req.DryRun {
		r.Emit(Notice{Level: "info", Text: "would build " + req.Commit.Short() + " and push it as " + build.Repository + ":" + ImageTag(req.Commit, "<digest>")})
		return Image{Repository: build.Repository}, nil
	}
	built, err := r.build(ctx, req, build)
	if err != nil {
		return Image{}, err
	}
	return r.push(ctx, req, build, built)
}

// reuse reports that an image is already in the registry.
func (r *run) reuse(ctx context.Context, req ShipRequest, image Image) error {
	tag := ImageTag(req.Commit, "")
	err := r.phase(ctx, PhaseBuild, "commit "+req.Commit.Short(), nil, func(context.Context) (string, bool, error) {
		return "nothing to build: the registry has " + tag + " (" + image.Digest.Short() + ")", true, nil
	})
	if err != nil {
		return err
	}
	return r.phase(ctx, PhasePush, tag, nil, func(context.Context) (string, bool, error) {
		return "nothing to push", true, nil
	})
}

// request completes the build request with what only the registry and the commit know.
func (r *run) request(ctx context.Context, req ShipRequest) (BuildRequest, error) {
	host, err := r.Registry.Host(ctx)
	if err != nil {
		return BuildRequest{}, asFailure(ctx, fmt.Errorf("find the registry: %w", err), OutcomeFailed, ExitBuild)
	}
	build := req.Build
	build.Repository = host + "/" + req.Target.Repository
	build.Epoch = req.Commit.Time
	build.Labels = labels(req.Commit, req.Build.Labels)
	args := map[string]string{"COMMIT": revision(req.Commit)}
	for k, v := range req.Build.Args {
		args[k] = v
	}
	build.Args = args
	return build, nil
}

// revision is what an image says of its commit: the sha, marked when the work tree differed from it.
func revision(c Commit) string {
	if c.Dirty {
		return c.SHA + "-dirty"
	}
	return c.SHA
}

func labels(c Commit, own map[string]string) map[string]string {
	all := map[string]string{
		LabelRevision: revision(c),
		LabelCreated:  c.Time.UTC().Format("2006-01-02T15:04:05Z"),
		LabelVersion:  c.Short(),
	}
	if c.Remote != "" {
		all[LabelSource] = c.Remote
	}
	for k, v := range own {
		all[k] = v
	}
	return all
}

// ImageTag is the name under which a commit's image is pushed: git-<sha>, or git-<sha>-dirty-<digest8> for a work tree
// that differs from the commit.
func ImageTag(c Commit, digest Digest) string {
	if !c.Dirty {
		return "git-" + c.SHA
	}
	return "git-" + c.SHA + "-dirty-" + digest.Short()[:min(8, len(digest.Short()))]
}

// chooseBuilder makes sure that there is a builder.
func (r *run) chooseBuilder(ctx context.Context) (err error) {
	if r.Builder != nil {
		return nil
	}
	if r.Builder, err = r.ChooseBuilder(ctx, r.Emit); err != nil {
		return asFailure(ctx, err, OutcomeFailed, ExitBuild)
	}
	return nil
}

func (r *run) build(ctx context.Context, req ShipRequest, build BuildRequest) (image Image, err error) {
	if err := r.chooseBuilder(ctx); err != nil {
		return Image{}, err
	}
	platforms := strings.Join(build.Platforms, ", ")
	about := "commit " + req.Commit.Short() + " for " + orElse(platforms, "this machine") + " with " + r.Builder.Name()
	err = r.phase(ctx, PhaseBuild, about, buildByHand(build, req.Commit), func(ctx context.Context) (string, bool, error) {
		counted := &stepCounter{emit: r.built.watch(r.Emit)}
		if req.Prepare != nil {
			if err := req.Prepare(ctx, r.Emit); err != nil {
				return "", false, asFailure(ctx, err, OutcomeFailed, ExitBuild)
			}
		}
		image, err = r.Builder.Build(ctx, build, counted.Emit)
		r.built.finished = time.Now()
		if err != nil {
			return "", false, asFailure(ctx, err, OutcomeFailed, ExitBuild)
		}
		return image.Digest.Short() + ", " + counted.summary(), false, nil
	})
	return image, err
}

// push sends a built image under its commit's name; what is there already is a success.
func (r *run) push(ctx context.Context, req ShipRequest, build BuildRequest, built Image) (image Image, err error) {
	tag := ImageTag(req.Commit, built.Digest)
	var auth Credentials
	err = r.phase(ctx, PhaseAuthenticate, "Amazon ECR", []string{"aws ecr get-login-password | docker login --username AWS --password-stdin " + hostOf(build.Repository)},
		func(ctx context.Context) (string, bool, error) {
			if auth, err = r.Registry.Authenticate(ctx); err != nil {
				return "", false, asFailure(ctx, err, OutcomeFailed, ExitBuild)
			}
			created, err := r.Registry.EnsureRepository(ctx, req.Target.Repository)
			if err != nil {
				return "", false, asFailure(ctx, err, OutcomeFailed, ExitBuild)
			}
			if created {
				return auth.Host + ", repository " + req.Target.Repository + " created", false, nil
			}
			return auth.Host, false, nil
		})
	if err != nil {
		return Image{}, err
	}
	err = r.phase(ctx, PhasePush, build.Repository+":"+tag, []string{"docker push " + build.Repository + ":" + tag},
		func(ctx context.Context) (string, bool, error) {
			image, err = r.Registry.Image(ctx, req.Target.Repository, tag)
			if err == nil && image.Digest == built.Digest {
				return r.attach(ctx, req, build, image, "nothing to push: the registry has "+tag, true)
			}
			if err == nil && req.Rebuild {
				return "", false, failf(OutcomeRefused, ExitBuild,
					"%s names %s already and the rebuild gave %s: the same commit must keep its image; commit the change that made them differ, then ship again", tag, image.Digest.Short(), built.Digest.Short())
			}
			if err != nil && !notFound(err) {
				return "", false, asFailure(ctx, err, OutcomeFailed, ExitBuild)
			}
			if err := r.Builder.Push(ctx, build, built.Digest, tag, auth, r.Emit); err != nil {
				return "", false, asFailure(ctx, err, OutcomeFailed, ExitBuild)
			}
			if image, err = r.Registry.Image(ctx, req.Target.Repository, tag); err != nil {
				return "", false, failf(OutcomeFailed, ExitBuild, "the push ended well, but the registry does not show %s: %w", tag, err)
			}
			if image.Digest != built.Digest {
				return "", false, failf(OutcomeFailed, ExitBuild, "the registry's %s is %s, but %s was built", tag, image.Digest, built.Digest)
			}
			return r.attach(ctx, req, build, image, tag, false)
		})
	return image, err
}

func hostOf(repository string) string {
	host, _, _ := strings.Cut(repository, "/")
	return host
}

// stepCounter counts a build's steps on their way to the faces.
type stepCounter struct {
	emit         Emit
	mu           sync.Mutex
	done, cached int
}

// Emit passes an event on.
func (s *stepCounter) Emit(e Event) {
	if step, ok := e.(BuildStep); ok {
		s.mu.Lock()
		switch step.State {
		case "done":
			s.done++
		case "cached":
			s.cached++
		}
		s.mu.Unlock()
	}
	s.emit(e)
}

func (s *stepCounter) summary() string {
	return fmt.Sprintf("%d of %d steps cached", s.cached, s.cached+s.done)
}

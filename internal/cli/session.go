package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
	"github.com/medusa-deploy/medusa-deploy/internal/config"
	"github.com/medusa-deploy/medusa-deploy/internal/git"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws"
	"github.com/medusa-deploy/medusa-deploy/internal/orchestrator"
	"github.com/medusa-deploy/medusa-deploy/internal/registry"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
	"github.com/medusa-deploy/medusa-deploy/internal/report"
)

// releaseTag is the tag that a release moves and that task definitions reference.
const releaseTag = "latest"

// session is one command's view of one target.
type session struct {
	*globals
	config   *config.Config
	plain    config.Target // as the config has it
	target   release.Target
	local    localaws.Info // of the running local AWS; zero for other targets
	aws      *awsclient.Session
	registry *registry.Registry
	ecs      *orchestrator.Orchestrator
	pushes   bool // what is built goes to the registry
	// onlyLooks is set when a builder is looked at and builds nothing.
	onlyLooks bool
	// closeBuilder ends what is kept of a builder; nil: nothing is.
	closeBuilder func() error
	face         report.Face
	root         func() (string, error) // of the work tree; asked once
	mask         *report.Mask
	log          *slog.Logger
}

// withSession opens a session, does one release command in it, and turns its result into the exit code.
func withSession(ctx context.Context, g *globals, do func(context.Context, *session) (release.Result, error)) error {
	s, err := openSession(ctx, g)
	if err != nil {
		return err
	}
	result, err := do(ctx, s)
	if s.closeBuilder != nil {
		if err := s.closeBuilder(); err != nil {
			s.log.Debug("close the builder", "error", err)
		}
	}
	if closeErr := s.face.Close(); err == nil && closeErr != nil {
		err = fmt.Errorf("write the output: %w", closeErr)
	}
	if err != nil {
		return err
	}
	if result.Exit != release.ExitDone {
		return exit(result.Exit, nil) // the face has told why
	}
	return nil
}

// openSession reads the config, finds the target and connects to it.
func openSession(ctx context.Context, g *globals) (*session, error) {
	s := &session{globals: g, log: g.logger(), mask: &report.Mask{}}
	var err error
	if s.config, err = g.loadConfig(); err != nil {
		return nil, err
	}
	if s.plain, err = s.config.Target(g.target); err != nil {
		return nil, exit(release.ExitUsage, err)
	}
	s.rehearse()
	if s.plain.Local {
		if s.local, err = g.runningLocal(ctx); err != nil {
			return nil, err
		}
	}
	if s.target, err = s.releaseTarget(); err != nil {
		return nil, err
	}
	if s.face, err = g.newFace(s.mask); err != nil {
		return nil, err
	}
	if s.aws, err = awsclient.Load(ctx, s.awsConfig()); err != nil {
		return nil, exit(release.ExitCheck, err)
	}
	s.root = sync.OnceValues(func() (string, error) { return git.Root(ctx, s.config.Dir) })
	s.registry = registry.New(s.aws, s.plain.Registry)
	s.ecs = orchestrator.New(s.aws)
	return s, nil
}

func (g *globals) loadConfig() (*config.Config, error) {
	path := g.config
	if path == "" {
		found, err := config.Find(".")
		if err != nil {
			return nil, exit(release.ExitUsage, err)
		}
		path = found
	}
	c, err := config.Load(path, g.sys.LookupEnv)
	if err != nil {
		return nil, exit(release.ExitUsage, err)
	}
	return c, nil
}

// runningLocal gives the local AWS that runs; the cure when none does.
func (g *globals) runningLocal(ctx context.Context) (localaws.Info, error) {
	dir, err := g.localDir()
	if err != nil {
		return localaws.Info{}, err
	}
	status, err := localaws.Inspect(ctx, dir)
	if err != nil {
		return localaws.Info{}, err
	}
	if !status.Running {
		return localaws.Info{}, exit(release.ExitCheck, errors.New("local AWS is not running\n  start it: medusa-deploy local up"))
	}
	return status.Info, nil
}

func (g *globals) localDir() (string, error) {
	if g.dir != "" {
		return g.dir, nil
	}
	return localaws.DefaultDir()
}

func (g *globals) logger() *slog.Logger {
	level := slog.LevelError
	if g.verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(g.sys.Stderr, &slog.HandlerOptions{Level: level}))
}

func (s *session) awsConfig() awsclient.Config {
	c := awsclient.Config{Region: s.plain.Region, Role: s.plain.Role, Log: s.log}
	if s.plain.Local {
		c.Endpoint, c.Paced = s.local.Endpoint, s.local.Rates != ""
	}
	if s.plain.Local && !s.rehearsed() {
		c.AccessKeyID, c.SecretAccessKey = s.local.AccessKeyID, s.local.SecretAccessKey
	}
	return c
}

// releaseTarget maps the config's target to the words of a release.
func (s *session) releaseTarget() (release.Target, error) {
	t := release.Target{
		Name: s.plain.Name, Region: s.plain.Region, Local: s.plain.Local, Endpoint: s.local.Endpoint,
		Cluster: s.plain.Cluster, Services: s.plain.Services, Repository: s.config.Image.Repository,
		Tag: releaseTag, Strategy: release.Strategy(s.plain.Strategy), Timeout: s.plain.Timeout,
		Settle: s.plain.Settle, InTurn: s.plain.Order == config.OrderInTurn, GiveUpAfter: s.plain.GiveUpAfter,
	}
	if m := s.plain.Migrate; m != nil {
		t.Migrate = &release.Migration{Command: m.Command, Expect: m.Expect, Timeout: m.Timeout}
	}
	t.Definitions = map[string]release.Definition{}
	for name, files := range s.plain.Definitions {
		task, service, err := files.Read()
		switch {
		case errors.Is(err, os.ErrNotExist):
			continue // then the service has to exist: check says so, and there is nothing to apply
		case err != nil:
			return t, exit(release.ExitUsage, err)
		}
		t.Definitions[name] = release.Definition{
			TaskDefinitionPath: files.TaskDefinition, TaskDefinition: task, ServicePath: files.Service, Service: service,
		}
	}
	return t, nil
}

func (g *globals) newFace(mask *report.Mask) (report.Face, error) {
	kind, err := report.Choose(g.output, isTerminal(g.sys.Stderr), g.getenv)
	if err != nil {
		return nil, exit(release.ExitUsage, err)
	}
	face := report.New(kind, report.Options{
		Out: g.sys.Stdout, Err: g.sys.Stderr, Explain: g.explain, Verbose: g.verbose, Mask: mask,
		Color: isTerminal(g.sys.Stderr) && g.getenv("NO_COLOR") == "" && g.getenv("TERM") != "dumb",
		Width: func() int { return terminalWidth(g.sys.Stderr) },
	})
	if g.getenv("GITHUB_ACTIONS") != "true" {
		return face, nil
	}
	return report.WithActions(face, g.appendTo("GITHUB_STEP_SUMMARY"), g.appendTo("GITHUB_OUTPUT"), mask), nil
}

// appendTo writes to the end of the file that an environment variable names; nil when it names none.
func (g *globals) appendTo(variable string) io.Writer {
	if path := g.getenv(variable); path != "" {
		return appendedFile(path)
	}
	return nil
}

// appendedFile is a file that is open only while it is written to: other steps write to it as well.
type appendedFile string

// Write implements io.Writer.
func (path appendedFile) Write(p []byte) (n int, err error) {
	file, err := os.OpenFile(string(path), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return file.Write(p)
}

func (g *globals) getenv(name string) string {
	value, _ := g.sys.LookupEnv(name)
	return value
}

// builderNeed says whether a command builds.
type builderNeed bool

const (
	needsBuilder builderNeed = true
	noBuilder    builderNeed = false
)

// Local rollouts are over in a second: looking often costs nothing there, while AWS's rates are shared by a whole account.
const (
	localPollMin = 40 * time.Millisecond
	localPollMax = 250 * time.Millisecond
)

// pipeline wires the ports.
func (s *session) pipeline(ctx context.Context, need builderNeed) (*release.Pipeline, error) {
	p := &release.Pipeline{Registry: maskedRegistry{s.registry, s.mask}, Orchestrator: s.ecs, Emit: s.face.Emit, ServiceURL: s.serviceURL, Commits: git.Repository{Dir: s.config.Dir}}
	p.Checker = s.checker(nil)
	if s.plain.Local && s.local.Rates == "" {
		p.PollMin, p.PollMax = localPollMin, localPollMax
	}
	if need == needsBuilder {
		if _, err := s.wish(); err != nil {
			return nil, err
		}
		p.ChooseBuilder = func(ctx context.Context, emit release.Emit) (release.Builder, error) {
			found, err := s.chooseBuilder(ctx, emit)
			s.closeBuilder = found.close
			return found.Builder, err
		}
		var err error
		if p.Trust.Attester, err = s.attester(ctx); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// registryCredentials opens the target's own registry to a build: its cache, and base images that are kept there.
func (s *session) registryCredentials(ctx context.Context, host string) (release.Credentials, bool, error) {
	own, err := s.registry.Host(ctx)
	if err != nil || own != host {
		return release.Credentials{}, false, err
	}
	auth, err := maskedRegistry{s.registry, s.mask}.Authenticate(ctx)
	return auth, err == nil, err
}

// renewCredentials gives new credentials of the target's registry.
func (s *session) renewCredentials(ctx context.Context, _ string) (release.Credentials, error) {
	auth, err := s.registry.Renew(ctx)
	s.mask.Add(auth.Username, auth.Password)
	return auth, err
}

// maskedRegistry keeps the passwords that it hands out from being shown.
type maskedRegistry struct {
	*registry.Registry
	mask *report.Mask
}

// Authenticate implements release.Registry.
func (m maskedRegistry) Authenticate(ctx context.Context) (release.Credentials, error) {
	auth, err := m.Registry.Authenticate(ctx)
	m.mask.Add(auth.Username, auth.Password)
	return auth, err
}

// serviceURL tells where a service of the local AWS answers.
func (s *session) serviceURL(ctx context.Context, service string) string {
	if !s.plain.Local {
		return ""
	}
	dir, err := s.localDir()
	if err != nil {
		return ""
	}
	status, err := localaws.Inspect(ctx, dir)
	if err != nil {
		return ""
	}
	for _, one := range status.Services {
		if one.Cluster == s.target.Cluster && one.Name == service {
			return one.URL
		}
	}
	return ""
}

package cli

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/medusa-deploy/medusa-deploy/internal/childenv"
	"github.com/medusa-deploy/medusa-deploy/internal/dockerlogin"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
	"github.com/medusa-deploy/medusa-deploy/internal/report"
)

// loggedIn is what login did.
type loggedIn struct {
	Host     string          `json:"host"`
	Username string          `json:"username"`
	Way      dockerlogin.Way `json:"way"`
	Path     string          `json:"path"`            // of Docker's config.json
	Store    string          `json:"store,omitempty"` // the credential store, for its way
	// Expires is when the password is no longer good; nil where none is stored.
	Expires *time.Time `json:"expires,omitempty"`
}

// loggedOut is what logout did.
type loggedOut struct {
	Host    string `json:"host"`
	Path    string `json:"path"`
	Changed bool   `json:"changed"` // there was something to undo
}

func newLogin(g *globals) *cobra.Command {
	var noHelper bool
	cmd := &cobra.Command{
		Use:   "login",
		Short: "let docker and other clients use the target's registry",
		Long: `login writes the target's registry into your Docker configuration (DOCKER_CONFIG, or ~/.docker), which docker, podman,
skopeo, crane and others read. No other command touches it: ship, build and push keep their credentials in memory.

Where Amazon's credential helper is installed (docker-credential-ecr-login), the configuration names it, and no password
is stored. Otherwise a password that is good for twelve hours goes where docker login would put it.`,
		Example: `  medusa-deploy login --target production
  medusa-deploy login && docker pull "$ECR_URL/medusa:latest"
  medusa-deploy login --no-helper`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := openSession(cmd.Context(), g)
			if err != nil {
				return err
			}
			done, err := s.login(cmd.Context(), noHelper)
			if err != nil {
				return exit(release.ExitBuild, err)
			}
			return show(g, done, printLogin)
		},
	}
	cmd.Flags().BoolVar(&noHelper, "no-helper", false, "store a password although Amazon's credential helper is installed")
	return cmd
}

func newLogout(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "logout [HOST]",
		Short: "undo login",
		Long: `logout removes the target's registry, or HOST, from your Docker configuration: a stored password, and the entry that names
Amazon's credential helper.`,
		Example: "  medusa-deploy logout --target production\n  medusa-deploy logout 123456789012.dkr.ecr.eu-west-1.amazonaws.com",
		Args:    maxArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			host, err := g.registryHost(cmd.Context(), args)
			if err != nil {
				return err
			}
			docker, err := g.docker()
			if err != nil {
				return err
			}
			done, changed, err := docker.Logout(cmd.Context(), host)
			if err != nil {
				return exit(release.ExitBuild, err)
			}
			return show(g, loggedOut{Host: host, Path: done.Path, Changed: changed}, printLogout)
		},
	}
}

func (s *session) login(ctx context.Context, noHelper bool) (loggedIn, error) {
	auth, err := maskedRegistry{s.registry, s.mask}.Authenticate(ctx)
	if err != nil {
		return loggedIn{}, err
	}
	if s.explain {
		fmt.Fprintln(s.sys.Stderr, "by hand: aws ecr get-login-password | docker login --username AWS --password-stdin "+auth.Host)
	}
	docker, err := s.docker()
	if err != nil {
		return loggedIn{}, err
	}
	// The helper takes AWS's keys from where every AWS tool does, and knows nothing of a role in our config.
	noHelper = noHelper || s.plain.Role != ""
	done, err := docker.Login(ctx, dockerlogin.Login{Host: auth.Host, Username: auth.Username, Password: auth.Password}, noHelper)
	if err != nil {
		return loggedIn{}, err
	}
	in := loggedIn{Host: auth.Host, Username: auth.Username, Way: done.Way, Path: done.Path, Store: done.Name}
	if done.Way != dockerlogin.WayECRHelper && !auth.Expires.IsZero() {
		in.Expires = &auth.Expires
	}
	return in, nil
}

// registryHost is the host that the command line names, or the target's.
func (g *globals) registryHost(ctx context.Context, args []string) (string, error) {
	if len(args) > 0 {
		return args[0], nil
	}
	s, err := openSession(ctx, g)
	if err != nil {
		return "", err
	}
	host, err := s.registry.Host(ctx)
	if err != nil {
		return "", exit(release.ExitBuild, fmt.Errorf("find the registry: %w\n  or name it: medusa-deploy logout HOST", err))
	}
	return host, nil
}

// docker is the user's Docker configuration.
func (g *globals) docker() (dockerlogin.Docker, error) {
	dir := g.getenv("DOCKER_CONFIG")
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return dockerlogin.Docker{}, exit(release.ExitUsage, fmt.Errorf("find Docker's configuration: %w\n  or name its directory: DOCKER_CONFIG", err))
		}
		dir = filepath.Join(home, ".docker")
	}
	return dockerlogin.Docker{Dir: dir, Env: childenv.ForBuild(os.Environ()), LookPath: exec.LookPath}, nil
}

func printLogin(p report.Page, in loggedIn) error {
	out := &printer{w: p.Out}
	switch in.Way {
	case dockerlogin.WayECRHelper:
		out.line("%s is left to docker-credential-ecr-login, which gets a password from AWS whenever one is needed", in.Host)
		out.line("  %s names it; no password is stored", in.Path)
	case dockerlogin.WayDocker:
		out.line("logged in to %s as %s", in.Host, in.Username)
		out.line("  docker login stored the password as %s says", in.Path)
	case dockerlogin.WayStore:
		out.line("logged in to %s as %s", in.Host, in.Username)
		out.line("  the password is in the store of docker-credential-%s, as %s says", in.Store, in.Path)
	case dockerlogin.WayFile:
		out.line("logged in to %s as %s", in.Host, in.Username)
		out.line("  the password is in %s, which you alone can read", in.Path)
	}
	if in.Expires != nil {
		out.line("  it is good until %s", in.Expires.Local().Format("2006-01-02 15:04 MST"))
	}
	out.line("  undo it: medusa-deploy logout")
	return out.err
}

func printLogout(p report.Page, done loggedOut) error {
	out := &printer{w: p.Out}
	if !done.Changed {
		out.line("%s is not in %s: nothing to undo", done.Host, done.Path)
		return out.err
	}
	out.line("logged out of %s: it is no longer in %s", done.Host, done.Path)
	return out.err
}

package build

import (
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"strings"
)

var (
	// ErrNoBuildx says that there is no Docker client here, or that it has no buildx.
	ErrNoBuildx = errors.New("no docker buildx")
	// ErrEngineDown says that no Docker Engine answers.
	ErrEngineDown = errors.New("no Docker Engine answers")
	// ErrEngineDenied says that this user may not use the Docker Engine.
	ErrEngineDenied = errors.New("this user may not use the Docker Engine")
	// ErrNoBuilder says that docker buildx has no builder of the name.
	ErrNoBuilder = errors.New("no such builder")
)

// commandError is a run of the Docker client that failed.
type commandError struct {
	argv []string
	said string // on its standard error
	err  error
}

// Error says what the client said, or why it could not be run.
func (e *commandError) Error() string {
	if e.said == "" {
		return strings.Join(e.argv, " ") + ": " + e.err.Error()
	}
	return strings.Join(e.argv, " ") + ": " + firstLineOf(e.said)
}

// Unwrap gives the cause.
func (e *commandError) Unwrap() error { return e.err }

// firstLineOf leaves out the help that a client prints after an error.
func firstLineOf(text string) string {
	first, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(first)
}

// buildxFailures are what the Docker client and buildx say, in all their versions, and what to do about it.
var buildxFailures = []struct {
	said []string // any of them
	kind error
	cure string
}{
	{
		[]string{"'buildx' is not a docker command", "unknown command: docker buildx\n", "unknown flag: --builder", "unknown flag: --progress"}, ErrNoBuildx,
		"install the plugin: the package docker-buildx-plugin of Docker's own repository, docker-buildx of Debian 13 or Ubuntu, or a binary of github.com/docker/buildx/releases as ~/.docker/cli-plugins/docker-buildx (Debian 12's docker.io has none)",
	},
	{
		[]string{"unknown command: docker buildx dial-stdio", "unknown command \"dial-stdio\""}, ErrNoBuildx,
		"this buildx is too old: dial-stdio came with version 0.13 (2024); install a newer one as ~/.docker/cli-plugins/docker-buildx",
	},
	{
		[]string{"permission denied while trying to connect", "docker.sock: connect: permission denied", ".sock: permission denied"}, ErrEngineDenied,
		"add the user to the group that owns the socket (sudo usermod -aG docker $USER, then log in again), or use a rootless Docker; who may use the socket is root on this machine",
	},
	{
		[]string{"Cannot connect to the Docker daemon", "failed to connect to the docker API", "Is the docker daemon running", "error during connect"}, ErrEngineDown,
		"start it (sudo systemctl start docker, or Docker Desktop), or point DOCKER_HOST or `docker context use` at one that runs",
	},
	{
		[]string{"no builder \"", "does not exist"}, ErrNoBuilder,
		"see which there are (docker buildx ls), or make one: docker buildx create --use",
	},
}

// explainBuildx says what a failure of the Docker client means and what to do.
func (c BuildxConfig) explainBuildx(err error) error {
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: there is no Docker client (%s): %w\n  install Docker, or build with BUILDKIT_HOST or the built-in engine (`medusa-deploy local up`) instead", ErrNoBuildx, c.docker()[0], err)
	}
	text := err.Error() + "\n"
	for _, f := range buildxFailures {
		if containsAny(text, f.said...) {
			return fmt.Errorf("%w: %w\n  %s", f.kind, err, f.cure)
		}
	}
	look := strings.TrimSpace("docker buildx inspect --bootstrap " + c.Builder)
	return fmt.Errorf("the builder %s of docker buildx does not answer: %w\n  see what it lacks: %s", orElse(c.Builder, "in use"), err, look)
}

package build

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/medusa-deploy/medusa-deploy/internal/childenv"
)

// buildx is the argv of a command of buildx on the configured builder.
func (c BuildxConfig) buildx(words ...string) []string {
	argv := slices.Clone(c.docker())
	if !c.pluginOnly() {
		argv = append(argv, "buildx")
	}
	if c.Builder != "" {
		argv = append(argv, "--builder", c.Builder)
	}
	return append(argv, words...)
}

func (c BuildxConfig) docker() []string {
	if len(c.Docker) == 0 {
		return []string{"docker"}
	}
	return c.Docker
}

// pluginOnly says whether the program is buildx itself rather than the Docker client.
func (c BuildxConfig) pluginOnly() bool {
	base := filepath.Base(c.docker()[0])
	return strings.HasPrefix(base, "docker-buildx") || strings.HasPrefix(base, "buildx")
}

// run runs a command to its end and gives what it printed.
func run(ctx context.Context, argv []string) (string, error) {
	var out bytes.Buffer
	said := &lastWords{}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...) //nolint:gosec // the user's own Docker client
	cmd.Env = childenv.ForBuild(os.Environ())
	cmd.Stdout, cmd.Stderr = &out, said
	detach(cmd)
	cmd.Cancel = func() error { kill(cmd); return nil }
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		var exit *exec.ExitError
		if complaint := said.complaint(); errors.As(err, &exit) && complaint != "" {
			return "", &commandError{argv: argv, said: complaint, err: err}
		}
		return "", &commandError{argv: argv, err: err}
	}
	return out.String(), nil
}

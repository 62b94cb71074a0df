package build

import (
	"path/filepath"
	"slices"
	"strings"
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

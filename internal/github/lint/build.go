package lint

import "strings"

// build is a command that builds an image.
type build struct {
	*command
	tags []word
	push bool // the result goes to the registry
	load bool // the result goes to docker's own images
	// buildx is the command that builds with the builder that docker buildx has chosen.
	buildx bool
	// many: it builds for several platforms, which docker's own images cannot hold.
	many bool
	// vague: some arguments cannot be known.
	vague bool
}

// newBuild reads a docker build.
func newBuild(c *command) (build, bool) {
	b := build{command: c}
	var args []word
	switch {
	case c.is("docker", "buildx", "build"), c.is("docker", "buildx", "b"):
		b.buildx = true
		args = c.args[2:]
	case c.is("docker", "build"), c.is("docker", "image", "build"), c.is("docker", "builder", "build"), c.is("podman", "build"):
		args = c.args[2:]
	default:
		return b, false
	}
	b.tags = options(args, "-t", "--tag")
	b.push = flagged(args, "--push")
	b.load = flagged(args, "--load")
	for _, o := range options(args, "-o", "--output") {
		b.push = b.push || strings.Contains(o.text, "type=registry") || strings.Contains(o.text, "push=true")
		b.load = b.load || strings.Contains(o.text, "type=docker") || strings.Contains(o.text, "type=image")
	}
	for _, p := range options(args, "--platform") {
		b.many = b.many || strings.Contains(p.text, ",")
	}
	for _, a := range args {
		b.vague = b.vague || strings.HasPrefix(a.text, unknownLeft+"$") && a.node != nil && len(a.node.Parts) == 1 && !isQuoted(a)
	}
	return b, true
}

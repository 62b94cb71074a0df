package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// ErrNoBuildx says that there is no Docker client here, or that it has no buildx.
var ErrNoBuildx = errors.New("no docker buildx")

// The drivers of docker buildx that are treated apart.
// https://docs.docker.com/build/builders/drivers/
const (
	DriverDocker     = "docker"           // BuildKit inside the Docker Engine
	DriverContainer  = "docker-container" // BuildKit in a container
	DriverKubernetes = "kubernetes"       // BuildKit in pods
	DriverRemote     = "remote"           // BuildKit that somebody else started
)

// BuildxInfo is what is known of a builder of docker buildx.
type BuildxInfo struct {
	Name   string // of the builder
	Driver string // one of the Driver constants, or one that is not known here
	Nodes  []BuildxNode
	// Engine is the version of the Docker Engine that builds; empty unless the driver is docker.
	Engine string
	// ContainerdStore says whether that engine keeps images in containerd's store. Without it, it has no manifests and
	// builds for one platform only.
	ContainerdStore bool
}

// BuildxNode is one BuildKit of a builder.
type BuildxNode struct {
	Name      string
	Endpoint  string   // a Docker context, or where BuildKit listens
	Status    string   // running | inactive | stopped …; empty: see Err
	Version   string   // of BuildKit; empty: not known
	Platforms []string // "linux/amd64", as the node itself says; empty as long as it does not run
	Err       string   // why the node cannot be looked at
}

// InspectBuildx tells which builder would build and what it can do. It starts nothing. ErrNoBuildx is in the error when
// there is no Docker client or it has no buildx.
func InspectBuildx(ctx context.Context, c BuildxConfig) (BuildxInfo, error) {
	argv := c.buildx("inspect")
	var out, said bytes.Buffer
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...) //nolint:gosec // the user's own Docker client
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return BuildxInfo{}, fmt.Errorf("%w: %w", ErrNoBuildx, err)
		}
		return BuildxInfo{}, fmt.Errorf("%s: %s: %w", strings.Join(argv, " "), strings.TrimSpace(said.String()), err)
	}
	return parseInspect(out.String()), nil
}

// parseInspect reads what `docker buildx inspect` prints: "Key: value" lines, first of the builder and then of its nodes.
func parseInspect(text string) BuildxInfo {
	var info BuildxInfo
	inNodes := false
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimRight(line, "\n"), ":")
		value = strings.TrimSpace(value)
		switch {
		case !ok:
		case !inNodes && key == "Name":
			info.Name = value
		case !inNodes && key == "Driver":
			info.Driver = value
		case key == "Nodes":
			inNodes = true
		case inNodes && key == "Name":
			info.Nodes = append(info.Nodes, BuildxNode{Name: value})
		case inNodes && len(info.Nodes) > 0:
			info.Nodes[len(info.Nodes)-1].set(key, value)
		}
	}
	return info
}

func (n *BuildxNode) set(key, value string) {
	switch key {
	case "Endpoint":
		n.Endpoint = value
	case "Status":
		n.Status = value
	case "BuildKit version":
		n.Version = value
	case "Error":
		n.Err = value
	case "Platforms":
		for platform := range strings.SplitSeq(value, ",") {
			n.Platforms = append(n.Platforms, strings.TrimSuffix(strings.TrimSpace(platform), "*"))
		}
	}
}

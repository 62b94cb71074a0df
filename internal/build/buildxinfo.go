package build

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The drivers of docker buildx.
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
	Driver string // one of the Driver constants, or one that is not known here; empty: nobody has asked (Buildx.Open)
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
	Status    string   // running, or inactive | stopped …, which the first build starts; empty: see Err
	Version   string   // of BuildKit; empty: not known
	Platforms []string // "linux/amd64", as the node itself says; empty as long as it does not run
	Options   string   // of the driver, as buildx shows them: network="host" image="…"
	Err       string   // why the node cannot be looked at
}

// InspectBuildx tells which builder would build and what it can do. It starts nothing: a builder that is stopped is no
// error. The error wraps ErrNoBuildx when there is no Docker client or it has no buildx, ErrEngineDown, ErrEngineDenied or
// ErrNoBuilder; the cure is in it.
func InspectBuildx(ctx context.Context, c BuildxConfig) (BuildxInfo, error) {
	out, err := run(ctx, c.buildx("inspect"))
	if err != nil {
		if ctx.Err() != nil {
			return BuildxInfo{}, err
		}
		return BuildxInfo{}, c.explainBuildx(err)
	}
	info, failure := parseInspect(out)
	if failure == "" && len(info.Nodes) == 1 {
		failure = info.Nodes[0].Err
	}
	if failure != "" {
		return info, c.explainBuildx(&commandError{argv: c.buildx("inspect"), said: failure, err: errors.New("the builder cannot be looked at")})
	}
	if info.Driver != DriverDocker {
		return info, nil
	}
	e := c.engineOf(info.Nodes[0].Endpoint)
	defer e.close()
	about, err := e.info(ctx)
	if err != nil {
		return info, err
	}
	info.Engine, info.ContainerdStore = about.ServerVersion, about.containerdStore()
	return info, nil
}

// parseInspect reads what `docker buildx inspect` prints: "Key: value" lines, first of the builder and then of its nodes.
// failure is why the builder as a whole cannot be looked at.
func parseInspect(text string) (info BuildxInfo, failure string) {
	inNodes := false
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
		value = strings.TrimSpace(value)
		switch {
		case !ok:
		case key == "Nodes":
			inNodes = true
		case !inNodes && key == "Name":
			info.Name = value
		case !inNodes && key == "Driver":
			info.Driver = value
		case !inNodes && key == "Error":
			failure = value
		case inNodes && key == "Name":
			info.Nodes = append(info.Nodes, BuildxNode{Name: value})
		case inNodes && len(info.Nodes) > 0:
			info.Nodes[len(info.Nodes)-1].set(key, value)
		}
	}
	return info, failure
}

func (n *BuildxNode) set(key, value string) {
	switch key {
	case "Endpoint":
		n.Endpoint = value
	case "Status":
		n.Status = value
	case "BuildKit version", "Buildkit": // before 0.11
		n.Version = value
	case "Driver Options":
		n.Options = value
	case "Error":
		n.Err = value
	case "Platforms":
		for platform := range strings.SplitSeq(value, ",") {
			// A star marks what the user gave the node; some versions group: "linux/amd64 (+2)".
			name, _, _ := strings.Cut(strings.TrimSpace(platform), " ")
			if name = strings.TrimSuffix(name, "*"); name != "" {
				n.Platforms = append(n.Platforms, name)
			}
		}
	}
}

// OwnLoopback tells whether a part of the builder has a loopback address of its own, so that it does not reach what listens
// on this machine's: it runs in a container without the machine's network, or in a pod.
func (i BuildxInfo) OwnLoopback() bool {
	switch i.Driver {
	case DriverKubernetes:
		return true
	case DriverContainer:
		return slices.ContainsFunc(i.Nodes, func(n BuildxNode) bool { return !strings.Contains(n.Options, `network="host"`) })
	}
	return false
}

// canBuild says why the builder cannot make one image of several platforms.
func (i BuildxInfo) canBuild(platforms []string) error {
	if len(platforms) < 2 || i.Driver != DriverDocker || i.ContainerdStore {
		return nil
	}
	return fmt.Errorf("the builder %s cannot build %s at once: Docker Engine %s does not keep its images in containerd's store\n  make a builder that can: docker buildx create --use; or switch that store on in the engine (daemon.json: {\"features\": {\"containerd-snapshotter\": true}})",
		i.Name, strings.Join(platforms, " and "), i.Engine)
}

// contextsSince is the first Docker Engine whose Dockerfile frontend knows named contexts. Older ones overlook them.
const contextsSince = 23

// takesContexts says why the builder cannot give a build named contexts.
func (i BuildxInfo) takesContexts() error {
	major, _, _ := strings.Cut(i.Engine, ".")
	if version, err := strconv.Atoi(major); err != nil || version >= contextsSince {
		return nil
	}
	return fmt.Errorf("the builder %s overlooks named contexts (image.contexts): Docker Engine %s is older than %d\n  make a builder that takes them: docker buildx create --use", i.Name, i.Engine, contextsSince)
}

package nodebase

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// Reference is the image that the result stands in for, as a Dockerfile names it.
const Reference = "node:22-bookworm-slim"

// Base is an image on disk.
type Base struct {
	Layout string // directory of an OCI layout that holds the image alone
	Image  v1.Image
	Bytes  int64         // of its compressed layers
	Cached bool          // nothing had to be made
	Took   time.Duration // to make or find it
}

// Make gives the image for this machine's processor, from the cache where it is there. cache is the directory to keep
// it in; empty: medusa-deploy/node-base below the user's cache directory. What it does goes to log, a line each.
func Make(ctx context.Context, cache string, log io.Writer) (Base, error) {
	begin := time.Now()
	if cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return Base{}, fmt.Errorf("find a directory for the base image: %w", err)
		}
		cache = filepath.Join(dir, "medusa-deploy", "node-base")
	}
	machine, err := thisMachine(ctx)
	if err != nil {
		return Base{}, err
	}
	s := store{dir: cache, log: log}
	dir, err := s.keep("image", strings.Join([]string{debianInputs(), nodeInputs(), machine.inputs(), fmt.Sprint(machine.environment())}, "\n"), func(dir string) error {
		layers, err := s.layers(ctx, machine)
		if err != nil {
			return err
		}
		return writeLayout(dir, layers, machine)
	})
	if err != nil {
		return Base{}, err
	}
	base, err := open(dir)
	base.Cached, base.Took = s.made == 0, time.Since(begin)
	return base, err
}

// layers makes what is missing: Debian, Node, this machine's settings.
func (s *store) layers(ctx context.Context, m machine) ([]string, error) {
	debian, err := s.keep("debian", debianInputs(), func(file string) error { return makeDebian(ctx, file) })
	if err != nil {
		return nil, err
	}
	node, err := s.keep("node", nodeInputs(), func(file string) error { return makeNode(ctx, file) })
	if err != nil {
		return nil, err
	}
	settings, err := s.keep("machine", m.inputs(), func(file string) error { return writeLayer(file, m.files()) })
	if err != nil {
		return nil, err
	}
	return []string{debian, node, settings}, nil
}

// writeLayout joins the layers to an image in an OCI layout of its own.
func writeLayout(dir string, layers []string, m machine) error {
	image, err := join(layers, m)
	if err != nil {
		return err
	}
	index, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	return index.AppendImage(image, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": Reference}))
}

// open reads the image of a layout.
func open(dir string) (Base, error) {
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return Base{}, fmt.Errorf("read the base image: %w", err)
	}
	listed, err := index.IndexManifest()
	if err != nil {
		return Base{}, fmt.Errorf("read the base image: %w", err)
	}
	if len(listed.Manifests) != 1 {
		return Base{}, fmt.Errorf("read the base image: %s holds %d images\n  remove the directory: it is made again", dir, len(listed.Manifests))
	}
	image, err := index.Image(listed.Manifests[0].Digest)
	if err != nil {
		return Base{}, fmt.Errorf("read the base image: %w", err)
	}
	manifest, err := image.Manifest()
	if err != nil {
		return Base{}, fmt.Errorf("read the base image: %w", err)
	}
	base := Base{Layout: dir, Image: image}
	for _, layer := range manifest.Layers {
		base.Bytes += layer.Size
	}
	return base, nil
}

// join has the settings of the official image: its environment, and node to start with.
func join(files []string, m machine) (v1.Image, error) {
	image := empty.Image
	for _, file := range files {
		layer, err := tarball.LayerFromFile(file)
		if err != nil {
			return nil, err
		}
		if image, err = mutate.Append(image, mutate.Addendum{Layer: layer, History: v1.History{CreatedBy: "medusa-deploy " + filepath.Base(file)}}); err != nil {
			return nil, err
		}
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config.OS, config.Architecture = "linux", runtime.GOARCH
	config.Config = v1.Config{
		Env: append([]string{
			"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
			"NODE_VERSION=" + nodeVersion, "YARN_VERSION=" + yarnVersion,
		}, m.environment()...),
		Cmd:    []string{"node"},
		Labels: map[string]string{"medusa-deploy.base": "a stand-in for " + Reference + " on one machine; not to be published"},
	}
	return mutate.ConfigFile(image, config)
}

// run runs a program to its end; a failure shows the last that it wrote.
func run(ctx context.Context, name string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, name, args...)
	var stderr strings.Builder
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(command.Args, " "), err, tail(stderr.String(), 15))
	}
	return strings.TrimSpace(string(out)), nil
}

func tail(text string, lines int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// needs says which Debian package has a program that is missing.
func needs(program, debianPackage string) error {
	if _, err := exec.LookPath(program); err != nil {
		return fmt.Errorf("the base image needs %s: %w\n  install it: apt-get install %s", program, err, debianPackage)
	}
	return nil
}

// errNotRoot is the answer to whoever cannot make files of other users.
var errNotRoot = errors.New("the base image is made as root, on Debian or one of its kind: its files belong to root\n  run it again with sudo")

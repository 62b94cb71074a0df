// Package docker runs local AWS's containers on a Docker Engine that the user has, with no right but to its API: no root,
// no file of Docker's, no network but its default one. It implements engine.Engine.
//
// What it makes in Docker has labels that name its state directory, and is found by them: there is no record of its own
// beside Docker's. A task is a container that does nothing and whose network the task's containers join. BuildKit runs as
// one more container. Shutdown and Teardown remove all of it; images and BuildKit's cache stay until Forget.
//
// It must not know ECS, AWS wire formats or the release pipeline.
package docker

import (
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"path/filepath"
)

// Config says where an engine keeps what it knows and what it runs.
type Config struct {
	// Dir is the state directory of local AWS. The engine uses Dir/docker.
	Dir string
	// BinDir holds buildkitd and runc as `make engine` builds them. Without them there is no BuildKit.
	BinDir string
	// Registry is HOST:PORT of local ECR, which BuildKit is allowed to reach over plain HTTP.
	Registry string
	// Host is the daemon, as in DOCKER_HOST. Empty: the one that the docker command would use.
	Host string
	// Apart says that the daemon is on another network than this process, as in a virtual machine or rootless: its
	// containers are reached through published ports, and images are handed to it. It is found out when it is not said.
	Apart bool
	// Program is a program for the containers' machine, without libraries, that calls Become first. Empty: this one.
	Program string
	// Log is for operators; nil discards.
	Log *slog.Logger
}

func (c Config) logger() *slog.Logger {
	if c.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return c.Log
}

// place is a state directory, and the names in Docker that stand for it.
type place struct {
	dir string // Dir/docker
	tag string // of 8 hexadecimal digits
}

func newPlace(dir string) (place, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return place{}, err
	}
	sum := sha256.Sum256([]byte(dir))
	return place{dir: filepath.Join(dir, "docker"), tag: hex.EncodeToString(sum[:4])}, nil
}

// daemonFile remembers the daemon, for whoever cleans up.
func (p place) daemonFile() string { return filepath.Join(p.dir, "daemon") }

// openFile is there while an engine is open, and after it crashed.
func (p place) openFile() string { return filepath.Join(p.dir, "open") }

// socketDir is where BuildKit's container puts its socket.
func (p place) socketDir() string { return filepath.Join(p.dir, "run") }

func (p place) sandboxName(id string) string   { return "medusa-deploy-" + p.tag + "-task-" + id }
func (p place) containerName(id string) string { return "medusa-deploy-" + p.tag + "-" + id }
func (p place) buildkitName() string           { return "medusa-deploy-" + p.tag + "-buildkit" }
func (p place) programVolume() string          { return "medusa-deploy-" + p.tag + "-program" }
func (p place) cacheVolume() string            { return "medusa-deploy-" + p.tag + "-cache" }

// imageName is the name under which an image that was pulled as ref is kept.
func (p place) imageName(ref string) string {
	sum := sha256.Sum256([]byte(ref))
	return p.imageRepository() + ":" + hex.EncodeToString(sum[:12])
}

func (p place) imageRepository() string { return "medusa-deploy-" + p.tag }

// The labels of what an engine makes.
const (
	labelEngine    = "medusa-deploy.engine"    // place.tag
	labelSandbox   = "medusa-deploy.sandbox"   // id; on the container that holds the network, and on those in it
	labelContainer = "medusa-deploy.container" // id
	labelName      = "medusa-deploy.name"      // engine.ContainerSpec.Name
	labelImage     = "medusa-deploy.image"     // engine.ContainerSpec.Image
	labelLabels    = "medusa-deploy.labels"    // engine.ContainerSpec.Labels, as JSON
	labelSecrets   = "medusa-deploy.secrets"   // there when the container has SecretEnv
	labelHelper    = "medusa-deploy.helper"    // on containers and images that belong to no task
)

package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// The sides of clients. The program reports its phases: its push phase begins when the image is built, as crane and
// skopeo begin with a layout that is on disk.
const (
	program     = "medusa-deploy push"
	withCrane   = "crane push"
	withSkopeo  = "skopeo copy"
	repository  = "big"
	manifestTag = "v1"
)

// clients measures the program's push of an image against those of the same image by others.
func clients(ctx context.Context, o options) error {
	found := times{}
	var whats []string
	for _, s := range o.shapes() {
		whats = append(whats, s.String())
		if err := o.OnLocalAWS(ctx, func(ctx context.Context, stage *rehearsal.Stage) error { return pushByAll(ctx, o, stage, s, found) }); err != nil {
			return err
		}
	}
	found.print(whats, program, withCrane, withSkopeo)
	return nil
}

func pushByAll(ctx context.Context, o options, stage *rehearsal.Stage, s shape, found times) error {
	r, err := stage.Registry(ctx)
	if err != nil {
		return err
	}
	progress("building an image of %s", s)
	if err := plant(stage, s); err != nil {
		return err
	}
	first, err := stage.Green(ctx, release.OutcomeSucceeded, "push")
	if err != nil {
		return err
	}
	c := crane{program: filepath.Join(o.peers, "crane"), config: filepath.Join(stage.Dir, "docker")}
	layout := filepath.Join(stage.Dir, "layout")
	if err := errors.Join(r.DockerConfig(c.config), c.run(ctx, "pull", "--format=oci", first.Image, layout)); err != nil {
		return err
	}
	sides := map[string]func() (time.Duration, error){
		program: func() (time.Duration, error) {
			result, err := stage.Green(ctx, release.OutcomeSucceeded, "push")
			if err == nil && result.Digest != first.Digest {
				err = fmt.Errorf("pushed %s, and before %s", result.Digest, first.Digest)
			}
			return time.Duration(result.Phases["push"] * float64(time.Second)), err
		},
		withCrane: func() (time.Duration, error) {
			return timed(func() error { return c.run(ctx, "push", layout, r.Host+"/"+repository+":"+manifestTag) })
		},
		withSkopeo: func() (time.Duration, error) {
			return timed(func() error { return skopeo(ctx, c.config, layout, r.Host+"/"+repository+":"+manifestTag) })
		},
	}
	for round := range o.rounds {
		for _, side := range turns(round, program, withCrane, withSkopeo) {
			if err := r.Empty(ctx, repository); err != nil {
				return err
			}
			syscall.Sync()
			took, err := sides[side]()
			if err != nil {
				return fmt.Errorf("%s: %w", side, err)
			}
			found.add(s.String(), side, took)
		}
	}
	return nil
}

func skopeo(ctx context.Context, config, layout, ref string) error {
	out, err := exec.CommandContext(ctx, "skopeo", "copy", "--quiet", "--preserve-digests", "--dest-tls-verify=false",
		"--authfile", filepath.Join(config, "config.json"), "oci:"+layout, "docker://"+ref).CombinedOutput()
	if err != nil {
		return fmt.Errorf("skopeo: %w: %s", err, out)
	}
	return nil
}

// plant makes the stage's app one whose image has the shape: a file of random bytes is a layer.
func plant(stage *rehearsal.Stage, s shape) error {
	var dockerfile strings.Builder
	dockerfile.WriteString("FROM scratch\n")
	if err := os.MkdirAll(filepath.Join(stage.App, "files"), 0o755); err != nil {
		return err
	}
	for i := range s.layers {
		fmt.Fprintf(&dockerfile, "COPY files/%d /%d\n", i, i)
		if err := random(filepath.Join(stage.App, "files", fmt.Sprint(i)), s.size, uint64(i)); err != nil {
			return err
		}
	}
	yaml := "app: big\nimage:\n  repository: " + repository + "\n  platforms: [linux/amd64]\ntargets:\n  local:\n    services: [none]\n"
	err := errors.Join(
		stage.Write("Dockerfile", []byte(dockerfile.String())), stage.Write("medusa-deploy.yaml", []byte(yaml)),
		stage.Write(".gitignore", []byte("/files/\n")), stage.Write(".dockerignore", nil),
	)
	if err != nil {
		return err
	}
	_, err = stage.Commit("an image of " + s.String())
	return err
}

// random writes a file that cannot be compressed, the same for the same seed.
func random(path string, size int64, seed uint64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed+1)
	_, err = io.CopyN(f, rand.NewChaCha8(key), size)
	return errors.Join(err, f.Close())
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
)

// The sides of registries.
const (
	localECR     = "local ECR"
	distribution = "CNCF distribution"
)

// registries measures crane against the two.
func registries(ctx context.Context, o options) error {
	return o.OnLocalAWS(ctx, func(ctx context.Context, stage *rehearsal.Stage) (err error) {
		ecr, err := stage.Registry(ctx)
		if err != nil {
			return err
		}
		other, stop, err := rehearsal.StartDistribution(ctx, filepath.Join(o.peers, "registry"), filepath.Join(stage.Dir, "distribution"))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, stop()) }()
		sides := map[string]*rehearsal.Registry{localECR: ecr, distribution: other}
		c := crane{program: filepath.Join(o.peers, "crane"), config: filepath.Join(stage.Dir, "docker")}
		if err := ecr.DockerConfig(c.config); err != nil {
			return err
		}
		found := times{}
		var whats []string
		for _, s := range o.shapes() {
			layout := filepath.Join(stage.Dir, s.name)
			progress("writing an image of %s", s)
			if _, err := rehearsal.WriteLayout(layout, s.layers, s.size, 1); err != nil {
				return err
			}
			push, pull := "push "+s.String(), "pull "+s.String()
			whats = append(whats, push, pull)
			for round := range o.rounds {
				for _, side := range turns(round, localECR, distribution) {
					r := sides[side]
					repository := fmt.Sprintf("%s-%d", s.name, round)
					if err := r.Create(ctx, repository); err != nil {
						return err
					}
					if err := c.measure(ctx, found, [2]string{push, pull}, side, layout, r.Host+"/"+repository+":v1"); err != nil {
						return err
					}
				}
				// Neither may have anything of it in the next round.
				if err := forget(ctx, s.name, round, ecr, filepath.Join(stage.Dir, "distribution", "data")); err != nil {
					return err
				}
			}
		}
		found.print(whats, localECR, distribution)
		return nil
	}, "--engine", "simulated")
}

// forget removes a round's repository from both registries.
func forget(ctx context.Context, name string, round int, ecr *rehearsal.Registry, data string) error {
	return errors.Join(ecr.Delete(ctx, fmt.Sprintf("%s-%d", name, round)), os.RemoveAll(filepath.Join(data, "docker")))
}

// turns gives the sides in another order each round, so that none always comes first.
func turns(round int, sides ...string) []string {
	first := round % len(sides)
	return append(append([]string{}, sides[first:]...), sides[:first]...)
}

// crane is the registry client that both registries are measured with.
type crane struct{ program, config string }

func (c crane) run(ctx context.Context, args ...string) error {
	command := exec.CommandContext(ctx, c.program, args...)
	command.Env = append(os.Environ(), "DOCKER_CONFIG="+c.config)
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("crane %v: %w: %s", args, err, out)
	}
	return nil
}

// measure pushes and pulls once. What earlier ones left for the disk to do is done first.
func (c crane) measure(ctx context.Context, found times, what [2]string, side, layout, ref string) error {
	syscall.Sync()
	took, err := timed(func() error { return c.run(ctx, "push", layout, ref) })
	if err != nil {
		return err
	}
	found.add(what[0], side, took)
	pulled := layout + "-pulled"
	syscall.Sync()
	took, err = timed(func() error { return c.run(ctx, "pull", "--format=oci", ref, pulled) })
	if err != nil {
		return err
	}
	found.add(what[1], side, took)
	return os.RemoveAll(pulled)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
)

// way is a way to the daemon, with the tool that goes it without the program.
type way struct {
	name     string
	args     []string // of the program's push
	env      []string // of the program
	bareName string
	bare     []string // argv
	prune    []string // argv that empties the daemon's cache
}

// bench is what all measurements share: local AWS's daemon and one in a container, and a registry beside them.
type bench struct {
	stage    *rehearsal.Stage
	docker   *rehearsal.Docker
	registry *rehearsal.Registry
	address  string // of local AWS's daemon
	lines    [][]string
}

func newBench(ctx context.Context, stage *rehearsal.Stage, docker *rehearsal.Docker) (*bench, error) {
	env, err := stage.LocalEnv(ctx)
	if err != nil {
		return nil, err
	}
	registry, err := stage.Registry(ctx)
	if err != nil {
		return nil, err
	}
	b := &bench{stage: stage, docker: docker, registry: registry, address: env["BUILDKIT_HOST"]}
	err = errors.Join(registry.DockerConfig(docker.Config), registry.Create(ctx, repository, bareRepository), docker.CreateBuilder(ctx, containedBuilder, true))
	if err != nil {
		return nil, err
	}
	_, err = docker.Run(ctx, "buildx", "create", "--name", remoteBuilder, "--driver", "remote", b.address)
	return b, err
}

// The builders of docker buildx.
const (
	remoteBuilder    = "remote"    // local AWS's daemon
	containedBuilder = "contained" // in a container that docker buildx has made
)

func (b *bench) tool(name string) string { return filepath.Join(b.stage.EngineDir, name) }

// ways gives the ways that the program has to the daemon.
func (b *bench) ways() []*way {
	image := b.registry.Host + "/" + bareRepository + ":latest"
	buildctl := []string{
		b.tool("buildctl"), "--addr", b.address, "build", "--progress", "plain", "--frontend", "dockerfile.v0", "--local", "context=.", "--local", "dockerfile=.",
		"--opt", "platform=linux/amd64", "--output", "type=image,name=" + image + ",push=true,oci-mediatypes=true,registry.insecure=true",
	}
	prune := []string{b.tool("buildctl"), "--addr", b.address, "prune", "--all"}
	buildx := func(driver, builder string) *way {
		return &way{
			name: "docker buildx, " + driver + " driver", args: []string{"--builder", "buildx:" + builder}, env: b.docker.Env(), bareName: "docker buildx",
			bare: []string{
				"docker", "buildx", "build", "--builder", builder, "--progress", "plain", "--provenance=false", "--platform", "linux/amd64", "--push", "--tag", image, ".",
			},
			prune: []string{"docker", "buildx", "prune", "--builder", builder, "--all", "--force"},
		}
	}
	return []*way{
		{name: "built-in engine", args: []string{"--builder", "engine"}, bareName: "buildctl", bare: buildctl, prune: prune},
		{name: "BUILDKIT_HOST", env: []string{"BUILDKIT_HOST=" + b.address}, bareName: "buildctl", bare: buildctl, prune: prune},
		buildx("remote", remoteBuilder),
		buildx("docker-container", containedBuilder),
	}
}

// bare builds and pushes with the bare tool.
func (b *bench) bare(ctx context.Context, w *way) (spent, error) {
	begin := time.Now()
	err := output(b.command(ctx, w.bare[0], w.bare[1:]...))
	return spent{all: time.Since(begin)}, err
}

// command prepares a bare tool's command in the app's directory.
func (b *bench) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, name, args...)
	command.Dir = b.stage.App
	command.Env = append(os.Environ(), b.docker.Env()...)
	return command
}

func output(command *exec.Cmd) error {
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(command.Args, " "), err, out)
	}
	return nil
}

// cool empties the cache of a way's daemon and both repositories.
func (b *bench) cool(ctx context.Context, w *way) error {
	return errors.Join(
		output(b.command(ctx, w.prune[0], w.prune[1:]...)),
		b.registry.Empty(ctx, repository), b.registry.Empty(ctx, bareRepository),
	)
}

// line is a line of the table.
func line(what string, ours, bare *side) []string {
	all := func(s *side) (times []time.Duration) {
		for _, t := range s.took {
			times = append(times, t.all)
		}
		slices.Sort(times)
		return times
	}
	mine, theirs := all(ours), all(bare)
	over := median(mine) - median(theirs)
	return []string{
		what, spread(mine), bare.name, spread(theirs), fmt.Sprintf("%+d ms", over.Milliseconds()),
		fmt.Sprintf("%.2f×", median(mine).Seconds()/median(theirs).Seconds()), phases(ours.took),
	}
}

// phases are the medians of where the program's time went, longest first. The rest is what lies before, between and after
// them: its start, its configuration, its end.
func phases(took []spent) string {
	names := map[string][]time.Duration{}
	for _, t := range took {
		rest := t.all
		for name, seconds := range t.phases {
			if name == "total" {
				continue
			}
			d := time.Duration(seconds * float64(time.Second))
			names[name] = append(names[name], d)
			rest -= d
		}
		names["the rest"] = append(names["the rest"], rest)
	}
	var all []string
	for name, times := range names {
		slices.Sort(times)
		all = append(all, fmt.Sprintf("%s %d", name, median(times).Milliseconds()))
	}
	slices.SortFunc(all, func(a, b string) int { return number(b) - number(a) })
	return strings.Join(all, ", ") + " ms"
}

// number is the one at the end of a text.
func number(text string) (n int) {
	_, _ = fmt.Sscan(text[strings.LastIndexByte(text, ' ')+1:], &n) // it was printed so
	return n
}

func median(sorted []time.Duration) time.Duration {
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

func spread(sorted []time.Duration) string {
	return fmt.Sprintf("%d ms (%d–%d)", median(sorted).Milliseconds(), sorted[0].Milliseconds(), sorted[len(sorted)-1].Milliseconds())
}

func (b *bench) print() {
	fmt.Println()
	rehearsal.WriteTable(os.Stdout, []string{"way, and what is built", "medusa-deploy push", "bare tool", "took", "over", "ratio", "where the time went"}, b.lines)
	fmt.Println()
}

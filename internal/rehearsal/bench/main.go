// Command bench measures releases on one local AWS against the plain way: `buildctl build --push`, `aws ecs
// update-service --force-new-deployment`, `aws ecs wait services-stable`. Both ways run in turn in one run, on the same
// engine, app and service; it prints medians and ratios. It asserts nothing about time.
package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

func main() {
	var tools rehearsal.Tools
	tools.Flags()
	rounds := flag.Int("rounds", 5, "how often to measure each")
	rehearsal.Main("bench", func(ctx context.Context) error {
		return tools.OnLocalAWS(ctx, func(ctx context.Context, stage *rehearsal.Stage) error { return run(ctx, stage, *rounds) })
	})
}

func run(ctx context.Context, stage *rehearsal.Stage, rounds int) error {
	fmt.Println("shipping the first version")
	if _, err := stage.Green(ctx, release.OutcomeSucceeded, "ship"); err != nil {
		return err
	}
	plain, err := newPlain(ctx, stage)
	if err != nil {
		return err
	}
	b := &bench{Stage: stage, plain: plain, times: map[string][]time.Duration{}}
	for round := range rounds {
		fmt.Printf("round %d of %d\n", round+1, rounds)
		if err := b.round(ctx); err != nil {
			return err
		}
	}
	b.print()
	return nil
}

type bench struct {
	*rehearsal.Stage
	plain   *plain
	times   map[string][]time.Duration
	version int
}

// The things that are measured.
const (
	noop       = "ship, nothing changed"
	change     = "ship, one line changed"
	rollback   = "rollback"
	plainNoop  = "plain, nothing changed"
	plainShip  = "plain, one line changed"
	plainBack  = "plain rollback (retag)"
	formatLine = "%-24s %8.2f s   %-24s %8.2f s   %6.1f×\n"
)

func (b *bench) round(ctx context.Context) error {
	if err := b.edit(); err != nil {
		return err
	}
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{change, b.release(release.OutcomeSucceeded, "ship")},
		{noop, b.release(release.OutcomeUnchanged, "ship")},
		{rollback, b.release(release.OutcomeSucceeded, "rollback", "--yes")},
	} {
		if err := b.measure(ctx, step.name, step.do); err != nil {
			return err
		}
	}
	if err := b.edit(); err != nil {
		return err
	}
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{plainShip, b.plain.ship},
		{plainNoop, b.plain.ship},
		{plainBack, b.plain.rollback},
	} {
		if err := b.measure(ctx, step.name, step.do); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) release(outcome release.Outcome, args ...string) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := b.Green(ctx, outcome, args...)
		return err
	}
}

func (b *bench) measure(ctx context.Context, name string, do func(context.Context) error) error {
	begin := time.Now()
	if err := do(ctx); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	b.times[name] = append(b.times[name], time.Since(begin))
	return nil
}

// edit changes one line of the app and commits it.
func (b *bench) edit() error {
	from := "Hello from"
	if b.version > 0 {
		from = fmt.Sprintf("Hello %d from", b.version)
	}
	b.version++
	if err := b.Edit("main.go", from, fmt.Sprintf("Hello %d from", b.version)); err != nil {
		return err
	}
	_, err := b.Commit(fmt.Sprintf("version %d", b.version))
	return err
}

func (b *bench) print() {
	fmt.Printf("\nmedians of %d rounds\n", len(b.times[noop]))
	for _, pair := range [][2]string{{noop, plainNoop}, {change, plainShip}, {rollback, plainBack}} {
		ours, theirs := median(b.times[pair[0]]), median(b.times[pair[1]])
		fmt.Printf(formatLine, pair[0], ours.Seconds(), pair[1], theirs.Seconds(), theirs.Seconds()/ours.Seconds())
	}
}

func median(d []time.Duration) time.Duration {
	sorted := slices.Clone(d)
	slices.Sort(sorted)
	return sorted[len(sorted)/2]
}

// plain is the way without medusa-deploy, on the same local AWS.
type plain struct {
	stage    *rehearsal.Stage
	buildctl string
	env      []string
	registry string
	endpoint string
}

func newPlain(ctx context.Context, stage *rehearsal.Stage) (*plain, error) {
	variables, err := stage.LocalEnv(ctx)
	if err != nil {
		return nil, err
	}
	p := &plain{stage: stage, buildctl: filepath.Join(stage.EngineDir, "buildctl"), registry: variables["ECR_URL"], endpoint: variables["AWS_ENDPOINT_URL"]}
	p.env = append(os.Environ(), "DOCKER_CONFIG="+filepath.Join(stage.Dir, "docker"), "AWS_PAGER=")
	for name, value := range variables {
		p.env = append(p.env, name+"="+value)
	}
	return p, nil
}

// ship is what a careful person types: compile, log in, build and push, force a new deployment, wait.
func (p *plain) ship(ctx context.Context) error {
	if _, err := p.exec(ctx, "env", "CGO_ENABLED=0", "go", "build", "-trimpath", "-buildvcs=false", "-o", "bin/hello", "."); err != nil {
		return err
	}
	if err := p.login(ctx); err != nil {
		return err
	}
	if _, err := p.exec(ctx, p.buildctl, "build", "--frontend", "dockerfile.v0", "--local", "context=.", "--local", "dockerfile=.",
		"--opt", "build-arg:COMMIT=plain", "--output", "type=image,name="+p.registry+"/medusa:latest,push=true"); err != nil {
		return err
	}
	return p.deploy(ctx)
}

func (p *plain) deploy(ctx context.Context) error {
	if _, err := p.exec(ctx, "aws", "ecs", "update-service", "--cluster", "medusa-cluster", "--service", "medusa-service", "--force-new-deployment"); err != nil {
		return err
	}
	_, err := p.exec(ctx, "aws", "ecs", "wait", "services-stable", "--cluster", "medusa-cluster", "--services", "medusa-service")
	return err
}

// rollback moves :latest to the image pushed before it, by the AWS CLI.
func (p *plain) rollback(ctx context.Context) error {
	manifest, err := p.exec(ctx, "aws", "ecr", "batch-get-image", "--repository-name", "medusa", "--image-ids", "imageTag="+p.previousTag(ctx), "--query", "images[0].imageManifest", "--output", "text")
	if err != nil {
		return err
	}
	if _, err := p.exec(ctx, "aws", "ecr", "put-image", "--repository-name", "medusa", "--image-tag", "latest", "--image-manifest", strings.TrimSpace(manifest)); err != nil {
		return err
	}
	return p.deploy(ctx)
}

// previousTag is the tag of the commit before HEAD, which ship pushed.
func (p *plain) previousTag(ctx context.Context) string {
	sha, err := p.exec(ctx, "git", "rev-parse", "HEAD~1")
	if err != nil {
		return ""
	}
	return "git-" + strings.TrimSpace(sha)
}

// login writes the Docker config that buildctl reads, with the password that the AWS CLI gives.
func (p *plain) login(ctx context.Context) error {
	password, err := p.exec(ctx, "aws", "ecr", "get-login-password")
	if err != nil {
		return err
	}
	auth := base64.StdEncoding.EncodeToString([]byte("AWS:" + strings.TrimSpace(password)))
	content, err := json.Marshal(map[string]any{"auths": map[string]any{p.registry: map[string]string{"auth": auth}}})
	if err != nil {
		return err
	}
	dir := filepath.Join(p.stage.Dir, "docker")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "config.json"), content, 0o600)
}

func (p *plain) exec(ctx context.Context, name string, args ...string) (string, error) {
	if name == "aws" { // Debian's is older than AWS_ENDPOINT_URL
		args = append([]string{"--endpoint-url", p.endpoint}, args...)
	}
	command := exec.CommandContext(ctx, name, args...)
	command.Dir, command.Env = p.stage.App, p.env
	var stderr strings.Builder
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", filepath.Base(name), strings.Join(args, " "), err, stderr.String())
	}
	return string(out), nil
}

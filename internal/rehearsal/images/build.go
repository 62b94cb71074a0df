package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal/nodebase"
)

// builder builds with the BuildKit of the stage's local AWS, by BuildKit's own client.
type builder struct {
	client  string // buildctl
	address string
	base    nodebase.Base
	out     string // where images go
	verbose bool
}

func newBuilder(ctx context.Context, stage *rehearsal.Stage, base nodebase.Base) (*builder, error) {
	env, err := stage.LocalEnv(ctx)
	if err != nil {
		return nil, err
	}
	return &builder{client: filepath.Join(stage.EngineDir, "buildctl"), address: env["BUILDKIT_HOST"], base: base, out: filepath.Join(stage.Dir, "image.tar")}, nil
}

// result is what one way came to.
type result struct {
	way
	cold, unchanged, changed, again time.Duration // again: 0 when not measured
	image                           image
	changedBytes, againBytes        int64 // compressed, of layers that the image before did not have
}

// measure builds with nothing known, again, with one line changed and, when asked to, that once more with nothing known.
func (b *builder) measure(ctx context.Context, w way, again bool) (result, error) {
	r := result{way: w}
	if err := b.forget(ctx); err != nil {
		return r, err
	}
	var err error
	if r.cold, r.image, err = b.build(ctx, w); err != nil {
		return r, err
	}
	if r.unchanged, _, err = b.build(ctx, w); err != nil {
		return r, err
	}
	if err := w.edit(); err != nil {
		return r, err
	}
	var changed image
	if r.changed, changed, err = b.build(ctx, w); err != nil {
		return r, err
	}
	r.changedBytes = changed.beyond(r.image)
	if !again {
		return r, nil
	}
	if err := b.forget(ctx); err != nil {
		return r, err
	}
	var fresh image
	if r.again, fresh, err = b.build(ctx, w); err != nil {
		return r, err
	}
	r.againBytes = fresh.beyond(r.image)
	return r, nil
}

// forget empties the builder's cache, caches of package managers included.
func (b *builder) forget(ctx context.Context) error {
	_, err := b.run(ctx, "prune", "--all")
	return err
}

// build makes the image as a tar archive and reads it. The reading takes no part in the time.
func (b *builder) build(ctx context.Context, w way) (time.Duration, image, error) {
	digest, err := b.base.Image.Digest()
	if err != nil {
		return 0, image{}, fmt.Errorf("read the base image: %w", err)
	}
	args := []string{"build", "--progress=plain", "--frontend=dockerfile.v0", "--local=context=" + w.dir, "--local=dockerfile=" + w.dir,
		"--oci-layout=base=" + b.base.Layout, "--opt=build-arg:SOURCE_DATE_EPOCH=0", "--opt=build-arg:COMMIT=rehearsal", "--output=type=oci,dest=" + b.out}
	for _, name := range []string{nodebase.Reference, "node:20-alpine"} {
		args = append(args, "--opt=context:"+name+"=oci-layout://base@"+digest.String())
	}
	begin := time.Now()
	if _, err := b.run(ctx, args...); err != nil {
		return 0, image{}, err
	}
	took := time.Since(begin)
	i, err := readImage(b.out)
	return took, i, err
}

// run runs buildctl; a failure shows the last that it wrote.
func (b *builder) run(ctx context.Context, args ...string) (string, error) {
	command := exec.CommandContext(ctx, b.client, args...)
	command.Env = append(os.Environ(), "BUILDKIT_HOST="+b.address)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if b.verbose {
		command.Stderr = io.MultiWriter(&stderr, os.Stderr)
	}
	if err := command.Run(); err != nil {
		text := stderr.Bytes()
		return "", fmt.Errorf("buildctl %s: %w\n%s", args[0], err, text[max(0, len(text)-4000):])
	}
	return stdout.String(), nil
}

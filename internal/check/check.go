package check

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// Identity tells which AWS account the credentials belong to.
type Identity func(ctx context.Context) (account string, err error)

// Checker looks at a target through the ports of the pipeline.
type Checker struct {
	registry     release.Registry
	orchestrator release.Orchestrator
	identity     Identity
}

var _ release.Checker = (*Checker)(nil)

// New makes a Checker. It calls nothing that changes anything.
func New(registry release.Registry, orchestrator release.Orchestrator, identity func(ctx context.Context) (account string, err error)) *Checker {
	return &Checker{registry: registry, orchestrator: orchestrator, identity: identity}
}

// look is everything that was found out about a target, or why it was not.
type look struct {
	account     string
	identityErr error
	host        string // of the registry; empty: unknown
	registryErr error
	services    []serviceLook // in the target's order
}

// serviceLook is one service as it is or, where it does not exist yet, as its definition would make it.
type serviceLook struct {
	name       string
	facts      release.Service
	preview    bool
	err        error // of the look-up
	previewErr error
}

// Check gives all findings: those about the whole target first, then each service's, by code. Its error is only ever
// that of ctx.
func (c *Checker) Check(ctx context.Context, req release.CheckRequest) ([]release.Finding, error) {
	seen := c.look(ctx, req.Target)
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("check: %w", context.Cause(ctx))
	}
	findings := judgeAccess(req.Target, seen)
	for _, s := range seen.services {
		own := judgeService(req, seen, s)
		slices.SortStableFunc(own, func(a, b release.Finding) int { return cmp.Compare(a.Code, b.Code) })
		findings = append(findings, own...)
	}
	return findings, nil
}

// look asks for everything at the same time: one failure hides no other.
func (c *Checker) look(ctx context.Context, t release.Target) look {
	seen := look{services: make([]serviceLook, len(t.Services))}
	var all sync.WaitGroup
	all.Go(func() { seen.account, seen.identityErr = c.identity(ctx) })
	all.Go(func() { seen.host, seen.registryErr = c.lookAtRegistry(ctx, t) })
	for i, name := range t.Services {
		all.Go(func() { seen.services[i] = c.lookAtService(ctx, t, name) })
	}
	all.Wait()
	return seen
}

// lookAtRegistry gives the registry's host, and an error when the registry cannot be read. A repository or a tag that
// does not exist yet is no error: the release creates both.
func (c *Checker) lookAtRegistry(ctx context.Context, t release.Target) (host string, err error) {
	host, err = c.registry.Host(ctx)
	if err != nil {
		return "", err
	}
	_, err = c.registry.Image(ctx, t.Repository, t.Tag)
	if errors.Is(err, release.ErrNotFound) {
		err = nil
	}
	return host, err
}

func (c *Checker) lookAtService(ctx context.Context, t release.Target, name string) serviceLook {
	s := serviceLook{name: name}
	s.facts, s.err = c.orchestrator.Service(ctx, t.Cluster, name)
	if def := t.Definitions[name]; errors.Is(s.err, release.ErrNotFound) && t.Creates(name) {
		s.preview, s.err = true, nil
		s.facts, s.previewErr = c.orchestrator.Preview(def)
	}
	return s
}

package check

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// Ports are what a Checker looks through.
type Ports struct {
	Registry     release.Registry
	Orchestrator release.Orchestrator
	Cloud        Cloud
	// Dockerfile reads a Dockerfile as the build would. A mistake in the file is a *release.BuildError with its line.
	Dockerfile func(path string) ([]release.Instruction, error)
	// Stage is the stage that is built; empty: the last.
	Stage string
	// Offline is set when the builder may have no way to download a frontend.
	Offline bool
	// Builder tells what would build. An error says why there is none, and on its last line how to get one. Nil: nobody asks.
	Builder func(ctx context.Context) (Builder, error)
	// Now is the time; nil: time.Now.
	Now func() time.Time
}

// Checker looks at a target, and at what would be built for it.
type Checker struct{ Ports }

var _ release.Checker = (*Checker)(nil)

// New makes a Checker. It calls nothing that changes anything.
func New(p Ports) *Checker {
	if p.Now == nil {
		p.Now = time.Now
	}
	return &Checker{p}
}

// Check gives all findings: those about the whole target first, then each service's, then those about what will be
// built. Its error is only ever that of ctx.
func (c *Checker) Check(ctx context.Context, req release.CheckRequest) ([]release.Finding, error) {
	seen := c.look(ctx, req)
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("check: %w", context.Cause(ctx))
	}
	findings := byCode(slices.Concat(
		judgeAccess(req.Target, seen), judgeClock(req.Target, seen), judgeExpiry(req.Target, seen), judgeTag(req.Target, seen),
		judgeLifecycle(req, seen), judgeGone(req.Target, seen), judgeRoles(req.Target, seen),
	))
	for _, s := range seen.services {
		findings = append(findings, byCode(judgeService(req, seen, s))...)
	}
	findings = append(findings, judgeMedusa(req, seen)...)
	return merge(append(findings, c.judgeBuild(req, seen)...)), nil
}

func byCode(findings []release.Finding) []release.Finding {
	slices.SortStableFunc(findings, func(a, b release.Finding) int { return cmp.Compare(a.Code, b.Code) })
	return findings
}

// merge makes one finding of those that say the same of several places: two services with the same missing secret have
// one thing to be cured.
func merge(findings []release.Finding) []release.Finding {
	var merged []release.Finding
	for _, f := range findings {
		same := slices.IndexFunc(merged, func(m release.Finding) bool {
			return m.Code == f.Code && m.Problem == f.Problem && m.Cure == f.Cure
		})
		switch {
		case same < 0:
			merged = append(merged, f)
		case !slices.Contains(strings.Split(merged[same].Where, ", "), f.Where):
			merged[same].Where += ", " + f.Where
		}
	}
	return merged
}

package cli

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/medusa-deploy/medusa-deploy/internal/git"
	"github.com/medusa-deploy/medusa-deploy/internal/provenance"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
	"github.com/medusa-deploy/medusa-deploy/internal/report"
)

// inspecting opens a session for a command that looks at what runs, what ran, or what leads to what.
func inspecting(ctx context.Context, g *globals, do func(*session, *release.Inspector) error) error {
	s, err := openSession(ctx, g)
	if err != nil {
		return err
	}
	err = do(s, &release.Inspector{
		Registry: s.registry, Orchestrator: s.ecs, Commits: git.Repository{Dir: s.config.Dir}, ServiceURL: s.serviceURL,
		Attestations: provenance.NewReader(s.registry),
	})
	if closeErr := s.face.Close(); err == nil && closeErr != nil {
		err = fmt.Errorf("write the output: %w", closeErr)
	}
	return err
}

// resultKind is the face of what a command found, which goes to stdout.
func (g *globals) resultKind() report.Kind {
	kind, err := report.Choose(g.output, isTerminal(g.sys.Stdout), g.getenv)
	if err != nil {
		return report.Plain // the flag was checked before anything was done
	}
	return kind
}

// page is how what was found is written for people.
func (g *globals) page() report.Page {
	p := report.Page{Out: g.sys.Stdout, Kind: g.resultKind(), Verbose: g.verbose}
	if isTerminal(g.sys.Stdout) {
		p.Width = terminalWidth(g.sys.Stdout)
		p.Color = g.getenv("NO_COLOR") == "" && g.getenv("TERM") != "dumb"
	}
	return p
}

// show writes what a command found: as JSON when that is asked for, for people otherwise.
func show[T any](g *globals, found T, write func(report.Page, T) error) error {
	if g.resultKind() == report.JSON {
		return json.NewEncoder(g.sys.Stdout).Encode(found)
	}
	return write(g.page(), found)
}

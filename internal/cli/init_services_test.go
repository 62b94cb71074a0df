package cli

import (
	"slices"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/orchestrator"
)

func TestMeant(t *testing.T) {
	place := func(cluster string, services ...string) orchestrator.Place {
		return orchestrator.Place{Cluster: cluster, Services: services}
	}
	tests := map[string]struct {
		places  []orchestrator.Place
		cluster string // empty: nobody can tell
		all     []string
	}{
		"nothing there":         {nil, "", nil},
		"the only one":          {[]orchestrator.Place{place("c", "web")}, "c", []string{"web"}},
		"medusa's by name":      {[]orchestrator.Place{place("c", "blog", "medusa-server", "medusa-worker"), place("d", "x")}, "c", []string{"medusa-server", "medusa-worker"}},
		"the app's by name":     {[]orchestrator.Place{place("c", "blog", "hats-web")}, "c", []string{"hats-web"}},
		"in two clusters":       {[]orchestrator.Place{place("staging", "medusa-server"), place("production", "medusa-server")}, "", nil},
		"several, none by name": {[]orchestrator.Place{place("c", "a", "b")}, "", nil},
	}
	for name, tt := range tests {
		got, ok := meant(tt.places, "hats")
		if ok != (tt.cluster != "") || got.Cluster != tt.cluster || !slices.Equal(got.Services, tt.all) {
			t.Errorf("%s: %+v, %v", name, got, ok)
		}
	}
}

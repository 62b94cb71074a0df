package cli

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
	"github.com/medusa-deploy/medusa-deploy/internal/orchestrator"
)

// lookPatience is how long init looks for services that exist already.
const lookPatience = 5 * time.Second

// findServices takes the cluster and the services that exist already, when AWS lets us look and it is plain which ones are
// meant: the app's or Medusa's by their names, or the only ones there are. What cannot be found out is no obstacle.
func (p *plan) findServices(cmd *cobra.Command) {
	if cmd.Flags().Changed("cluster") || cmd.Flags().Changed("services") || p.worker || !p.hasCredentials() {
		return
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), lookPatience)
	defer cancel()
	session, err := awsclient.Load(ctx, awsclient.Config{Region: p.region, Log: p.logger()})
	if err != nil {
		return
	}
	places, err := orchestrator.New(session).Places(ctx)
	if err != nil {
		return
	}
	if found, ok := meant(places, p.app.Name); ok {
		p.cluster, p.services, p.found = found.Cluster, found.Services, true
	}
}

// meant picks the services that an app of this name is: those with its name or Medusa's in theirs, or all when there is
// one cluster with one service. More than one cluster to choose from is for a person to decide.
func meant(places []orchestrator.Place, app string) (orchestrator.Place, bool) {
	var named []orchestrator.Place
	for _, place := range places {
		ours := slices.DeleteFunc(slices.Clone(place.Services), func(service string) bool {
			return !strings.Contains(service, "medusa") && (app == "" || !strings.Contains(service, app))
		})
		if len(ours) > 0 {
			named = append(named, orchestrator.Place{Cluster: place.Cluster, Services: ours})
		}
	}
	switch {
	case len(named) == 1:
		return named[0], true
	case len(named) == 0 && len(places) == 1 && len(places[0].Services) == 1:
		return places[0], true
	}
	return orchestrator.Place{}, false
}

// hasCredentials reports whether it is worth asking AWS: without any sign of credentials the SDK would look for those of a
// machine in AWS's own network, for seconds.
func (p *plan) hasCredentials() bool {
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE"} {
		if p.getenv(name) != "" {
			return true
		}
	}
	for _, name := range []string{"config", "credentials"} {
		if _, err := os.Stat(filepath.Join(p.getenv("HOME"), ".aws", name)); err == nil {
			return true
		}
	}
	return false
}

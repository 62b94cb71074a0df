package dispatch_test

import (
	"sync"
	"testing"
	"testing/synctest"

	"github.com/medusa-deploy/medusa-deploy/internal/github/dispatch"
	"github.com/medusa-deploy/medusa-deploy/internal/github/githubtest"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

const withNonce = `name: Deploy
run-name: Deploy ${{ inputs.target }} ${{ inputs.nonce }}
on:
  push: {branches: [main]}
  workflow_dispatch:
    inputs:
      target: {type: choice, options: [production, staging], required: true}
      action: {type: choice, options: [ship, rollback], default: ship}
      release: {type: string}
      nonce: {type: string}
jobs: {}
`

const withoutNonce = `on:
  workflow_dispatch:
    inputs:
      target: {type: choice, options: [production, staging], required: true}
      action: {type: choice, options: [ship, rollback], default: ship}
      count: {type: number}
      dry: {type: boolean}
jobs: {}
`

// world is a GitHub, and a client of it that keeps what it reports.
type world struct {
	t      *testing.T
	server *githubtest.Server
	client *dispatch.Client
	mu     sync.Mutex
	events []release.Event
}

func newWorld(t *testing.T, workflow string) *world {
	t.Helper()
	w := &world{t: t, server: githubtest.New()}
	w.server.AddWorkflow(workflow)
	w.as(githubtest.Token)
	return w
}

// as makes the client one with a token.
func (w *world) as(token string) {
	w.client = dispatch.NewClient(dispatch.Config{
		Repository: dispatch.Repository{Host: dispatch.PublicHost, Owner: "acme", Name: "shop"},
		Token:      dispatch.NewToken(token, "GH_TOKEN"), UserAgent: "test", Transport: w.server.Transport(), Emit: w.emit,
	})
}

func (w *world) emit(e release.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
}

// notices are the texts of all notices.
func (w *world) notices() []string {
	var all []string
	for _, e := range w.events {
		if n, ok := e.(release.Notice); ok {
			all = append(all, n.Text)
		}
	}
	return all
}

// start prepares and dispatches.
func (w *world) start(inputs map[string]string) (dispatch.Run, error) {
	plan, err := w.client.Prepare(w.t.Context(), dispatch.Request{Workflow: "deploy.yml", Ref: "main", Inputs: inputs})
	if err != nil {
		return dispatch.Run{}, err
	}
	return w.client.Dispatch(w.t.Context(), plan)
}

func production() map[string]string { return map[string]string{"target": "production"} }

// bubble runs a test by a clock of its own.
func bubble(t *testing.T, name string, test func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

package localaws

import (
	"context"
	"fmt"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/rates"
)

// Status is how the local AWS of a directory is. None of Running, Starting and Crashed: it is not running.
type Status struct {
	Running  bool      `json:"running"`
	Starting bool      `json:"starting,omitempty"` // or stopping: its process lives but is not ready
	Crashed  bool      `json:"crashed,omitempty"`  // it was killed; what it ran may go on. Up takes it over, Down stops it
	Info     Info      `json:"info,omitzero"`      // of the running server, or of the one that crashed
	Services []Service `json:"services"`           // of a running one
	// Calls is how often a running one was called since it started, and how many calls it refused for their rate.
	Calls []CallCount `json:"calls,omitempty"`
}

// CallCount is how often an operation was called.
type CallCount = rates.Count

// Inspect looks how the directory's local AWS is. It changes nothing.
func Inspect(ctx context.Context, path string) (Status, error) {
	o, err := Options{Dir: path}.complete()
	if err != nil {
		return Status{}, err
	}
	d := dir(o.Dir)
	s := Status{Services: []Service{}}
	info, written, err := d.readInfo()
	if err != nil {
		return s, err
	}
	pid, held, err := holder(d.serverLock())
	if err != nil {
		return s, d.explain(err)
	}
	switch {
	case held && (!written || info.PID != pid):
		s.Starting = true
	case held:
		a, err := ask(ctx, info)
		if err != nil && d.ended(ctx, pid) {
			return Inspect(ctx, path)
		}
		if err != nil {
			return s, fmt.Errorf("local AWS (pid %d) does not answer: %w; stop it: medusa-deploy local down", pid, err)
		}
		s.Running, s.Info, s.Services, s.Calls = true, info, a.Services, a.Calls
	case written:
		s.Crashed, s.Info = true, info
	}
	return s, nil
}

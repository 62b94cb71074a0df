package localaws

import (
	"context"
	"fmt"
)

// Status is how the local AWS of a directory is. None of Running, Starting and Crashed: it is not running.
type Status struct {
	Running  bool      `json:"running"`
	Starting bool      `json:"starting,omitempty"` // or stopping: its process lives but is not ready
	Crashed  bool      `json:"crashed,omitempty"`  // it was killed; what it ran may go on. Up takes it over, Down stops it
	Info     Info      `json:"info,omitzero"`      // of the running server, or of the one that crashed
	Services []Service `json:"services"`           // of a running one
}

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
		s.Running, s.Info, s.Services = true, info, a.Services
	case written:
		s.Crashed, s.Info = true, info
	}
	return s, nil
}

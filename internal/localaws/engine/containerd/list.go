//go:build linux

package containerd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

// List gives every sandbox with its containers that was not removed, in the order of their ids.
func (e *Engine) List(context.Context) ([]engine.SandboxStatus, error) {
	records, err := e.records("")
	if err != nil {
		return nil, err
	}
	var sandboxes []engine.SandboxStatus
	for id, r := range e.sandboxRecords() {
		status := engine.SandboxStatus{Sandbox: r.sandbox()}
		for _, record := range records {
			if record.Sandbox == id {
				status.Containers = append(status.Containers, e.status(record))
			}
		}
		sandboxes = append(sandboxes, status)
	}
	slices.SortFunc(sandboxes, func(a, b engine.SandboxStatus) int { return cmp.Compare(a.ID, b.ID) })
	return sandboxes, nil
}

func (e *Engine) status(r containerRecord) engine.ContainerStatus {
	s := engine.ContainerStatus{
		ID: r.ID, Name: r.Name, Image: r.Image, Labels: r.Labels, Started: r.Started,
	}
	w := e.watch(r.ID)
	if s.Running = !w.stopped(); !s.Running {
		s.Exit = w.exit
	}
	return s
}

// sandboxRecords reads the complete sandboxes, by id.
func (e *Engine) sandboxRecords() map[string]sandboxRecord {
	found := map[string]sandboxRecord{}
	for _, id := range dirNames(e.layout.sandboxes()) {
		var r sandboxRecord
		err := readJSON(e.sandboxFile(id), &r)
		switch {
		case err == nil:
			found[id] = r
		case !errors.Is(err, os.ErrNotExist): // incomplete ones have no record
			e.log.Warn("cannot read sandbox record", "sandbox", id, "error", err)
		}
	}
	return found
}

// records reads the containers of a sandbox, or of all when it is empty, in the order of their ids.
func (e *Engine) records(sandbox string) ([]containerRecord, error) {
	var found []containerRecord
	for _, id := range dirNames(e.layout.containers()) {
		var r containerRecord
		err := readJSON(e.layout.recordFile(id), &r)
		if errors.Is(err, os.ErrNotExist) {
			continue // being started, or being removed
		}
		if err != nil {
			return nil, fmt.Errorf("read container record: %w", err)
		}
		if sandbox == "" || r.Sandbox == sandbox {
			found = append(found, r)
		}
	}
	return found, nil
}

package docker

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

// lookInterval is the time between two looks at something that Docker gives no word of.
const lookInterval = 20 * time.Millisecond

// list gives the engine's containers, running or not, that have the labels as well (NAME=VALUE, or NAME for any value).
func (e *Engine) list(ctx context.Context, labels ...string) ([]container.Summary, error) {
	return list(ctx, e.api, e.place, labels...)
}

func list(ctx context.Context, api *client.Client, p place, labels ...string) ([]container.Summary, error) {
	filters := make(client.Filters).Add("label", append(labels, labelEngine+"="+p.tag)...)
	out, err := api.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: filters})
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	return out.Items, nil
}

// List gives every sandbox with its containers that was not removed, in the order of their ids.
func (e *Engine) List(ctx context.Context) ([]engine.SandboxStatus, error) {
	ctx, cancel := e.bound(ctx)
	defer cancel()
	all, err := e.list(ctx, labelSandbox)
	if err != nil {
		return nil, err
	}
	boxes := map[string]*engine.SandboxStatus{}
	for _, c := range all {
		id := c.Labels[labelSandbox]
		if boxes[id] == nil {
			boxes[id] = &engine.SandboxStatus{Sandbox: engine.Sandbox{ID: id}}
		}
		out, err := e.api.ContainerInspect(ctx, c.ID, client.ContainerInspectOptions{})
		there, err := found(err)
		if err != nil {
			return nil, fmt.Errorf("list containers: %w", err)
		}
		switch {
		case !there: // removed meanwhile
		case c.Labels[labelContainer] == "":
			boxes[id].Sandbox = e.describeSandbox(id, out.Container)
		case started(out.Container.State):
			boxes[id].Containers = append(boxes[id].Containers, containerStatus(out.Container))
		}
	}
	var sorted []engine.SandboxStatus
	for _, box := range boxes {
		slices.SortFunc(box.Containers, func(a, b engine.ContainerStatus) int { return cmp.Compare(a.ID, b.ID) })
		sorted = append(sorted, *box)
	}
	slices.SortFunc(sorted, func(a, b engine.SandboxStatus) int { return cmp.Compare(a.ID, b.ID) })
	return sorted, nil
}

// started says whether a container was started: one that was not is half made.
func started(s *container.State) bool {
	return s != nil && s.Status != container.StateCreated
}

func containerStatus(c container.InspectResponse) engine.ContainerStatus {
	status := engine.ContainerStatus{
		ID: c.Config.Labels[labelContainer], Name: c.Config.Labels[labelName], Image: c.Config.Labels[labelImage],
		Running: c.State.Running, Started: parseTime(c.State.StartedAt),
	}
	if !status.Running {
		status.Exit = exitOf(c.State)
	}
	// What was written as JSON is read as JSON; a stranger's container has no such label.
	_ = json.Unmarshal([]byte(c.Config.Labels[labelLabels]), &status.Labels)
	return status
}

// parseTime reads Docker's times, which are RFC 3339. One that is not is the zero time, as is that of what never was.
func parseTime(text string) time.Time {
	at, _ := time.Parse(time.RFC3339Nano, text)
	return at
}

// awaitGone waits until a container that is being removed is gone.
func awaitGone(ctx context.Context, api *client.Client, name string) error {
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	for {
		_, err := api.ContainerInspect(ctx, name, client.ContainerInspectOptions{})
		if there, err := found(err); err != nil || !there {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("container %s does not go: %w", name, context.Cause(ctx))
		case <-tick.C:
		}
	}
}

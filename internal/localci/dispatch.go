package localci

import (
	"context"
	"fmt"
	"io"
	"path"
	"strings"
)

// Request is a dispatch.
type Request struct {
	Workflow string            // file name, or path
	Ref      string            // branch or tag; empty: the default branch
	Inputs   map[string]string // as given: defaults are the workflow's own
}

// Dispatch runs a workflow by hand (workflow_dispatch), from what was pushed to ref, and gives its record. A request that
// GitHub would refuse is an error, and no run.
func (d Dir) Dispatch(ctx context.Context, world Surroundings, q Request, to io.Writer) (Record, error) {
	ctx, gone := context.WithCancelCause(ctx)
	defer gone(nil)
	r, err := d.runner(ctx, world, &output{to: to, gone: gone})
	if err != nil {
		return Record{}, err
	}
	if q.Ref == "" {
		q.Ref = r.branch
	}
	if strings.Contains(q.Ref, "${{") {
		return Record{}, fmt.Errorf("%s: a name with ${{ in it is an expression to act, which GitHub would not evaluate", visible(q.Ref))
	}
	ref, sha, err := d.resolve(ctx, Checkout{Ref: q.Ref})
	if err != nil {
		return Record{}, err
	}
	if ref == "" {
		return Record{}, fmt.Errorf("ref %s: a dispatch takes a branch or a tag, as on GitHub", q.Ref)
	}
	source, remove, err := r.source(ctx, sha)
	if err != nil {
		return Record{}, err
	}
	defer remove()
	w, inputs, err := dispatched(source, q)
	if err != nil {
		return Record{}, err
	}
	return r.run(ctx, job{
		workflow: w, event: "workflow_dispatch", ref: ref, sha: sha, inputs: inputs, subject: w.name(), source: source,
		payload: func(s settings, branch string) any { return dispatchEvent(s, branch, ref, w.path, inputs) },
	})
}

// dispatched finds the workflow of a request and checks what it is given.
func dispatched(source string, q Request) (workflow, map[string]any, error) {
	all, broken, err := workflowsIn(source)
	if err != nil {
		return workflow{}, nil, err
	}
	for name, problem := range broken {
		if path.Base(name) == path.Base(q.Workflow) {
			return workflow{}, nil, problem
		}
	}
	var known []string
	for _, w := range all {
		if path.Base(w.path) != path.Base(q.Workflow) {
			known = append(known, path.Base(w.path))
			continue
		}
		event := w.dispatch()
		if event == nil {
			return w, nil, fmt.Errorf("%s at %s has no workflow_dispatch trigger: add `workflow_dispatch:` below `on:` and push it", w.path, q.Ref)
		}
		inputs, err := w.inputsOf(event, q.Inputs)
		return w, inputs, err
	}
	return workflow{}, nil, fmt.Errorf("%s has no workflow %q (there is: %s)", q.Ref, q.Workflow, orNone(known))
}

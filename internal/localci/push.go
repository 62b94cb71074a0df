package localci

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Push is the hook: it runs the workflows that a push starts, and says whether all went well. received is what git hands to
// post-receive: a line "OLD NEW REF" for each ref. The push itself has been accepted already.
// https://git-scm.com/docs/githooks#post-receive
func (d Dir) Push(ctx context.Context, world Surroundings, received io.Reader, to io.Writer) (ok bool, err error) {
	changes, err := readChanges(received)
	if err != nil {
		return false, err
	}
	ctx, gone := context.WithCancelCause(ctx)
	defer gone(nil)
	r, err := d.runner(ctx, world, &output{to: to, gone: gone})
	if err != nil {
		return false, err
	}
	ok = true
	for _, c := range changes {
		fine, err := r.pushed(ctx, c)
		if err != nil {
			return false, err
		}
		ok = ok && fine
	}
	return ok, nil
}

func readChanges(received io.Reader) ([]change, error) {
	var changes []change
	lines := bufio.NewScanner(received)
	for lines.Scan() {
		before, rest, _ := strings.Cut(lines.Text(), " ")
		after, ref, found := strings.Cut(rest, " ")
		if !found {
			return nil, fmt.Errorf("git said %q, expected OLD NEW REF", lines.Text())
		}
		changes = append(changes, change{before, after, ref})
	}
	return changes, lines.Err()
}

// pushed runs the workflows that one change starts.
func (r *runner) pushed(ctx context.Context, c change) (ok bool, err error) {
	switch {
	case !strings.HasPrefix(c.ref, "refs/heads/") && !c.tag():
		return true, nil // notes and the like start nothing on GitHub, either
	case c.deleted():
		r.out.linef("local ci: %s is gone: nothing runs", visible(c.name()))
		return true, nil
	case strings.Contains(c.ref, "${{"):
		return false, fmt.Errorf("%s: a name with ${{ in it is an expression to act, which GitHub would not evaluate; push it under another name", visible(c.name()))
	}
	sha, err := git(ctx, r.dir.Repository(), "rev-parse", "--verify", "--end-of-options", c.after+"^{commit}")
	if err != nil {
		return false, err
	}
	c.after = strings.TrimSpace(sha) // of an annotated tag
	head, err := r.dir.commit(ctx, c.after)
	if err != nil {
		return false, err
	}
	source, remove, err := r.source(ctx, c.after)
	if err != nil {
		return false, err
	}
	defer remove()
	started, broken, err := r.wanted(ctx, c, source)
	if err != nil {
		return false, err
	}
	for _, path := range slices.Sorted(maps.Keys(broken)) {
		r.out.linef("❌ local ci: %s", visible(broken[path].Error()))
	}
	ok = len(broken) == 0
	for _, w := range started {
		record, err := r.run(ctx, job{
			workflow: w, event: "push", ref: c.ref, sha: c.after, subject: head.subject, source: source,
			payload: func(s settings, branch string) any { return pushEvent(s, branch, c, head) },
		})
		if err != nil {
			return false, err
		}
		ok = ok && record.Outcome == Success
	}
	if len(started) == 0 && ok {
		r.out.linef("local ci: no workflow has `on: push` for %s", visible(c.name()))
	}
	return ok, nil
}

// wanted are the workflows that the change starts, and those that cannot be read.
func (r *runner) wanted(ctx context.Context, c change, source string) ([]workflow, map[string]error, error) {
	all, broken, err := workflowsIn(source)
	if err != nil {
		return nil, nil, err
	}
	files, err := r.changed(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	var started []workflow
	for _, w := range all {
		event := w.push()
		if event == nil {
			continue
		}
		yes, err := wants(event, c, files)
		if err != nil {
			broken[w.path] = fmt.Errorf("%s: %w", w.path, err)
		}
		if yes {
			started = append(started, w)
		}
	}
	return started, broken, nil
}

// changed are the files that a change touches: all of the commit's when there was nothing before.
func (r *runner) changed(ctx context.Context, c change) ([]string, error) {
	args := []string{"diff", "--name-only", "--no-renames", "-z", c.before, c.after, "--"}
	if c.created() {
		args = []string{"ls-tree", "-r", "--name-only", "-z", c.after}
	}
	out, err := git(ctx, r.dir.Repository(), args...)
	if err != nil {
		return nil, err
	}
	return strings.FieldsFunc(out, func(c rune) bool { return c == 0 }), nil
}

package localci

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// commit is what an event tells of one.
type commit struct {
	sha, subject, message, author, email string
	at                                   time.Time
}

func (d Dir) commit(ctx context.Context, sha string) (commit, error) {
	out, err := git(ctx, d.Repository(), "log", "-1", "--no-show-signature", "--format=%H%x00%s%x00%B%x00%an%x00%ae%x00%cI", sha, "--")
	if err != nil {
		return commit{}, err
	}
	parts := strings.Split(strings.TrimSuffix(out, "\n"), "\x00")
	if len(parts) != 6 {
		return commit{}, fmt.Errorf("git log gave %d fields, expected 6", len(parts))
	}
	at, err := time.Parse(time.RFC3339, parts[5])
	if err != nil {
		return commit{}, fmt.Errorf("git log gave an unknown time: %w", err)
	}
	return commit{sha: parts[0], subject: parts[1], message: strings.TrimSpace(parts[2]), author: parts[3], email: parts[4], at: at}, nil
}

// inert keeps text from being taken for an expression: act evaluates the values of job-level variables twice, GitHub once.
func inert(text string) string { return strings.ReplaceAll(text, "${{", "$\u200b{{") }

func (s settings) repository(branch string) map[string]any {
	owner, name, _ := strings.Cut(s.Name, "/")
	return map[string]any{
		"full_name": s.Name, "name": name, "owner": map[string]any{"login": owner, "name": owner},
		"default_branch": branch, "html_url": "https://github.com/" + s.Name, "clone_url": "https://github.com/" + s.Name + ".git",
		"private": true, "fork": false,
	}
}

// pushEvent is the payload of a push, as far as workflows read it.
// https://docs.github.com/en/webhooks/webhook-events-and-payloads#push
func pushEvent(s settings, branch string, c change, head commit) map[string]any {
	about := map[string]any{
		"id": head.sha, "message": inert(head.message), "timestamp": head.at.Format(time.RFC3339),
		"author": map[string]any{"name": inert(head.author), "email": inert(head.email)}, "distinct": true,
		"url": "https://github.com/" + s.Name + "/commit/" + head.sha,
	}
	return map[string]any{
		"ref": c.ref, "before": c.before, "after": c.after, "created": c.created(), "deleted": false, "forced": false,
		"repository": s.repository(branch), "head_commit": about, "commits": []any{about},
		"pusher": map[string]any{"name": inert(head.author), "email": inert(head.email)},
		"sender": map[string]any{"login": actor},
	}
}

// dispatchEvent is the payload of a workflow_dispatch.
func dispatchEvent(s settings, branch, ref, path string, inputs map[string]any) map[string]any {
	return map[string]any{
		"ref": ref, "inputs": inputs, "workflow": path, "repository": s.repository(branch),
		"sender": map[string]any{"login": actor},
	}
}

// actor is who a run is said to be of: there are no accounts here.
const actor = "local"

package git

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// Repository is the release.Commits of the work tree that a directory is in.
type Repository struct{ Dir string }

var _ release.Commits = Repository{}

// Head implements release.Commits.
func (r Repository) Head(ctx context.Context) (release.Commit, error) {
	c, err := Describe(ctx, r.Dir)
	return c, absent(err)
}

// absent makes release.ErrNotFound of the ways in which there can be no commit at all.
func absent(err error) error {
	for _, none := range []error{ErrMissing, ErrNotRepository, ErrNoCommit, ErrUnknownCommit} {
		if errors.Is(err, none) {
			return fmt.Errorf("%w: %w", release.ErrNotFound, err)
		}
	}
	return err
}

// Find implements release.Commits.
func (r Repository) Find(ctx context.Context, revision string) (release.Commit, error) {
	sha, err := Resolve(ctx, r.Dir, revision)
	if err != nil {
		return release.Commit{}, absent(err)
	}
	known, err := r.Known(ctx, []string{sha})
	return known[sha], err
}

var fullSHA = regexp.MustCompile(`^(?:[0-9a-f]{40}|[0-9a-f]{64})$`)

// shasPerCall keeps a command line well below what systems allow.
const shasPerCall = 500

// Known implements release.Commits. Where there is no repository, nothing is known.
func (r Repository) Known(ctx context.Context, shas []string) (map[string]release.Commit, error) {
	known := map[string]release.Commit{}
	var full []string
	for _, sha := range shas {
		if fullSHA.MatchString(sha) {
			full = append(full, sha)
		}
	}
	for len(full) > 0 {
		some := full[:min(shasPerCall, len(full))]
		full = full[len(some):]
		args := append([]string{"log", "--no-walk=unsorted", "--ignore-missing", "--no-show-signature", "-z", "--format=" + fields}, some...)
		out, err := run(ctx, r.Dir, append(args, "--")...)
		if errors.Is(absent(err), release.ErrNotFound) {
			return known, nil
		}
		if err != nil {
			return nil, err
		}
		commits, err := parseLog(out)
		if err != nil {
			return nil, err
		}
		for _, c := range commits {
			known[c.SHA] = c
		}
	}
	return known, nil
}

// Between implements release.Commits.
func (r Repository) Between(ctx context.Context, from, to string) (release.Changes, error) {
	c := release.Changes{From: from, To: release.Commit{SHA: to}, Commits: []release.Commit{}, Lost: []release.Commit{}}
	for _, sha := range []string{from, to} {
		if !shaPattern.MatchString(sha) {
			return c, fmt.Errorf("%q is not a commit's sha: %w", sha, ErrUnknownCommit)
		}
		if _, err := Resolve(ctx, r.Dir, sha); errors.Is(absent(err), release.ErrNotFound) {
			return r.unknown(ctx, c, sha)
		} else if err != nil {
			return c, err
		}
	}
	out, err := run(ctx, r.Dir, "rev-list", "--left-right", "--count", from+"..."+to, "--")
	if err != nil {
		return c, err
	}
	if c.TakenBack, c.Count, err = parseCounts(out); err != nil {
		return c, err
	}
	if c.Relation, err = r.relation(ctx, from, to, c.TakenBack, c.Count); err != nil {
		return c, err
	}
	if c.Relation == release.RelationUnknown {
		return r.cutOff(c), nil
	}
	if c.Commits, err = r.newest(ctx, from, to, c.Count); err != nil {
		return c, err
	}
	c.Lost, err = r.newest(ctx, to, from, c.TakenBack)
	return c, err
}

// unknown says that the local history does not have a commit, and how to get it.
func (r Repository) unknown(ctx context.Context, c release.Changes, sha string) (release.Changes, error) {
	shallow, err := r.shallow(ctx)
	if err != nil {
		return c, err
	}
	c.Relation = release.RelationUnknown
	c.Reason = "commit " + sha[:min(12, len(sha))] + " is not in this clone"
	c.Cure = "git fetch --all, or git fetch origin " + sha
	if shallow {
		c.Cure = unshallow
	}
	return c, nil
}

const unshallow = "git fetch --unshallow (in GitHub Actions: fetch-depth: 0 for actions/checkout)"

// cutOff says that the clone is too shallow to show what two commits have in common.
func (r Repository) cutOff(c release.Changes) release.Changes {
	c.Count, c.TakenBack = 0, 0
	c.Reason, c.Cure = "this clone is shallow, and what the two have in common is not in it", unshallow
	return c
}

func (r Repository) shallow(ctx context.Context) (bool, error) {
	out, err := run(ctx, r.Dir, "rev-parse", "--is-shallow-repository")
	return strings.TrimSpace(out) == "true", err
}

func (r Repository) relation(ctx context.Context, from, to string, lost, gained int) (release.Relation, error) {
	switch {
	case lost == 0 && gained == 0:
		return release.RelationSame, nil
	case lost == 0:
		return release.RelationAhead, nil
	case gained == 0:
		return release.RelationBehind, nil
	}
	_, err := run(ctx, r.Dir, "merge-base", from, to)
	if failed := (interface{ ExitCode() int })(nil); errors.As(err, &failed) && failed.ExitCode() == 1 {
		shallow, err := r.shallow(ctx)
		if shallow {
			return release.RelationUnknown, err
		}
		return release.RelationUnrelated, err
	}
	return release.RelationDiverged, err
}

// newest lists the newest commits that to has and from has not, of count.
func (r Repository) newest(ctx context.Context, from, to string, count int) ([]release.Commit, error) {
	if count == 0 {
		return []release.Commit{}, nil
	}
	out, err := run(ctx, r.Dir, "log", "--no-show-signature", "-z", "--max-count="+strconv.Itoa(release.ChangesListed), "--format="+fields, from+".."+to, "--")
	if err != nil {
		return nil, err
	}
	return parseLog(out)
}

// parseCounts reads what rev-list --left-right --count prints: two numbers.
func parseCounts(out string) (left, right int, err error) {
	a, b, _ := strings.Cut(strings.TrimSpace(out), "\t")
	left, err = strconv.Atoi(a)
	if err == nil {
		right, err = strconv.Atoi(b)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("git rev-list gave %q, expected two numbers", out)
	}
	return left, right, nil
}

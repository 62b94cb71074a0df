package release

import (
	"context"
	"fmt"
	"regexp"
	"strings"
)

// Commits is the history of the work tree that the program runs in.
type Commits interface {
	// Head is the commit that is checked out; ErrNotFound where there is no repository, no commit, or no git.
	Head(ctx context.Context) (Commit, error)
	// Find gives the commit that a revision names: a sha or the beginning of one, a branch, a tag, HEAD~1. ErrNotFound when
	// it names none.
	Find(ctx context.Context, revision string) (Commit, error)
	// Known gives those of the commits (full shas) that the history has, by sha.
	Known(ctx context.Context, shas []string) (map[string]Commit, error)
	// Between compares two commits (shas). Of each kind at most ChangesListed are listed, and all are counted. A from that
	// the history does not have is no error: it is RelationUnknown, with a reason and a cure.
	Between(ctx context.Context, from, to string) (Changes, error)
}

// ChangesListed is how many commits Changes lists of each kind.
const ChangesListed = 50

// Relation is how the commit that would ship stands to the one that runs.
type Relation string

// The relations. With RelationBehind and RelationDiverged, shipping takes commits back.
const (
	RelationSame      Relation = "same"
	RelationAhead     Relation = "ahead"     // it has all that runs, and more
	RelationBehind    Relation = "behind"    // all that it has runs already, and more
	RelationDiverged  Relation = "diverged"  // each has commits that the other has not
	RelationUnrelated Relation = "unrelated" // they have no commit in common
	RelationFirst     Relation = "first"     // nothing runs yet
	RelationUnknown   Relation = "unknown"   // the local history cannot tell: Reason says why
)

// Changes is what shipping a commit would change about what runs.
type Changes struct {
	From      string   `json:"from,omitempty"` // sha of the commit that runs
	FromDirty bool     `json:"from_dirty"`     // what runs was built from a work tree that differed from From
	To        Commit   `json:"to"`             // what would ship; Dirty: with uncommitted changes on top
	Relation  Relation `json:"relation"`
	Count     int      `json:"count"`      // commits that To has and From has not
	Commits   []Commit `json:"commits"`    // the newest of them
	TakenBack int      `json:"taken_back"` // commits that From has and To has not
	Lost      []Commit `json:"lost"`       // the newest of those
	Reason    string   `json:"reason,omitempty"`
	Cure      string   `json:"cure,omitempty"`
}

// ChangesTo tells what shipping a commit would change about what runs, which is an image with its labels, or zero when
// nothing runs.
func ChangesTo(ctx context.Context, history Commits, runs Image, to Commit) (Changes, error) {
	none := Changes{To: to, Commits: []Commit{}, Lost: []Commit{}}
	if runs.Digest == "" {
		none.Relation = RelationFirst
		return none, nil
	}
	sha, dirty, ok := ParseRevision(runs.Labels[LabelRevision])
	if !ok {
		none.Relation = RelationUnknown
		none.Reason = fmt.Sprintf("the image that runs (%s) names no commit", runs.Digest.Short())
		none.Cure = "build it with medusa-deploy, or give it the label " + LabelRevision
		return none, nil
	}
	changes, err := history.Between(ctx, sha, to.SHA)
	if err != nil {
		return none, fmt.Errorf("compare %s with what runs: %w", to.Short(), err)
	}
	changes.From, changes.FromDirty, changes.To = sha, dirty, to
	return changes, nil
}

var revisionPattern = regexp.MustCompile(`^([0-9a-f]{7,64})(-dirty)?$`)

// ParseRevision reads what an image's label says of its commit: a sha, marked when the work tree differed from it.
func ParseRevision(label string) (sha string, dirty, ok bool) {
	m := revisionPattern.FindStringSubmatch(label)
	if m == nil {
		return "", false, false
	}
	return m[1], m[2] != "", true
}

// Nothing reports whether shipping would bring nothing that does not run already.
func (c Changes) Nothing() bool {
	return c.Relation == RelationSame && !c.FromDirty && !c.To.Dirty
}

// Backwards reports whether shipping would take commits back.
func (c Changes) Backwards() bool { return c.TakenBack > 0 }

// Summary is the changes in one line, for people.
func (c Changes) Summary() string {
	head := c.To.Short()
	if c.To.Branch != "" {
		head = c.To.Branch + " (" + head + ")"
	}
	lost := fmt.Sprintf("%s does not contain what runs (%s): shipping it would take back %s", head, short(c.From), countWords(c.TakenBack, "commit"))
	var text string
	switch c.Relation {
	case RelationFirst:
		return head + " would be the first to run" + c.uncommitted()
	case RelationUnknown:
		return "cannot tell what " + head + " would change: " + c.Reason
	case RelationUnrelated:
		return head + " and what runs (" + short(c.From) + ") have no commit in common" + c.uncommitted()
	case RelationSame:
		if c.Nothing() {
			return "nothing: " + head + " is what runs"
		}
		text = "no commits"
	case RelationAhead:
		text = countWords(c.Count, "commit")
	case RelationBehind:
		text = lost
	case RelationDiverged:
		text = lost + " and bring " + countWords(c.Count, "commit")
	}
	return text + c.uncommitted()
}

// uncommitted tells what no commit does.
func (c Changes) uncommitted() string {
	var text strings.Builder
	if c.To.Dirty {
		text.WriteString(", with uncommitted changes on top")
	}
	if c.FromDirty {
		text.WriteString("; what runs has uncommitted changes of its own on top of " + short(c.From))
	}
	return text.String()
}

// short is the first twelve digits of a sha.
func short(sha string) string { return sha[:min(12, len(sha))] }

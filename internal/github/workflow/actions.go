package workflow

import (
	"fmt"
	"regexp"
)

// Action is a GitHub action at one commit. Version is what the commit was released as: it is written behind the
// reference as a comment, where people and update bots read it.
type Action struct {
	Repository string // OWNER/REPO
	SHA        string // full commit id
	Version    string // v1.2.3
}

// Actions are the third-party actions that a workflow may use. Each SHA is the commit of that version's tag in the
// action's own repository (`git rev-parse v7.0.1^{commit}`).
var Actions = []Action{checkout, awsCredentials, setupBuildx, setupQEMU}

var (
	checkout       = Action{"actions/checkout", "3d3c42e5aac5ba805825da76410c181273ba90b1", "v7.0.1"}
	awsCredentials = Action{"aws-actions/configure-aws-credentials", "e6de054238d6b7531b4efff3b6587d9aade6a06c", "v6.2.3"}
	setupBuildx    = Action{"docker/setup-buildx-action", "37fe631027851001ddb9b187196cc803df7f5f0e", "v4.3.0"}
	setupQEMU      = Action{"docker/setup-qemu-action", "96fe6ef7f33517b61c61be40b68a1882f3264fb8", "v4.2.0"}
)

// String is the value of `uses:`, with the version as a comment where there is one.
func (a Action) String() string {
	text := a.Repository + "@" + a.SHA
	if a.Version != "" {
		text += " # " + a.Version
	}
	return text
}

var (
	actionReference = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+)@([0-9a-f]{40})(?:[# ]+(v?[0-9A-Za-z][0-9A-Za-z._+-]*))?$`)
	movable         = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+@[^#\s]+`)
)

// ParseAction reads OWNER/REPO@SHA, with #VERSION or " # VERSION" behind it where it is known. A tag or a branch is
// refused: whoever can move it decides what runs with the deploy's rights.
func ParseAction(reference string) (Action, error) {
	m := actionReference.FindStringSubmatch(reference)
	switch {
	case m != nil:
		return Action{Repository: m[1], SHA: m[2], Version: m[3]}, nil
	case movable.MatchString(reference):
		return Action{}, fmt.Errorf("action %q is not pinned: a tag or branch can be moved to other code\n  name the commit, all 40 digits, and the version behind it: OWNER/REPO@SHA#v1.2.3", reference)
	}
	return Action{}, fmt.Errorf("action %q: expected OWNER/REPO@SHA#VERSION, such as medusa-deploy/medusa-deploy@0123456789abcdef0123456789abcdef01234567#v1.2.3", reference)
}

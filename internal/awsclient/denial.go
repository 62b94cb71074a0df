package awsclient

import (
	"fmt"
	"regexp"
	"strings"
)

// Denial is a permission that was missing, read from AWS's own message.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
type Denial struct {
	Principal string // ARN of who asked; empty: AWS did not say
	Action    string // "ecs:UpdateService"
	Resource  string // ARN of what it was about; empty: AWS did not say
	Reason    string // "no identity-based policy allows …" or "an explicit deny in …"; empty: AWS did not say
}

var denialPattern = regexp.MustCompile(`(?s)(?:User: (\S+) )?is not authorized to perform: (\S+)(?: on (?:the )?resources?: (\S+))?(?:.*?((?:because|with) .+))?`)

// parseDenial reads AWS's message; call stands in for what the message does not name.
func parseDenial(message, call string) Denial {
	m := denialPattern.FindStringSubmatch(message)
	if m == nil {
		return Denial{Action: call, Reason: message}
	}
	d := Denial{Principal: m[1], Action: orElse(strings.TrimRight(m[2], ".,;"), call), Resource: strings.TrimRight(m[3], ".,;"), Reason: m[4]}
	d.Reason = strings.TrimPrefix(strings.TrimPrefix(d.Reason, "because "), "with ")
	return d
}

// explicit reports whether a policy forbids the action, so that no further policy can allow it.
func (d Denial) explicit() bool { return strings.Contains(d.Reason, "explicit deny") }

func (d Denial) message() string {
	text := "AWS denies " + d.Action
	if d.Resource != "" && d.Resource != "*" {
		text += " on " + d.Resource
	}
	if d.Principal != "" {
		text += " to " + d.Principal
	}
	if d.Reason != "" {
		text += ": " + d.Reason
	}
	return text
}

func (d Denial) cure() string {
	who := d.Principal
	if who == "" {
		who = "the caller (aws sts get-caller-identity)"
	}
	if d.explicit() {
		return "the policy that it names forbids the action, and allowing it elsewhere does not help: ask whoever administers the account"
	}
	resource := d.Resource
	if resource == "" {
		resource = "*"
	}
	return fmt.Sprintf(`add to a policy of %s: {"Effect":"Allow","Action":%q,"Resource":%q}`, who, d.Action, resource)
}

package check

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"syscall"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// judgeAccess says what could not be looked at. When the credentials or the connection are the cause, it says so once:
// the look-ups that failed with it would only repeat it. Missing permissions are one finding, however many they are.
func judgeAccess(t release.Target, seen *look) []release.Finding {
	var findings []release.Finding
	var denied, unknown []unseen
	said := map[string]bool{}
	add := func(where string, err error) {
		code := classify(err)
		switch {
		case code == codeDenied:
			denied = append(denied, unseen{where, err})
		case said[code] && code != codeLookupFailed:
		default:
			said[code] = true
			findings = append(findings, accessFinding(t, code, where, err))
		}
	}
	if err := seen.identityErr; err != nil {
		add("AWS credentials", err)
	}
	if err := seen.registryErr; err != nil {
		add("repository "+t.Repository, err)
	}
	for _, s := range seen.services {
		if s.err != nil && !errors.Is(s.err, release.ErrNotFound) {
			add("service "+t.Cluster+"/"+s.name, s.err)
		}
	}
	for _, u := range seen.unseen {
		switch code := classify(u.err); {
		case code == codeDenied:
			denied = append(denied, u)
		case code == codeLookupFailed || !said[code]: // else the cause is known
			unknown = append(unknown, u)
		}
	}
	if len(denied) > 0 {
		findings = append(findings, deniedFinding(denied))
	}
	if len(unknown) > 0 {
		findings = append(findings, unknownFinding(unknown))
	}
	return findings
}

// deniedFinding is about all permissions that are missing.
func deniedFinding(denied []unseen) release.Finding {
	var actions, cures []string
	things := map[string][]string{}
	cure := "allow the action that the message names in the IAM policy of these credentials"
	for _, u := range denied {
		d, ok := awsclient.DenialOf(u.err)
		if !ok {
			d.Action = u.err.Error()
		}
		if things[d.Action] == nil {
			actions = append(actions, d.Action)
		}
		things[d.Action] = append(things[d.Action], u.what)
		if ok && strings.Contains(d.Reason, "explicit deny") {
			cures = append(cures, d.Action+": "+d.Reason+": ask whoever administers the account")
		}
	}
	var parts []string
	for _, action := range actions {
		parts = append(parts, fmt.Sprintf("%s (%s)", some(things[action]), action))
	}
	if _, ok := awsclient.DenialOf(denied[0].err); ok {
		policy, _ := json.Marshal(map[string]any{"Effect": "Allow", "Action": actions, "Resource": "*"}) // strings always marshal
		cure = "add to the policy of these credentials: " + string(policy)
	}
	return finding(codeDenied, "AWS permissions", "could not be checked: "+strings.Join(parts, ", "),
		"permissions to read are missing; the release may need some of them, too", strings.Join(append([]string{cure}, cures...), "; "))
}

// some lists a few things and counts the others.
func some(things []string) string {
	const few = 3
	if len(things) <= few {
		return strings.Join(things, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(things[:few], ", "), len(things)-few)
}

func unknownFinding(unknown []unseen) release.Finding {
	var things []string
	reasons := map[string][]string{}
	for _, u := range unknown {
		reason, _, _ := strings.Cut(u.err.Error(), "\n") // the first line says what happened
		if reasons[reason] == nil {
			things = append(things, reason)
		}
		reasons[reason] = append(reasons[reason], u.what)
	}
	var parts []string
	for _, reason := range things {
		parts = append(parts, some(reasons[reason])+": "+reason)
	}
	return finding(codeUnknown, "AWS", "could not be looked at: "+strings.Join(parts, "; "),
		"the release does without; what is wrong there shows only when it matters", "look at what the message names; try again when it sounds like something that passes")
}

// Error codes of AWS, as all its services use them.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/CommonErrors.html
var (
	deniedCodes = []string{"AccessDeniedException", "AccessDenied", "UnauthorizedOperation", "NotAuthorized", "AuthorizationError"}
	badCodes    = []string{
		"UnrecognizedClientException", "InvalidClientTokenId", "InvalidSignatureException", "SignatureDoesNotMatch",
		"IncompleteSignature", "IncompleteSignatureException", "MissingAuthenticationToken", "MissingAuthenticationTokenException",
		"ExpiredToken", "ExpiredTokenException", "RequestExpired", "AuthFailure", "InvalidAccessKeyId", "OptInRequired",
	}
)

// noCredentials are the beginnings of the SDK's complaint that it found no credentials. It has no type, and the last
// place it looks in, the machine's metadata service, makes it look like a network error.
var noCredentials = []string{
	"failed to refresh cached credentials", "get credentials:", "failed to retrieve credentials", "no EC2 IMDS role found",
	"static credentials are empty", "failed to get shared config profile",
}

// classify gives the code of the finding that a failed look-up amounts to.
func classify(err error) string {
	var api interface{ ErrorCode() string }
	if errors.As(err, &api) {
		switch code := api.ErrorCode(); {
		case slices.Contains(deniedCodes, code):
			return codeDenied
		case slices.Contains(badCodes, code):
			return codeCredentials
		}
		return codeLookupFailed
	}
	for _, text := range noCredentials {
		if strings.Contains(err.Error(), text) {
			return codeCredentials
		}
	}
	var network net.Error
	if errors.As(err, &network) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, context.DeadlineExceeded) {
		return codeUnreachable
	}
	return codeLookupFailed
}

func accessFinding(t release.Target, code, where string, err error) release.Finding {
	problem, why, cure := err.Error(), "nothing can be deployed", ""
	switch code {
	case codeCredentials:
		problem = "AWS does not accept the credentials, or there are none: " + problem
		cure = "sign in (aws sso login, or aws configure; in GitHub Actions aws-actions/configure-aws-credentials before this step), then try: " + aws(t, "sts get-caller-identity")
		if t.Local {
			cure = `use the variables that "medusa-deploy local env" prints, and no others`
		}
	case codeUnreachable:
		problem = "no answer: " + problem
		cure = "look at the network, and at the region " + t.Region + ", then try: " + aws(t, "sts get-caller-identity")
		if t.Local {
			cure = "start local AWS: medusa-deploy local up"
		}
	default:
		cure = "try again; if it stays, the message names what AWS does not like"
	}
	return finding(code, where, problem, why, cure)
}

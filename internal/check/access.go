package check

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"syscall"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// judgeAccess says what could not be looked at. When the credentials or the connection are the cause, it says so once:
// the look-ups that failed with it would only repeat it.
func judgeAccess(t release.Target, seen look) []release.Finding {
	var findings []release.Finding
	said := map[string]bool{}
	add := func(code, where string, err error) {
		shared := code == codeCredentials || code == codeUnreachable
		if shared && said[code] {
			return
		}
		said[code] = true
		findings = append(findings, accessFinding(t, code, where, err))
	}
	if err := seen.identityErr; err != nil {
		add(classify(err), "AWS credentials", err)
	}
	if err := seen.registryErr; err != nil {
		add(classify(err), "repository "+t.Repository, err)
	}
	for _, s := range seen.services {
		if s.err != nil && !errors.Is(s.err, release.ErrNotFound) {
			add(classify(s.err), "service "+t.Cluster+"/"+s.name, s.err)
		}
	}
	return findings
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
	case codeDenied:
		problem = "could not be checked: " + problem
		why = "a permission to read is missing; the release may need it, too"
		cure = "allow the action that the message names in the IAM policy of these credentials"
	default:
		cure = "try again; if it stays, the message names what AWS does not like"
	}
	return finding(code, where, problem, why, cure)
}

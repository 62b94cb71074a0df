package iam

import (
	"errors"
	"fmt"
)

// Provider is GitHub's OIDC issuer, as the identity provider in the account is named.
const Provider = "token.actions.githubusercontent.com"

// Workflow is the GitHub workflow that may take the role.
// https://docs.github.com/en/actions/reference/security/oidc
type Workflow struct {
	Repository  string // OWNER/NAME
	OwnerID     string // numeric ids: repositories made or renamed since 2026-07-15 have them in the subject
	RepoID      string
	Environment string // of the job; empty: none
	Branch      string // that may deploy, when the job has no environment
}

// Trust is a role's trust policy.
type Trust struct {
	Version   string           `json:"Version"`
	Statement []TrustStatement `json:"Statement"`
}

// TrustStatement lets one kind of identity take the role.
type TrustStatement struct {
	Sid       string                       `json:"Sid"`
	Effect    string                       `json:"Effect"`
	Principal map[string]string            `json:"Principal"`
	Action    string                       `json:"Action"`
	Condition map[string]map[string]string `json:"Condition"`
}

// Subject is the token's subject claim, exactly: a job in an environment is known by the environment, any other by its
// branch.
func (w Workflow) Subject() (string, error) {
	owner, name, ok := cut(w.Repository)
	switch {
	case !ok:
		return "", fmt.Errorf("%q is no repository: expected OWNER/NAME", w.Repository)
	case (w.OwnerID == "") != (w.RepoID == ""):
		return "", errors.New("the ids of the owner and of the repository go together: gh api repos/OWNER/NAME --jq '.owner.id, .id'")
	case w.OwnerID != "":
		owner, name = owner+"@"+w.OwnerID, name+"@"+w.RepoID
	}
	if w.Environment != "" {
		return "repo:" + owner + "/" + name + ":environment:" + w.Environment, nil
	}
	if w.Branch == "" {
		return "", errors.New("a workflow is known by its environment or its branch: name one")
	}
	return "repo:" + owner + "/" + name + ":ref:refs/heads/" + w.Branch, nil
}

func cut(repository string) (owner, name string, ok bool) {
	for i, r := range repository {
		if r == '/' {
			owner, name = repository[:i], repository[i+1:]
			break
		}
	}
	for _, part := range []string{owner, name} {
		for _, r := range part {
			if r == '/' || r == '*' || r == '?' || r == ':' || r == '@' || r == '$' || r <= ' ' {
				return "", "", false // a wildcard would let others in
			}
		}
	}
	return owner, name, owner != "" && name != ""
}

// TrustFor gives the trust policy: the audience and the subject are compared as a whole, never by pattern.
func TrustFor(n Needs, w Workflow) (Trust, error) {
	subject, err := w.Subject()
	if err != nil {
		return Trust{}, err
	}
	return Trust{Version: version, Statement: []TrustStatement{{
		Sid: "GitHubActions", Effect: "Allow", Action: "sts:AssumeRoleWithWebIdentity",
		Principal: map[string]string{"Federated": fmt.Sprintf("arn:%s:iam::%s:oidc-provider/%s", n.Partition, n.Account, Provider)},
		Condition: map[string]map[string]string{"StringEquals": {Provider + ":aud": "sts.amazonaws.com", Provider + ":sub": subject}},
	}}}, nil
}

package facts_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
	"github.com/medusa-deploy/medusa-deploy/internal/awsclient/awstest"
	"github.com/medusa-deploy/medusa-deploy/internal/check"
	"github.com/medusa-deploy/medusa-deploy/internal/check/facts"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

type body = awstest.Body

func failure(code string) awstest.Failure {
	return awstest.Failure{Status: 400, Code: code, Message: "no such thing"}
}

func TestAccount(t *testing.T) {
	aws := awstest.New(t).On("GetCallerIdentity", awstest.Always(body{"Account": "123456789012"}))
	a := facts.New(aws.Session(t), "")
	got, err := a.Account(t.Context())
	if err != nil || got != "123456789012" {
		t.Errorf("account %s, %v", got, err)
	}
	if _, known := a.ClockAhead(); !known {
		t.Error("the clock is not known after an answer")
	}
}

func TestMutability(t *testing.T) {
	filters := []any{body{"filter": "latest", "filterType": "WILDCARD"}, body{"filter": "cache*", "filterType": "WILDCARD"}}
	for setting, want := range map[string]check.Mutability{
		"MUTABLE":                  {},
		"IMMUTABLE":                {Immutable: true},
		"IMMUTABLE_WITH_EXCLUSION": {Immutable: true, Except: []string{"latest", "cache*"}},
		"MUTABLE_WITH_EXCLUSION":   {Except: []string{"latest", "cache*"}},
	} {
		aws := awstest.New(t).On("DescribeRepositories", awstest.Always(body{"repositories": []any{
			body{"repositoryName": "shop", "imageTagMutability": setting, "imageTagMutabilityExclusionFilters": filters}}}))
		got, err := facts.New(aws.Session(t), "").Mutability(t.Context(), "shop")
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", setting, err, diff)
		}
	}
}

// TestRegistryOfAnotherAccount: the calls go to the registry that is configured.
func TestRegistryOfAnotherAccount(t *testing.T) {
	for name, value := range map[string]string{"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_PROFILE": ""} {
		t.Setenv(name, value)
	}
	aws := awstest.New(t).On("GetLifecyclePolicy", awstest.Always(body{"lifecyclePolicyText": "{}"}))
	session := aws.Session(t, func(c *awsclient.Config) { c.Endpoint = "" })
	if _, err := facts.New(session, "999999999999.dkr.ecr.eu-west-1.amazonaws.com").LifecyclePolicy(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]body{{"repositoryName": "shop", "registryId": "999999999999"}}, aws.Inputs("GetLifecyclePolicy")); diff != "" {
		t.Error(diff)
	}
}

func TestRepositoryFacts(t *testing.T) {
	const digest = "sha256:1"
	aws := awstest.New(t).
		On("GetLifecyclePolicy", awstest.InTurn(body{"lifecyclePolicyText": `{"rules":[]}`}, failure("LifecyclePolicyNotFoundException"), failure("RepositoryNotFoundException"), failure("AccessDeniedException"))).
		On("DescribeRepositories", awstest.InTurn(failure("RepositoryNotFoundException"), body{"repositories": []any{}})).
		On("DescribeImages", awstest.InTurn(body{"imageDetails": []any{body{"imageDigest": digest, "imageTags": []any{"latest"}}}}, body{"imageDetails": []any{body{"imageDigest": digest}}}, failure("ImageNotFoundException"), body{}))
	a := facts.New(aws.Session(t), "")
	ctx := t.Context()
	if text, err := a.LifecyclePolicy(ctx, "shop"); err != nil || text != `{"rules":[]}` {
		t.Errorf("policy %s, %v", text, err)
	}
	for range 2 {
		if _, err := a.LifecyclePolicy(ctx, "shop"); !errors.Is(err, release.ErrNotFound) {
			t.Errorf("error = %v", err)
		}
		if _, err := a.Mutability(ctx, "shop"); !errors.Is(err, release.ErrNotFound) {
			t.Errorf("error = %v", err)
		}
	}
	_, err := a.LifecyclePolicy(ctx, "shop")
	if d, ok := awsclient.DenialOf(err); !ok || d.Action != "ecr:GetLifecyclePolicy" {
		t.Errorf("error = %v", err)
	}
	for _, want := range [][]string{{"latest"}, nil} {
		if tags, err := a.Tags(ctx, "shop", digest); err != nil || !slices.Equal(tags, want) {
			t.Errorf("tags %v, %v; want %v", tags, err, want)
		}
	}
	for range 2 {
		if _, err := a.Tags(ctx, "shop", digest); !errors.Is(err, release.ErrNotFound) {
			t.Errorf("error = %v", err)
		}
	}
}

func TestLogGroup(t *testing.T) {
	groups := []any{body{"logGroupName": "/ecs/shop"}, body{"logGroupName": "/ecs/shop-worker"}}
	aws := awstest.New(t).On("DescribeLogGroups", func(in body) any {
		var found []any
		for _, g := range groups {
			if strings.HasPrefix(g.(body)["logGroupName"].(string), in["logGroupNamePrefix"].(string)) {
				found = append(found, g)
			}
		}
		return body{"logGroups": found}
	})
	a := facts.New(aws.Session(t), "")
	if err := a.LogGroup(t.Context(), "eu-west-1", "/ecs/shop"); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"/ecs/sho", "/ecs/shop-w", "/other"} {
		if err := a.LogGroup(t.Context(), "", name); !errors.Is(err, release.ErrNotFound) {
			t.Errorf("%s: error = %v", name, err)
		}
	}
}

const arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:"

// describeSecret is a Secrets Manager that knows a few secrets.
func describeSecret(in body) any {
	now := body{"v1": []any{"AWSCURRENT"}, "v0": []any{"AWSPREVIOUS"}, "v9": []any{}}
	switch in["SecretId"] {
	case arn + "good-AbCdEf", "good":
		return body{"VersionIdsToStages": now}
	case arn + "going-AbCdEf":
		return body{"VersionIdsToStages": now, "DeletedDate": 1.7e9}
	case arn + "empty-AbCdEf":
		return body{}
	case arn + "mine-AbCdEf":
		return failure("AccessDeniedException")
	}
	return failure("ResourceNotFoundException")
}

func TestSecrets(t *testing.T) {
	aws := awstest.New(t).On("DescribeSecret", describeSecret).On("DescribeParameters", func(in body) any {
		return body{"Parameters": []any{body{"Name": "/shop/jwt"}, body{"Name": "plain"}}}
	})
	for reference, want := range map[string]string{ // empty: it is there
		arn + "good-AbCdEf":                    "",
		arn + "good-AbCdEf:url::":              "",
		arn + "good-AbCdEf::AWSPREVIOUS:":      "",
		arn + "good-AbCdEf:::v0":               "",
		arn + "good-AbCdEf::AWSPREVIOUS:v0":    "",
		arn + "good-AbCdEf::AWSCURRENT:v0":     "no value in stage AWSCURRENT",
		arn + "good-AbCdEf::STAGING:":          "no value in stage STAGING",
		arn + "good-AbCdEf:::v7":               "no version v7",
		arn + "none-AbCdEf":                    "there is no such secret",
		arn + "going-AbCdEf":                   "restore-secret --secret-id " + arn + "going-AbCdEf",
		arn + "empty-AbCdEf":                   "no value in stage AWSCURRENT",
		arn + "mine-AbCdEf":                    "denied",
		"/aws/reference/secretsmanager/good":   "",
		"/aws/reference/secretsmanager/absent": "there is no such secret",
		"/shop/jwt":                            "",
		"/shop/jwt:3":                          "",
		"plain":                                "",
		"/plain":                               "there is no parameter /plain",
		"arn:aws:ssm:us-east-1:123456789012:parameter/shop/jwt": "",
		"arn:aws:ssm:us-east-1:123456789012:parameter/plain":    "",
		"arn:aws:ssm:us-east-1:123456789012:parameter/no/such":  "there is no parameter /no/such",
	} {
		t.Run(reference, func(t *testing.T) {
			found := facts.New(aws.Session(t), "").Secrets(t.Context(), []string{reference})
			err, asked := found[reference]
			if !asked || len(found) != 1 {
				t.Fatalf("found = %v", found)
			}
			switch want {
			case "":
				if err != nil {
					t.Error(err)
				}
			case "denied":
				if d, ok := awsclient.DenialOf(err); !ok || d.Action != "secretsmanager:DescribeSecret" || errors.Is(err, release.ErrNotFound) {
					t.Errorf("error = %v", err)
				}
			default:
				if !errors.Is(err, release.ErrNotFound) || !strings.Contains(err.Error(), want) {
					t.Errorf("error = %v, want %q", err, want)
				}
			}
		})
	}
}

// TestParametersAreAskedForTogether: fifty at a time, and for each region apart; and nothing asks for values.
func TestParametersAreAskedForTogether(t *testing.T) {
	aws := awstest.New(t).On("DescribeParameters", func(in body) any {
		var found []any
		values := in["ParameterFilters"].([]any)[0].(body)["Values"].([]any)
		if in["NextToken"] == nil {
			for _, name := range values[:len(values)/2] {
				found = append(found, body{"Name": name})
			}
			return body{"Parameters": found, "NextToken": "more"}
		}
		for _, name := range values[len(values)/2:] {
			found = append(found, body{"Name": name})
		}
		return body{"Parameters": found}
	})
	references := []string{"arn:aws:ssm:eu-west-1:123456789012:parameter/far"}
	for i := range 60 {
		references = append(references, fmt.Sprintf("/p/%02d", i))
	}
	for reference, err := range facts.New(aws.Session(t), "").Secrets(t.Context(), references) {
		if err != nil {
			t.Errorf("%s: %v", reference, err)
		}
	}
	if n := aws.Count("DescribeParameters"); n != 6 { // 50 + 10 + 1, in two pages each
		t.Errorf("asked %d times", n)
	}
}

func TestParametersThatCannotBeListed(t *testing.T) {
	aws := awstest.New(t).On("DescribeParameters", awstest.Always(failure("AccessDeniedException")))
	found := facts.New(aws.Session(t), "").Secrets(t.Context(), []string{"/a", "/b"})
	for _, name := range []string{"/a", "/b"} {
		if d, ok := awsclient.DenialOf(found[name]); !ok || d.Action != "ssm:DescribeParameters" {
			t.Errorf("%s: %v", name, found[name])
		}
	}
}

// simulation is IAM's answer: the decision on each action.
func simulation(decisions map[string]string, more string) awstest.Raw {
	var b strings.Builder
	for action, decision := range decisions {
		fmt.Fprintf(&b, "<member><EvalActionName>%s</EvalActionName><EvalDecision>%s</EvalDecision></member>", action, decision)
	}
	return awstest.Raw{Status: 200, Body: `<SimulatePrincipalPolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><SimulatePrincipalPolicyResult><EvaluationResults>` +
		b.String() + `</EvaluationResults>` + more + `</SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>`}
}

func TestDenied(t *testing.T) {
	const role, repository = "arn:aws:iam::123456789012:role/exec", "arn:aws:ecr:us-east-1:123456789012:repository/shop"
	aws := awstest.New(t).On("SimulatePrincipalPolicy", func(in body) any {
		switch {
		case in["PolicySourceArn"] != role:
			return awstest.Failure{Status: 404, Code: "NoSuchEntity", Message: "no such role"}
		case in["ResourceArns.member.1"] == "*":
			return simulation(map[string]string{"ecr:GetAuthorizationToken": "allowed"}, "<IsTruncated>false</IsTruncated>")
		case in["Marker"] == "next":
			return simulation(map[string]string{"ecr:GetDownloadUrlForLayer": "explicitDeny"}, "<IsTruncated>false</IsTruncated>")
		}
		return simulation(map[string]string{in["ActionNames.member.1"].(string): "implicitDeny"}, "<IsTruncated>true</IsTruncated><Marker>next</Marker>")
	})
	a := facts.New(aws.Session(t), "")
	wanted := []check.Permission{
		{Action: "ecr:GetAuthorizationToken", Resource: "*"}, {Action: "ecr:BatchGetImage", Resource: repository}, {Action: "ecr:GetDownloadUrlForLayer", Resource: repository},
	}
	got, err := a.Denied(t.Context(), role, wanted)
	if diff := cmp.Diff(wanted[1:], got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	if n := aws.Count("SimulatePrincipalPolicy"); n != 3 {
		t.Errorf("asked %d times", n)
	}
	if _, err := a.Denied(t.Context(), role+"s", wanted); !errors.Is(err, release.ErrNotFound) {
		t.Errorf("error = %v", err)
	}
}

func TestDeniedWithoutIAM(t *testing.T) {
	aws := awstest.New(t).On("SimulatePrincipalPolicy", awstest.Always(awstest.Failure{Status: 403, Code: "AccessDenied",
		Message: "User: arn:aws:iam::123456789012:user/ci is not authorized to perform: iam:SimulatePrincipalPolicy on resource: role/exec"}))
	_, err := facts.New(aws.Session(t), "").Denied(t.Context(), "arn:aws:iam::123456789012:role/exec", []check.Permission{{Action: "a:B", Resource: "*"}})
	if d, ok := awsclient.DenialOf(err); !ok || d.Action != "iam:SimulatePrincipalPolicy" {
		t.Errorf("error = %v", err)
	}
}

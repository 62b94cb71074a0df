package awsclient_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
	"github.com/medusa-deploy/medusa-deploy/internal/awsclient/awstest"
)

func TestDenial(t *testing.T) {
	const who, what = "arn:aws:sts::123456789012:assumed-role/ci/run", "arn:aws:ecs:us-east-1:123456789012:service/c/s"
	cases := map[string]struct {
		said string
		want awsclient.Denial
		text []string
	}{
		"no policy": {
			"User: " + who + " is not authorized to perform: ecs:DescribeServices on resource: " + what + " because no identity-based policy allows the ecs:DescribeServices action",
			awsclient.Denial{Principal: who, Action: "ecs:DescribeServices", Resource: what, Reason: "no identity-based policy allows the ecs:DescribeServices action"},
			[]string{"AWS denies ecs:DescribeServices on " + what + " to " + who, `"Action":"ecs:DescribeServices","Resource":"` + what + `"`},
		},
		"explicit deny": {
			"User: " + who + " is not authorized to perform: ecs:DescribeServices on resource: " + what + " with an explicit deny in a service control policy",
			awsclient.Denial{Principal: who, Action: "ecs:DescribeServices", Resource: what, Reason: "an explicit deny in a service control policy"},
			[]string{"forbids the action", "administers the account"},
		},
		"pass role": {
			"User: " + who + " is not authorized to perform: iam:PassRole on resource: arn:aws:iam::123456789012:role/exec",
			awsclient.Denial{Principal: who, Action: "iam:PassRole", Resource: "arn:aws:iam::123456789012:role/exec"},
			[]string{"AWS denies iam:PassRole", `"Action":"iam:PassRole"`},
		},
		"no resource": {
			"User: " + who + " is not authorized to perform: ecr:GetAuthorizationToken on resource: * because no identity-based policy allows the ecr:GetAuthorizationToken action",
			awsclient.Denial{Principal: who, Action: "ecr:GetAuthorizationToken", Resource: "*", Reason: "no identity-based policy allows the ecr:GetAuthorizationToken action"},
			[]string{"AWS denies ecr:GetAuthorizationToken to", `"Resource":"*"`},
		},
		"says nothing": {
			"Access denied",
			awsclient.Denial{Action: "ecs:DescribeServices", Reason: "Access denied"},
			[]string{"AWS denies ecs:DescribeServices", "aws sts get-caller-identity"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			aws := awstest.New(t).On("DescribeServices", awstest.Always(awstest.Failure{Status: 400, Code: "AccessDeniedException", Message: c.said}))
			err := describe(t.Context(), aws.Session(t))
			wantIn(t, err, c.text...)
			got, ok := awsclient.DenialOf(err)
			if !ok {
				t.Fatalf("no denial in %v", err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

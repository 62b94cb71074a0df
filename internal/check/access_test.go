package check

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// denial is a refusal as the AWS client tells it.
func denial(action, reason string) error {
	d := &awsclient.Denial{Principal: "arn:aws:iam::123456789012:user/ci", Action: action, Resource: "*", Reason: reason}
	return &awsclient.Error{Call: action, Code: "AccessDeniedException", Message: "AWS denies " + action, Denied: d, Err: apiError("AccessDeniedException")}
}

// TestPermissionsAreOneFinding: a policy that lacks everything gives one line, with one statement to add.
func TestPermissionsAreOneFinding(t *testing.T) {
	w := soundWorld()
	withRole(w)
	w.run("web", digest("a"))
	w.mutabilityErr = denial("ecr:DescribeRepositories", "")
	w.policyErr = denial("ecr:GetLifecyclePolicy", "an explicit deny in a service control policy")
	w.tagsErr = denial("ecr:DescribeImages", "")
	w.secretsErr = denial("secretsmanager:DescribeSecret", "")
	w.groupErr = denial("logs:DescribeLogGroups", "")
	w.roleErr = denial("iam:SimulatePrincipalPolicy", "")
	w.imageErr = denial("ecr:BatchGetImage", "")
	findings := check(t, w, request())
	if diff := cmp.Diff([]string{"MD003"}, codes(findings)); diff != "" {
		t.Fatal(diff)
	}
	f := findings[0]
	for _, want := range []string{"repository shop (ecr:BatchGetImage)", "lifecycle policy of repository shop (ecr:GetLifecyclePolicy)",
		"secret /shop/jwt, secret " + secretARN, "(secretsmanager:DescribeSecret)", "log group /ecs/web (logs:DescribeLogGroups)"} {
		if !strings.Contains(f.Problem, want) {
			t.Errorf("problem = %s\nwant %q in it", f.Problem, want)
		}
	}
	const statement = `{"Action":["ecr:BatchGetImage","ecr:DescribeImages","ecr:GetLifecyclePolicy","logs:DescribeLogGroups","iam:SimulatePrincipalPolicy","secretsmanager:DescribeSecret","ecr:DescribeRepositories"],"Effect":"Allow","Resource":"*"}`
	if !strings.Contains(f.Cure, statement) || !strings.Contains(f.Cure, "ecr:GetLifecyclePolicy: an explicit deny in a service control policy") {
		t.Errorf("cure = %s", f.Cure)
	}
	if f.Severity != release.SeverityUnknown {
		t.Errorf("severity = %s", f.Severity)
	}
}

func TestManyThingsAreCounted(t *testing.T) {
	w := soundWorld()
	s := sound()
	for i := range 20 {
		s.TaskDefinition.Containers[1].Secrets = append(s.TaskDefinition.Containers[1].Secrets, release.SecretReference{Name: "A", From: fmt.Sprintf("/s/%02d", i)})
	}
	w.services["web"] = s
	w.secretsErr = denial("ssm:DescribeParameters", "")
	findings := check(t, w, request())
	if len(findings) != 1 || !strings.Contains(findings[0].Problem, "secret /s/00, secret /s/01, secret /s/02 and 17 more (ssm:DescribeParameters)") {
		t.Errorf("findings = %+v", findings)
	}
}

// TestOptionalLookUps: what a release does without is never an error, and repeats no cause that is known.
func TestOptionalLookUps(t *testing.T) {
	notThere := &awsclient.Error{Code: "UnknownOperationException", Message: "local AWS does not implement secretsmanager:DescribeSecret", Err: apiError("UnknownOperationException")}
	for name, tc := range map[string]struct {
		change  func(w *world)
		local   bool
		want    []string
		problem string
	}{
		"not implemented by local AWS": {change: func(w *world) { w.secretsErr = notThere }, local: true, want: []string{"MD021"}, problem: "local AWS does not implement secretsmanager:DescribeSecret"},
		"no endpoint":                  {change: func(w *world) { w.secretsErr, w.groupErr = refused(), refused() }, want: []string{"MD021"}, problem: "log group /ecs/web, secret /shop/jwt"},
		"too slow":                     {change: func(w *world) { w.roleErr = fmt.Errorf("iam: %w", context.DeadlineExceeded) }, want: []string{"MD021"}, problem: "permissions of role exec"},
		"no network at all":            {change: func(w *world) { w.secretsErr, w.groupErr, w.identityErr = refused(), refused(), refused() }, want: []string{"MD002"}},
		"expired credentials":          {change: func(w *world) { w.secretsErr, w.identityErr = apiError("ExpiredToken"), apiError("ExpiredToken") }, want: []string{"MD001"}},
		"expired for one service":      {change: func(w *world) { w.secretsErr = apiError("ExpiredToken") }, want: []string{"MD021"}},
		"two reasons":                  {change: func(w *world) { w.secretsErr, w.groupErr = errors.New("boom"), errors.New("bang\nlook there") }, want: []string{"MD021"}, problem: "log group /ecs/web: bang; secret"},
		"tasks cannot be listed":       {change: func(w *world) { w.runningErr = errors.New("boom") }, want: []string{"MD021"}, problem: "tasks of service shop/web: boom"},
		"a failed look-up and others":  {change: func(w *world) { w.imageErr, w.groupErr = errors.New("boom"), errors.New("bang") }, want: []string{"MD004", "MD021"}},
	} {
		t.Run(name, func(t *testing.T) {
			w, req := soundWorld(), request()
			if tc.local {
				req = localRequest()
			}
			withRole(w)
			tc.change(w)
			findings := check(t, w, req)
			if diff := cmp.Diff(tc.want, codes(findings)); diff != "" {
				t.Fatalf("codes (-want +got):\n%s\n%+v", diff, findings)
			}
			if last := findings[len(findings)-1]; !strings.Contains(last.Problem, tc.problem) {
				t.Errorf("problem = %s, want %q in it", last.Problem, tc.problem)
			}
		})
	}
}

package check

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

const roleARN = "arn:aws:iam::123456789012:role/service-role/exec"

func withRole(w *world) {
	s := sound()
	s.TaskDefinition.ExecutionRole = roleARN
	c := &s.TaskDefinition.Containers[1]
	c.Secrets = []release.SecretReference{{Name: "A", From: secretARN + ":url::"}, {Name: "B", From: "/shop/jwt"}, {Name: "C", From: parameterARN}}
	w.there = append(w.there, secretARN+":url::", "/shop/jwt", parameterARN)
	w.services["web"] = s
}

func TestNeeds(t *testing.T) {
	w := soundWorld()
	withRole(w)
	d := w.services["web"].TaskDefinition
	d.Containers[1].LogCreatesGroup = true
	const (
		repository = "arn:aws:ecr:us-east-1:123456789012:repository/shop"
		group      = "arn:aws:logs:us-east-1:123456789012:log-group:/ecs/web:log-stream:"
	)
	want := []Permission{
		{"ecr:GetAuthorizationToken", "*"}, {"ecr:BatchGetImage", repository}, {"ecr:GetDownloadUrlForLayer", repository},
		{"logs:CreateLogGroup", group}, {"logs:CreateLogStream", group + "web"}, {"logs:PutLogEvents", group + "web"},
		{"secretsmanager:GetSecretValue", secretARN}, {"ssm:GetParameters", parameterARN}, {"ssm:GetParameters", parameterARN},
	}
	if diff := cmp.Diff(want, needs(d, "us-east-1")); diff != "" {
		t.Error(diff)
	}
}

func TestRoles(t *testing.T) {
	repository := "arn:aws:ecr:us-east-1:123456789012:repository/shop"
	for name, tc := range map[string]struct {
		change  func(w *world)
		local   bool
		want    []string
		problem string
		cure    string
	}{
		"allowed": {},
		"denied": {change: func(w *world) {
			w.forbidden = []Permission{{"ecr:BatchGetImage", repository}, {"ecr:GetDownloadUrlForLayer", repository}, {"secretsmanager:GetSecretValue", secretARN}}
		}, want: []string{"MD027"}, problem: "may not ecr:BatchGetImage on " + repository + ", ecr:GetDownloadUrlForLayer",
			cure: `aws iam put-role-policy --role-name exec --policy-name medusa-deploy --policy-document '{"Statement":[{"Effect":"Allow","Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"],"Resource":"` + repository + `"},{"Effect":"Allow","Action":["secretsmanager:GetSecretValue"]`},
		"no such role":     {change: func(w *world) { w.roleErr = release.ErrNotFound }, want: []string{"MD027"}, problem: "there is no such role", cure: "aws iam create-role --role-name exec"},
		"IAM lets nobody":  {change: func(w *world) { w.roleErr = apiError("AccessDenied") }, want: []string{"MD003"}, problem: "permissions of role exec"},
		"IAM is broken":    {change: func(w *world) { w.roleErr = errors.New("boom") }, want: []string{"MD021"}},
		"local has no IAM": {change: func(w *world) { w.roleErr = errors.New("not to be asked") }, local: true},
		"a role by name": {change: func(w *world) {
			s := w.services["web"]
			s.TaskDefinition.ExecutionRole = "exec"
			w.services["web"] = s
			w.roleErr = errors.New("not to be asked")
		}},
		"the service's gone": {change: func(w *world) {
			w.serviceErr["web"] = apiError("ServerException")
			w.roleErr = errors.New("not to be asked")
		}, want: []string{"MD004"}},
	} {
		t.Run(name, func(t *testing.T) {
			w, req := soundWorld(), request()
			if tc.local {
				req = localRequest()
			}
			withRole(w)
			if tc.change != nil {
				tc.change(w)
			}
			expect(t, w, req, tc.want, tc.problem, tc.cure)
		})
	}
}

// TestRolesOfTwoServices: a role that several task definitions name is asked about once.
func TestRolesOfTwoServices(t *testing.T) {
	w, req := soundWorld(), request()
	withRole(w)
	req.Target.Services = []string{"web", "worker"}
	jobs := w.services["web"]
	jobs.TaskDefinition.Family = "jobs"
	w.services["worker"] = jobs
	w.forbidden = []Permission{{"ecr:GetAuthorizationToken", "*"}}
	findings := check(t, w, req)
	if len(findings) != 1 || findings[0].Where != "execution role exec of task definition web:3, task definition jobs:3" {
		t.Errorf("findings = %+v", findings)
	}
	var roles []string
	for _, what := range w.asked.what {
		if strings.HasPrefix(what, "role ") {
			roles = append(roles, what)
		}
	}
	if diff := cmp.Diff([]string{"role " + roleARN + " 7"}, roles); diff != "" {
		t.Error(diff)
	}
}

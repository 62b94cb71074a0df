package check

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// roleLook is one execution role and what the task definitions that name it need of it.
type roleLook struct {
	arn    string
	of     []string // task definitions
	wanted []Permission
	denied []Permission
	gone   bool
}

// name is what follows the last slash of the role's ARN.
func (r roleLook) name() string { return r.arn[strings.LastIndex(r.arn, "/")+1:] }

// partition is aws, aws-cn, …
func (r roleLook) partition() string { return strings.Split(r.arn, ":")[1] }

// lookAtRoles has IAM say what the execution roles may do.
func (c *Checker) lookAtRoles(ctx context.Context, seen *look, t release.Target) {
	seen.roles = rolesOf(seen, t)
	var all sync.WaitGroup
	for i := range seen.roles {
		all.Go(func() {
			r := &seen.roles[i]
			denied, err := c.Cloud.Denied(ctx, r.arn, r.wanted)
			r.denied, r.gone = denied, errors.Is(err, release.ErrNotFound)
			seen.miss("permissions of role "+r.name(), err)
		})
	}
	all.Wait()
}

// rolesOf lists the execution roles, in the order of the services.
func rolesOf(seen *look, t release.Target) []roleLook {
	var roles []roleLook
	for _, s := range seen.services {
		role := s.facts.TaskDefinition.ExecutionRole
		if s.err != nil || s.previewErr != nil || len(strings.Split(role, ":")) < 6 {
			continue // ECS takes a role's name as well, but IAM wants the ARN
		}
		i := slices.IndexFunc(roles, func(r roleLook) bool { return r.arn == role })
		if i < 0 {
			i, roles = len(roles), append(roles, roleLook{arn: role})
		}
		v := view{serviceLook: s, target: t, def: t.Definitions[s.name]}
		roles[i].of = append(roles[i].of, v.whereTask())
		for _, p := range needs(s.facts.TaskDefinition, t.Region) {
			if !slices.Contains(roles[i].wanted, p) {
				roles[i].wanted = append(roles[i].wanted, p)
			}
		}
	}
	return roles
}

// needs lists what the execution role (an ARN) of a task definition must be allowed to: to pull images from ECR, to write logs,
// to read secrets.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html
func needs(d release.TaskDefinition, region string) []Permission {
	var all []Permission
	role := strings.Split(d.ExecutionRole, ":")
	partition, account := role[1], role[4]
	arn := func(service, region, account, resource string) string {
		return strings.Join([]string{"arn", partition, service, region, account, resource}, ":")
	}
	for _, c := range d.Containers {
		if r := parseReference(c.Image); ecrHost.MatchString(r.host) {
			own := ecrHost.FindStringSubmatch(r.host)
			repository := arn("ecr", own[2], own[1], "repository/"+r.name)
			all = append(all, Permission{"ecr:GetAuthorizationToken", "*"}, Permission{"ecr:BatchGetImage", repository}, Permission{"ecr:GetDownloadUrlForLayer", repository})
		}
		if c.LogGroup != "" {
			group := arn("logs", orElse(c.LogRegion, region), account, "log-group:"+c.LogGroup)
			if c.LogCreatesGroup {
				all = append(all, Permission{"logs:CreateLogGroup", group + ":log-stream:"})
			}
			stream := group + ":log-stream:" + c.LogPrefix
			all = append(all, Permission{"logs:CreateLogStream", stream}, Permission{"logs:PutLogEvents", stream})
		}
		for _, s := range c.Secrets {
			all = append(all, needOfSecret(s.From, func(name string) string {
				return arn("ssm", region, account, "parameter/"+strings.TrimPrefix(name, "/"))
			}))
		}
	}
	return all
}

// needOfSecret is the permission that reading a secret needs. In Secrets Manager the ARN may go on with a JSON key and a
// version.
func needOfSecret(reference string, parameter func(name string) string) Permission {
	parts := strings.Split(reference, ":")
	switch {
	case len(parts) >= 7 && parts[2] == "secretsmanager":
		return Permission{"secretsmanager:GetSecretValue", strings.Join(parts[:7], ":")}
	case len(parts) >= 6 && parts[0] == "arn":
		return Permission{"ssm:GetParameters", reference}
	}
	return Permission{"ssm:GetParameters", parameter(reference)}
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// judgeRoles tells what the execution roles lack.
func judgeRoles(t release.Target, seen *look) []release.Finding {
	var findings []release.Finding
	for _, r := range seen.roles {
		where := "execution role " + r.name() + " of " + strings.Join(r.of, ", ")
		switch {
		case r.gone:
			findings = append(findings, finding(codeRole, where, "there is no such role: "+r.arn, "no task can be started without it",
				aws(t, "iam create-role --role-name "+r.name()+" --assume-role-policy-document "+quoted(assumable)+
					" && aws iam attach-role-policy --role-name "+r.name()+" --policy-arn arn:"+r.partition()+":iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy")))
		case len(r.denied) > 0:
			findings = append(findings, finding(codeRole, where, "by IAM's own simulation it may not "+listed(r.denied),
				"tasks could not start (CannotPullContainerError, ResourceInitializationError), unless a policy of the resource itself allows it",
				aws(t, "iam put-role-policy --role-name "+r.name()+" --policy-name medusa-deploy --policy-document "+quoted(allowing(r.denied)))))
		}
	}
	return findings
}

// assumable is the trust policy of a role that tasks are started with.
const assumable = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}`

func listed(permissions []Permission) string {
	var all []string
	for _, p := range permissions {
		text := p.Action
		if p.Resource != "*" {
			text += " on " + p.Resource
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

// allowing is a policy that allows the permissions: one statement for each resource.
func allowing(permissions []Permission) string {
	type statement struct {
		Effect   string
		Action   []string
		Resource string
	}
	var statements []statement
	for _, p := range permissions {
		i := slices.IndexFunc(statements, func(s statement) bool { return s.Resource == p.Resource })
		if i < 0 {
			i, statements = len(statements), append(statements, statement{Effect: "Allow", Resource: p.Resource})
		}
		statements[i].Action = append(statements[i].Action, p.Action)
	}
	policy, _ := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements}) // strings always marshal
	return string(policy)
}

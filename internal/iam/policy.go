// Package iam writes what AWS must allow for a release: the least policy of the role that deploys, for one target, and the
// trust policy that lets a GitHub workflow take that role.
//
// It is plain data in and documents out. It must not know the config file, nor call AWS.
package iam

import (
	"fmt"
	"slices"
)

// Needs is what a release of one target does.
type Needs struct {
	Partition       string // "aws", "aws-cn", "aws-us-gov"
	Account         string // 12 digits
	Region          string
	RegistryAccount string // of the repository; usually Account
	RegistryRegion  string
	Repository      string
	Cluster         string
	Services        []string
	Families        []string // task definition families of the services; empty: any
	LogGroups       []string // of the tasks; empty: any
	CheckLogGroups  bool     // the tasks do not create their log groups themselves
	Roles           []string // ARNs: the tasks' task and execution roles
	Secrets         []string // ARNs of secrets that the tasks name: that they exist is checked
	Parameters      bool     // the tasks name parameters of Systems Manager
	Pinned          bool     // revisions that name digests are registered
	Migrate         bool     // a one-off task runs before the services change
	Apply           bool     // definitions are applied, and services that do not exist created
	Attest          bool     // provenance or signatures are attached to images
}

// Statement is one statement of a policy, with its reason for people.
type Statement struct {
	Sid       string         `json:"Sid"`
	Effect    string         `json:"Effect"`
	Action    []string       `json:"Action"`
	Resource  []string       `json:"Resource"`
	Condition map[string]any `json:"Condition,omitempty"`
	Why       string         `json:"-"`
}

// Policy is an IAM policy document.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
type Policy struct {
	Version   string      `json:"Version"`
	Statement []Statement `json:"Statement"`
}

const version = "2012-10-17"

// Actions lists every action that the policy allows, sorted, each once.
func (p Policy) Actions() []string {
	var all []string
	for _, s := range p.Statement {
		all = append(all, s.Action...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// PolicyFor gives the least policy with which every command on the target works.
//
// Which actions take which resources:
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerservice.html
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerregistry.html
func PolicyFor(n Needs) Policy {
	p := Policy{Version: version}
	add := func(sid, why string, resources, actions []string) {
		slices.Sort(actions)
		p.Statement = append(p.Statement, Statement{Sid: sid, Effect: "Allow", Action: slices.Compact(actions), Resource: resources, Why: why})
	}
	everything := []string{"*"}
	add("RegistryLogin", "a token for the registry; it takes no resource", everything, []string{"ecr:GetAuthorizationToken"})
	add("Images", "push what is missing, move the release tag, look at what is there", []string{n.arn("ecr", n.RegistryRegion, n.RegistryAccount, "repository/"+n.Repository)}, n.imageActions())
	add("Services", "start a new deployment, and stop one that fails", n.services("service/%s/%s"), n.serviceActions())
	add("Deployments", "tell our own deployment from others, by what it resolved", append(n.services("service-deployment/%s/%s/*"), n.services("service-revision/%s/%s/*")...),
		[]string{"ecs:DescribeServiceDeployments", "ecs:DescribeServiceRevisions", "ecs:StopServiceDeployment"})
	add("Tasks", "see which digest every task runs", []string{n.ecs("task/" + n.Cluster + "/*"), n.ecs("container-instance/" + n.Cluster + "/*")}, n.taskActions())
	add("TaskDefinitions", "read them, and register revisions where digests are pinned, migrations run or files are applied; they take no resource", everything, n.definitionActions())
	if n.Migrate {
		add("Migration", "run the migration's task", n.families("task-definition/%s-migrate:*"), []string{"ecs:RunTask"})
	}
	if n.Apply {
		add("Creation", "create a cluster or a service that does not exist yet", append([]string{n.ecs("cluster/" + n.Cluster)}, n.services("service/%s/%s")...),
			[]string{"ecs:CreateCluster", "ecs:CreateService", "ecs:DescribeClusters"})
	}
	if len(n.Roles) > 0 && (n.Pinned || n.Migrate || n.Apply) {
		p.Statement = append(p.Statement, Statement{Sid: "TaskRoles", Effect: "Allow", Action: []string{"iam:PassRole"}, Resource: n.Roles,
			Condition: map[string]any{"StringEquals": map[string]string{"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
			Why:       "a task definition that names a role may only be registered by who may pass the role on"})
	}
	add("Logs", "show a task's last words, and the migration's log", n.logGroups(), []string{"logs:FilterLogEvents", "logs:GetLogEvents"})
	if n.CheckLogGroups {
		add("LogGroups", "check that the log groups exist; it takes no resource", everything, []string{"logs:DescribeLogGroups"})
	}
	if len(n.Secrets) > 0 {
		add("Secrets", "check that the secrets exist; their values stay unread", n.Secrets, []string{"secretsmanager:DescribeSecret"})
	}
	if n.Parameters {
		add("Parameters", "check that the parameters exist; their values stay unread", everything, []string{"ssm:DescribeParameters"})
	}
	return p
}

func (n Needs) imageActions() []string {
	actions := []string{
		"ecr:BatchCheckLayerAvailability", "ecr:BatchDeleteImage", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:CreateRepository",
		"ecr:DescribeImages", "ecr:DescribeRepositories", "ecr:GetDownloadUrlForLayer", "ecr:GetLifecyclePolicy", "ecr:InitiateLayerUpload",
		"ecr:PutImage", "ecr:UploadLayerPart",
	}
	if n.Attest {
		actions = append(actions, "ecr:ListImageReferrers")
	}
	return actions
}

func (n Needs) serviceActions() []string {
	actions := []string{"ecs:DescribeServices", "ecs:ListServiceDeployments", "ecs:UpdateService"}
	if n.Apply {
		actions = append(actions, "ecs:ListTagsForResource", "ecs:TagResource")
	}
	return actions
}

func (n Needs) taskActions() []string {
	actions := []string{"ecs:DescribeTasks", "ecs:ListTasks"}
	if n.Migrate {
		actions = append(actions, "ecs:StopTask")
	}
	return actions
}

func (n Needs) definitionActions() []string {
	actions := []string{"ecs:DescribeTaskDefinition"}
	if n.Pinned || n.Migrate || n.Apply {
		actions = append(actions, "ecs:RegisterTaskDefinition")
	}
	return actions
}

func (n Needs) arn(service, region, account, resource string) string {
	return fmt.Sprintf("arn:%s:%s:%s:%s:%s", n.Partition, service, region, account, resource)
}

func (n Needs) ecs(resource string) string { return n.arn("ecs", n.Region, n.Account, resource) }

// services gives an ARN for each service; format takes the cluster and the service.
func (n Needs) services(format string) []string {
	var all []string
	for _, service := range n.Services {
		all = append(all, n.ecs(fmt.Sprintf(format, n.Cluster, service)))
	}
	return all
}

func (n Needs) families(format string) []string {
	if len(n.Families) == 0 {
		return []string{n.ecs(fmt.Sprintf(format, "*"))}
	}
	var all []string
	for _, family := range n.Families {
		all = append(all, n.ecs(fmt.Sprintf(format, family)))
	}
	return all
}

func (n Needs) logGroups() []string {
	if len(n.LogGroups) == 0 {
		return []string{n.arn("logs", n.Region, n.Account, "log-group:*")}
	}
	var all []string
	for _, group := range n.LogGroups {
		all = append(all, n.arn("logs", n.Region, n.Account, "log-group:"+group+":*"))
	}
	return all
}

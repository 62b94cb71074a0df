package orchestrator

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// placementError says that ECS has taken a task on and found no place for it.
type placementError struct {
	reason string // ECS's own, with its detail
	why    string
	cure   string
}

// Error is the reason, what it means, and the cure on a line of its own.
func (e *placementError) Error() string {
	text := "ECS could not start the task: " + e.reason
	if e.why != "" {
		text += ": " + e.why
	}
	return text + "\n  " + e.cure
}

// placements are the reasons for which RunTask starts nothing, by how they begin.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html
var placements = []struct{ reason, why, cure string }{
	{"RESOURCE:MEMORY", "no instance of the cluster has that much memory left", "add instances or memory to the cluster, or lower `memory` in the task definition"},
	{"RESOURCE:CPU", "no instance of the cluster has that many CPU units left", "add instances to the cluster, or lower `cpu` in the task definition"},
	{"RESOURCE:PORTS", "a host port is in use on every instance", "use the network mode awsvpc, or leave `hostPort` out"},
	{"RESOURCE:ENI", "the instances have no network interface left", "add instances, larger ones, or turn on awsvpcTrunking: aws ecs put-account-setting --name awsvpcTrunking --value enabled"},
	{"RESOURCE:GPU", "no instance has that many GPUs left", "add instances with a GPU to the cluster"},
	{"RESOURCE", "the cluster lacks a resource", "add instances to the cluster, or ask for less in the task definition"},
	{"AGENT", "the ECS agent of the instance is disconnected", "restart the agent on the instance (sudo systemctl restart ecs), then run the same command again"},
	{"ATTRIBUTE", "no instance has an attribute that the task definition requires", "compare `requiresAttributes` of the task definition with the instances: aws ecs list-attributes --target-type container-instance"},
	{"LOCATION", "the instances are in other availability zones than the subnets", "give the service's networkConfiguration a subnet in each zone that has instances"},
	{"EMPTY CAPACITY PROVIDER", "the capacity provider has no instance", "raise its Auto Scaling group, or turn on managed scaling"},
	{"NO ACTIVE INSTANCES", "no instance of the capacity provider is active", "raise its Auto Scaling group, or activate an instance that drains"},
	{"INACTIVE", "the instance was taken out of the cluster", "add instances to the cluster"},
	{"Capacity is unavailable", "Fargate has no room of that size in the subnets' zones now", "run the same command again later, or give the service subnets in more availability zones"},
	{"You've reached the limit", "a quota of the account is reached", "stop what is not needed, or raise the quota: https://console.aws.amazon.com/servicequotas/home/services/fargate/quotas"},
}

// newPlacementError explains why RunTask started nothing.
func newPlacementError(failures []types.Failure) *placementError {
	e := &placementError{
		reason: "it gave no reason",
		cure:   "run the same command again; ECS's reasons: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html",
	}
	if len(failures) == 0 {
		return e
	}
	reason := aws.ToString(failures[0].Reason)
	e.reason = reason
	if detail := aws.ToString(failures[0].Detail); detail != "" {
		e.reason += " (" + detail + ")"
	}
	if arn := aws.ToString(failures[0].Arn); arn != "" {
		e.reason += " on " + arn
	}
	for _, p := range placements {
		if strings.HasPrefix(strings.ToLower(reason), strings.ToLower(p.reason)) {
			e.why, e.cure = p.why, p.cure
			break
		}
	}
	return e
}

package ecs

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// What local ECS cannot do, and would change how a program runs. It is refused by name; what makes no difference on one
// machine (roles, subnets, placement, CPU units) is stored and given back.

// refusal is something that may be asked for and cannot be had.
type refusal struct {
	asked bool
	what  string
}

// first is the first thing that is asked for, or "".
func first(all ...refusal) string {
	for _, r := range all {
		if r.asked {
			return r.what
		}
	}
	return ""
}

func refusedOfTask(in *awsecs.RegisterTaskDefinitionInput) string {
	windows := in.RuntimePlatform != nil && in.RuntimePlatform.OperatingSystemFamily != "" && in.RuntimePlatform.OperatingSystemFamily != types.OSFamilyLinux
	return first(
		refusal{len(in.Volumes) > 0, "volumes"},
		refusal{in.ProxyConfiguration != nil, "proxyConfiguration"},
		refusal{len(in.InferenceAccelerators) > 0, "inferenceAccelerators"}, //nolint:staticcheck // deprecated: a reason more to refuse it
		refusal{windows, "an operating system other than LINUX"},
		refusal{in.NetworkMode == types.NetworkModeHost || in.NetworkMode == types.NetworkModeNone, "the network mode " + string(in.NetworkMode) + ": every task has a network of its own"},
		refusal{in.IpcMode == types.IpcModeHost || in.IpcMode == types.IpcModeTask, "the ipcMode " + string(in.IpcMode)},
		refusal{in.PidMode != "", "the pidMode " + string(in.PidMode)},
	)
}

func refusedOfContainer(c types.ContainerDefinition) string {
	linux := c.LinuxParameters
	if linux == nil {
		linux = &types.LinuxParameters{}
	}
	return first(
		refusal{c.LogConfiguration != nil && len(c.LogConfiguration.SecretOptions) > 0, "logConfiguration.secretOptions"},
		refusal{len(c.EnvironmentFiles) > 0, "environmentFiles"},
		refusal{len(c.MountPoints) > 0 || len(c.VolumesFrom) > 0, "mount points"},
		refusal{c.FirelensConfiguration != nil, "firelensConfiguration"},
		refusal{c.RepositoryCredentials != nil, "repositoryCredentials"},
		refusal{c.RestartPolicy != nil && aws.ToBool(c.RestartPolicy.Enabled), "the restartPolicy"},
		refusal{len(c.ResourceRequirements) > 0, "resourceRequirements"},
		refusal{len(c.Links) > 0, "links (containers of a task reach each other on localhost)"},
		refusal{len(c.DnsServers) > 0 || len(c.DnsSearchDomains) > 0, "DNS settings"},
		refusal{aws.ToBool(c.DisableNetworking), "disableNetworking"},
		refusal{len(c.DockerSecurityOptions) > 0, "dockerSecurityOptions"},
		refusal{len(c.CredentialSpecs) > 0, "credentialSpecs"},
		refusal{len(c.SystemControls) > 0, "systemControls"},
		refusal{aws.ToBool(c.Interactive) || aws.ToBool(c.PseudoTerminal), "interactive or pseudoTerminal"},
		refusal{len(linux.Devices) > 0, "devices"},
		refusal{aws.ToInt32(linux.MaxSwap) > 0, "maxSwap"},
	)
}

func refusedOfOverride(o types.ContainerOverride) string {
	return first(
		refusal{len(o.EnvironmentFiles) > 0, "environmentFiles"},
		refusal{len(o.ResourceRequirements) > 0, "resourceRequirements"},
	)
}

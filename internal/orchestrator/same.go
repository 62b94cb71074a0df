package orchestrator

import (
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// sameDefinition reports whether a registered task definition says what want says. ECS fills in defaults and may put
// lists in another order, so that both are brought to one form first: defaults written out, empty members left out,
// lists sorted where their order means nothing.
func sameDefinition(want *ecs.RegisterTaskDefinitionInput, have *types.TaskDefinition) bool {
	wanted := asDefinition(want)
	return reflect.DeepEqual(plainForm(wanted), plainForm(onlyWritable(have)))
}

// asDefinition copies the members that both shapes share, by name.
func asDefinition(in *ecs.RegisterTaskDefinitionInput) types.TaskDefinition {
	var d types.TaskDefinition
	copyShared(reflect.ValueOf(&d).Elem(), reflect.ValueOf(in).Elem())
	return d
}

// onlyWritable leaves out what ECS adds of its own: ARN, revision, status, times.
func onlyWritable(have *types.TaskDefinition) types.TaskDefinition {
	var in ecs.RegisterTaskDefinitionInput
	copyShared(reflect.ValueOf(&in).Elem(), reflect.ValueOf(have).Elem())
	return asDefinition(&in)
}

func copyShared(to, from reflect.Value) {
	for field := range to.Type().Fields() {
		if source := from.FieldByName(field.Name); field.IsExported() && source.IsValid() {
			to.FieldByIndex(field.Index).Set(source)
		}
	}
}

// plainForm is the comparable form of a task definition.
func plainForm(d types.TaskDefinition) any {
	d.Cpu, d.Memory = plainUnits(d.Cpu), plainUnits(d.Memory)
	if d.NetworkMode == "" {
		d.NetworkMode = types.NetworkModeBridge
	}
	p := types.RuntimePlatform{CpuArchitecture: types.CPUArchitectureX8664, OperatingSystemFamily: types.OSFamilyLinux}
	if d.RuntimePlatform != nil {
		p.CpuArchitecture = orDefault(d.RuntimePlatform.CpuArchitecture, p.CpuArchitecture)
		p.OperatingSystemFamily = orDefault(d.RuntimePlatform.OperatingSystemFamily, p.OperatingSystemFamily)
	}
	d.RuntimePlatform = &p
	d.ContainerDefinitions = slices.Clone(d.ContainerDefinitions)
	for i := range d.ContainerDefinitions {
		writeOutDefaults(&d.ContainerDefinitions[i], d.NetworkMode)
	}
	d.Volumes = slices.Clone(d.Volumes)
	for i := range d.Volumes {
		writeOutVolume(&d.Volumes[i])
	}
	return canonical(reflect.ValueOf(d), "")
}

// writeOutVolume fills in what ECS takes for granted of a volume.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_EFSVolumeConfiguration.html
func writeOutVolume(v *types.Volume) {
	if v.EfsVolumeConfiguration == nil {
		return
	}
	efs := *v.EfsVolumeConfiguration
	if aws.ToString(efs.RootDirectory) == "" {
		efs.RootDirectory = aws.String("/")
	}
	efs.TransitEncryption = orDefault(efs.TransitEncryption, types.EFSTransitEncryptionDisabled)
	v.EfsVolumeConfiguration = &efs
}

// writeOutDefaults fills in what ECS takes for granted.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
func writeOutDefaults(c *types.ContainerDefinition, network types.NetworkMode) {
	if c.Essential == nil {
		c.Essential = aws.Bool(true)
	}
	c.VersionConsistency = orDefault(c.VersionConsistency, types.VersionConsistencyEnabled)
	c.PortMappings = slices.Clone(c.PortMappings)
	for i := range c.PortMappings {
		p := &c.PortMappings[i]
		p.Protocol = orDefault(p.Protocol, types.TransportProtocolTcp)
		if p.HostPort == nil && network != types.NetworkModeBridge {
			p.HostPort = p.ContainerPort
		}
	}
	if p := c.RestartPolicy; p != nil && p.RestartAttemptPeriod == nil {
		c.RestartPolicy = &types.ContainerRestartPolicy{Enabled: p.Enabled, IgnoredExitCodes: p.IgnoredExitCodes, RestartAttemptPeriod: aws.Int32(300)}
	}
	if c.HealthCheck == nil {
		return
	}
	h := *c.HealthCheck
	for _, d := range []struct {
		member **int32
		value  int32
	}{{&h.Interval, 30}, {&h.Timeout, 5}, {&h.Retries, 3}} {
		if *d.member == nil {
			*d.member = aws.Int32(d.value)
		}
	}
	c.HealthCheck = &h
}

func orDefault[S ~string](s, fallback S) S {
	if s == "" {
		return fallback
	}
	return s
}

// plainUnits writes "1 vCPU" as 1024 CPU units and "2 GB" as 2048 MiB, as ECS does.
func plainUnits(s *string) *string {
	if s == nil {
		return nil
	}
	number, unit, _ := strings.Cut(strings.TrimSpace(*s), " ")
	if unit == "" {
		number = strings.TrimRight(*s, "vVcCpPuUgGbB")
		unit = strings.TrimPrefix(*s, number)
	}
	switch strings.ToLower(strings.TrimSpace(unit)) {
	case "vcpu", "gb":
		if f, err := strconv.ParseFloat(number, 64); err == nil {
			return aws.String(strconv.Itoa(int(f * 1024)))
		}
	}
	return s
}

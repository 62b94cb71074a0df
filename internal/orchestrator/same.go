package orchestrator

import (
	"encoding/json"
	"fmt"
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
	return canonical(reflect.ValueOf(d), "")
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

// unordered are the lists whose order means nothing.
var unordered = map[string]bool{
	"Environment": true, "Secrets": true, "SecretOptions": true, "PortMappings": true, "MountPoints": true, "VolumesFrom": true,
	"Ulimits": true, "RequiresCompatibilities": true, "Volumes": true, "SystemControls": true, "ExtraHosts": true,
	"ResourceRequirements": true, "PlacementConstraints": true, "DependsOn": true,
}

// canonical turns a value into maps, lists and strings, without whatever is empty. nil stands for empty.
func canonical(v reflect.Value, field string) any {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return canonical(v.Elem(), field)
	case reflect.Struct:
		return canonicalStruct(v)
	case reflect.Map:
		return canonicalMap(v)
	case reflect.Slice:
		return canonicalList(v, field)
	}
	if v.IsZero() {
		return nil
	}
	return fmt.Sprint(v.Interface())
}

func canonicalStruct(v reflect.Value) any {
	members := map[string]any{}
	for field := range v.Type().Fields() {
		if !field.IsExported() {
			continue
		}
		if c := canonical(v.FieldByIndex(field.Index), field.Name); c != nil {
			members[field.Name] = c
		}
	}
	return orNil(members)
}

func canonicalMap(v reflect.Value) any {
	entries := map[string]any{}
	for key, value := range v.Seq2() {
		// An empty value of a map is not an absent one.
		entries[key.String()] = fmt.Sprint(value.Interface())
	}
	return orNil(entries)
}

func orNil(m map[string]any) any {
	if len(m) == 0 {
		return nil
	}
	return m
}

func canonicalList(v reflect.Value, field string) any {
	var items []any
	for _, item := range v.Seq2() {
		// An empty item of a list is not an absent one, say the argument "" of a command.
		items = append(items, canonical(item, ""))
	}
	if len(items) == 0 {
		return nil
	}
	if unordered[field] {
		slices.SortFunc(items, func(a, b any) int { return strings.Compare(sortKey(a), sortKey(b)) })
	}
	return items
}

// sortKey is a text that is equal for equal items.
func sortKey(item any) string {
	text, err := json.Marshal(item) // of maps, lists and strings alone: map keys come sorted
	if err != nil {
		return fmt.Sprint(item)
	}
	return string(text)
}

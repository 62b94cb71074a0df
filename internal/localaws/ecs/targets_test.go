package ecs

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/google/go-cmp/cmp"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

// The load balancer reaches a task at its own address, or where the engine published its port.
func TestTargetOfATask(t *testing.T) {
	one := &task{T: types.Task{TaskArn: aws.String("arn:aws:ecs:us-east-1:000000000000:task/c/id")}, IP: "10.0.0.2"}
	if got, err := one.target(80); err != nil || got != (Target{ID: "id", IP: "10.0.0.2", Port: 80}) {
		t.Errorf("by its address: %+v, %v", got, err)
	}
	one.Published = map[int]string{80: "127.0.0.1:32768"}
	if got, err := one.target(80); err != nil || got != (Target{ID: "id", IP: "127.0.0.1", Port: 32768}) {
		t.Errorf("by a published port: %+v, %v", got, err)
	}
	if _, err := one.target(81); err == nil || !strings.Contains(err.Error(), "ResourceInitializationError: the container engine did not publish port 81") {
		t.Errorf("by a port that was not published: %v", err)
	}
}

// A task has one name, one hosts file, and the TCP ports of all its containers.
func TestSandboxOfATask(t *testing.T) {
	port := func(n int32, p types.TransportProtocol) types.PortMapping {
		return types.PortMapping{ContainerPort: aws.Int32(n), Protocol: p}
	}
	d := &taskDefinition{Def: types.TaskDefinition{ContainerDefinitions: []types.ContainerDefinition{
		{Name: aws.String("web"), PortMappings: []types.PortMapping{port(9000, ""), port(53, types.TransportProtocolUdp)},
			ExtraHosts: []types.HostEntry{{Hostname: aws.String("db"), IpAddress: aws.String("10.1.2.3")}}},
		{Name: aws.String("side"), Hostname: aws.String("shop"), PortMappings: []types.PortMapping{port(80, types.TransportProtocolTcp), port(9000, "")}},
	}}}
	got := sandboxSpec(&task{T: types.Task{TaskArn: aws.String("arn:aws:ecs:us-east-1:000000000000:task/c/id")}}, d)
	want := engine.SandboxSpec{
		ID: "id", Hostname: "shop", ExtraHosts: map[string]string{"db": "10.1.2.3", "host.docker.internal": engine.HostGateway}, Ports: []int{80, 9000},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

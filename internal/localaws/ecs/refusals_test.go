package ecs

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// What local ECS cannot do is refused by name.
func TestRefusals(t *testing.T) {
	type definition = *awsecs.RegisterTaskDefinitionInput
	inWorld(t, func(w *world) {
		for what, change := range map[string]func(in definition, c *types.ContainerDefinition){
			"volumes":            func(in definition, _ *types.ContainerDefinition) { in.Volumes = make([]types.Volume, 1) },
			"proxyConfiguration": func(in definition, _ *types.ContainerDefinition) { in.ProxyConfiguration = &types.ProxyConfiguration{} },
			"an operating system other than LINUX": func(in definition, _ *types.ContainerDefinition) {
				in.RuntimePlatform = &types.RuntimePlatform{OperatingSystemFamily: types.OSFamilyWindowsServer2022Core}
			},
			"the network mode host: every task has a network of its own": func(in definition, _ *types.ContainerDefinition) { in.NetworkMode = types.NetworkModeHost },
			"the pidMode task": func(in definition, _ *types.ContainerDefinition) { in.PidMode = types.PidModeTask },
			"logConfiguration.secretOptions of container app": func(_ definition, c *types.ContainerDefinition) {
				c.LogConfiguration = &types.LogConfiguration{LogDriver: types.LogDriverAwslogs, SecretOptions: make([]types.Secret, 1)}
			},
			"environmentFiles of container app": func(_ definition, c *types.ContainerDefinition) {
				c.EnvironmentFiles = make([]types.EnvironmentFile, 1)
			},
			"mount points of container app":                                               func(_ definition, c *types.ContainerDefinition) { c.MountPoints = make([]types.MountPoint, 1) },
			"links (containers of a task reach each other on localhost) of container app": func(_ definition, c *types.ContainerDefinition) { c.Links = []string{"db"} },
			"the hostPort 8080 of container app, which is not its containerPort":          func(_ definition, c *types.ContainerDefinition) { c.PortMappings[0].HostPort = aws.Int32(8080) },
			"the log driver splunk of container app": func(_ definition, c *types.ContainerDefinition) {
				c.LogConfiguration = &types.LogConfiguration{LogDriver: types.LogDriverSplunk}
			},
			"devices of container app": func(_ definition, c *types.ContainerDefinition) {
				c.LinuxParameters = &types.LinuxParameters{Devices: make([]types.Device, 1)}
			},
		} {
			c := container("app", "app:latest")
			in := &awsecs.RegisterTaskDefinitionInput{Family: aws.String("web")}
			change(in, &c)
			in.ContainerDefinitions = []types.ContainerDefinition{c}
			_, err := w.b.RegisterTaskDefinition(w.ctx, in)
			wantCode(t, err, "ClientException", "local ECS cannot do this yet: "+what)
		}
	})
}

// A request that a client sends again because the answer was lost does nothing a second time.
func TestClientTokens(t *testing.T) {
	inWorld(t, func(w *world) {
		w.v1(func(in *awsecs.CreateServiceInput) { in.ClientToken = aws.String("s") })
		again := w.create(2, func(in *awsecs.CreateServiceInput) { in.ClientToken = aws.String("s") })
		if *again.CurrentServiceDeployment != *w.describe().CurrentServiceDeployment {
			t.Error("the service was made twice")
		}
		token := func(in *awsecs.RunTaskInput) { in.ClientToken = aws.String("t") }
		first := w.run(token)
		w.restart(nil)
		if second := w.run(token); second != first {
			t.Errorf("tasks %s and %s of one request", first, second)
		}
		_, err := w.b.RunTask(w.ctx, &awsecs.RunTaskInput{TaskDefinition: aws.String("web"), ClientToken: aws.String("t"), Count: aws.Int32(2)})
		wantCode(t, err, "ConflictException", "The provided clientToken is already in use with a different RunTask request.")
		if other := w.run(nil); other == first {
			t.Error("a request without a token is taken for another")
		}
	})
}

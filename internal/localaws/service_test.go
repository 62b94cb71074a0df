package localaws

import (
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// push pushes the image as HOST/web:latest, as a registry client does.
func push(t *testing.T, info Info, image v1.Image) {
	t.Helper()
	client := ecr.NewFromConfig(config(info))
	if _, err := client.CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: aws.String("web")}); err != nil {
		t.Fatal(err)
	}
	out, err := client.GetAuthorizationToken(t.Context(), &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(*out.AuthorizationData[0].AuthorizationToken)
	if err != nil {
		t.Fatal(err)
	}
	user, password, _ := strings.Cut(string(raw), ":")
	ref, err := name.ParseReference(info.Host+"/web:latest", name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, image, remote.WithAuth(&authn.Basic{Username: user, Password: password})); err != nil {
		t.Fatal(err)
	}
}

const groupARN = "arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/web/0123456789abcdef"

// createService creates c/web with two tasks behind a load balancer.
func createService(t *testing.T, info Info) {
	t.Helper()
	ctx, client := t.Context(), ecs.NewFromConfig(config(info))
	if _, err := client.CreateCluster(ctx, &ecs.CreateClusterInput{ClusterName: aws.String("c")}); err != nil {
		t.Fatal(err)
	}
	_, err := client.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{
		Family: aws.String("web"), NetworkMode: types.NetworkModeAwsvpc, Cpu: aws.String("256"), Memory: aws.String("512"),
		RequiresCompatibilities: []types.Compatibility{types.CompatibilityFargate},
		ExecutionRoleArn:        aws.String("arn:aws:iam::000000000000:role/execution"),
		ContainerDefinitions: []types.ContainerDefinition{{
			Name: aws.String("web"), Image: aws.String(info.Host + "/web:latest"), Essential: aws.Bool(true),
			PortMappings: []types.PortMapping{{ContainerPort: aws.Int32(9000)}},
			LogConfiguration: &types.LogConfiguration{LogDriver: types.LogDriverAwslogs, Options: map[string]string{
				"awslogs-group": "/ecs/web", "awslogs-region": info.Region, "awslogs-stream-prefix": "ecs", "awslogs-create-group": "true",
			}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.CreateService(ctx, &ecs.CreateServiceInput{
		Cluster: aws.String("c"), ServiceName: aws.String("web"), TaskDefinition: aws.String("web"), DesiredCount: aws.Int32(2), LaunchType: types.LaunchTypeFargate,
		LoadBalancers: []types.LoadBalancer{{TargetGroupArn: aws.String(groupARN), ContainerName: aws.String("web"), ContainerPort: aws.Int32(9000)}},
		NetworkConfiguration: &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{
			Subnets: []string{"subnet-00000000000000000"},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// page asks a service's load balancer; it is empty when there is no good answer.
func page(url string) string {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	resp, err := client.Get(url)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return ""
	}
	return string(body)
}

// runningService waits for the one service to have both tasks running.
func runningService(t *testing.T, path string) Service {
	t.Helper()
	var s Status
	await(t, "two running tasks", func() bool {
		s = inspect(t, path)
		return len(s.Services) == 1 && s.Services[0].Running == 2 && s.Services[0].URL != ""
	})
	return s.Services[0]
}

func TestSimulatedServiceInAnotherRegion(t *testing.T) {
	o := options(t)
	info, _ := serving(t, o)
	info.Region = "eu-west-1"
	image, err := random.Image(100, 1)
	if err != nil {
		t.Fatal(err)
	}
	push(t, info, image)
	createService(t, info)
	service := runningService(t, o.Dir)
	if service.Region != "eu-west-1" || service.Cluster != "c" || service.Name != "web" || service.Desired != 2 {
		t.Errorf("service = %+v", service)
	}
	client := ecs.NewFromConfig(config(info))
	await(t, "the deployment to succeed", func() bool {
		out, err := client.ListServiceDeployments(t.Context(), &ecs.ListServiceDeploymentsInput{
			Cluster: aws.String("c"), Service: aws.String("web"), Status: []types.ServiceDeploymentStatus{types.ServiceDeploymentStatusSuccessful},
		})
		return err == nil && len(out.ServiceDeployments) == 1
	})
	if groups := page(service.URL); groups != "" {
		t.Errorf("simulated containers answered %q", groups)
	}
}

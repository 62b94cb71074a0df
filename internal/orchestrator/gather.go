package orchestrator

import (
	"context"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
)

// How many things a call takes.
const (
	// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServices.html
	describeServicesMax = 10
	// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServiceDeployments.html
	describeDeploymentsMax = 20
	// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServiceRevisions.html
	describeRevisionsMax = 20
	// listedTogetherMax is how many services' tasks are listed together: ECS sets no limit.
	listedTogetherMax = 1000
)

// How many calls of a kind are under way at once, at most. One that hangs must not hold up the others; the more there
// are, the emptier they go out.
const (
	readsAbreast = 4
	listsAbreast = 2
)

// gathering holds what gathers the questions about many services into few calls.
type gathering struct {
	deployments *batcher[string, types.ServiceDeployment]
	revisions   *batcher[string, types.ServiceRevision]

	mu       sync.Mutex
	services map[string]*batcher[string, types.Service] // by cluster: a call names one
	tasks    map[string]*taskLister                     // by cluster
}

func newGathering(client *ecs.Client) *gathering {
	return &gathering{
		deployments: &batcher[string, types.ServiceDeployment]{most: describeDeploymentsMax, abreast: readsAbreast, ask: deploymentsOf(client)},
		revisions:   &batcher[string, types.ServiceRevision]{most: describeRevisionsMax, abreast: readsAbreast, ask: revisionsOf(client)},
		services:    map[string]*batcher[string, types.Service]{},
		tasks:       map[string]*taskLister{},
	}
}

// servicesIn gives what describes the services of a cluster.
func (o *Orchestrator) servicesIn(cluster string) *batcher[string, types.Service] {
	g := o.gathering
	g.mu.Lock()
	defer g.mu.Unlock()
	b, ok := g.services[cluster]
	if !ok {
		b = &batcher[string, types.Service]{most: describeServicesMax, abreast: readsAbreast, ask: servicesOf(o.ecs, cluster)}
		g.services[cluster] = b
	}
	return b
}

// tasksIn gives what lists the tasks of a cluster's services.
func (o *Orchestrator) tasksIn(cluster string) *taskLister {
	g := o.gathering
	g.mu.Lock()
	defer g.mu.Unlock()
	l, ok := g.tasks[cluster]
	if !ok {
		l = newTaskLister(o.ecs, cluster)
		g.tasks[cluster] = l
	}
	return l
}

// servicesOf asks for services by name. A deleted one is still shown for a while, INACTIVE: it does not exist.
func servicesOf(client *ecs.Client, cluster string, include ...types.ServiceField) func(context.Context, []string) (map[string]types.Service, error) {
	return func(ctx context.Context, names []string) (map[string]types.Service, error) {
		out, err := awsclient.Call(ctx, client.DescribeServices, &ecs.DescribeServicesInput{Cluster: &cluster, Services: names, Include: include})
		if err != nil {
			return nil, missing(err)
		}
		found := map[string]types.Service{}
		for _, s := range out.Services {
			if aws.ToString(s.Status) == statusInactive {
				continue
			}
			for _, name := range names { // services may be asked for by ARN as well
				if name == aws.ToString(s.ServiceName) || name == aws.ToString(s.ServiceArn) {
					found[name] = s
				}
			}
		}
		return found, nil
	}
}

func deploymentsOf(client *ecs.Client) func(context.Context, []string) (map[string]types.ServiceDeployment, error) {
	return func(ctx context.Context, arns []string) (map[string]types.ServiceDeployment, error) {
		out, err := awsclient.Call(ctx, client.DescribeServiceDeployments, &ecs.DescribeServiceDeploymentsInput{ServiceDeploymentArns: arns})
		if err != nil {
			return nil, missing(err)
		}
		found := map[string]types.ServiceDeployment{}
		for _, d := range out.ServiceDeployments {
			found[aws.ToString(d.ServiceDeploymentArn)] = d
		}
		return found, nil
	}
}

func revisionsOf(client *ecs.Client) func(context.Context, []string) (map[string]types.ServiceRevision, error) {
	return func(ctx context.Context, arns []string) (map[string]types.ServiceRevision, error) {
		out, err := awsclient.Call(ctx, client.DescribeServiceRevisions, &ecs.DescribeServiceRevisionsInput{ServiceRevisionArns: arns})
		if err != nil {
			return nil, missing(err)
		}
		found := map[string]types.ServiceRevision{}
		for _, r := range out.ServiceRevisions {
			found[aws.ToString(r.ServiceRevisionArn)] = r
		}
		return found, nil
	}
}

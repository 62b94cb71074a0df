package orchestrator

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
)

// Place is a cluster that has services.
type Place struct {
	Cluster  string
	Services []string // names, sorted; never empty
}

// listServicesMax is the largest page of ListServices.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListServices.html
const listServicesMax = 100

// Places lists the account's clusters in this region that have services, by name. It reads only.
func (o *Orchestrator) Places(ctx context.Context) ([]Place, error) {
	var places []Place
	in := &ecs.ListClustersInput{}
	for {
		out, err := awsclient.Call(ctx, o.ecs.ListClusters, in)
		if err != nil {
			return nil, fmt.Errorf("list the clusters: %w", err)
		}
		for _, arn := range out.ClusterArns {
			services, err := o.servicesOf(ctx, arn)
			if err != nil {
				return nil, err
			}
			if len(services) > 0 {
				places = append(places, Place{Cluster: lastPart(arn), Services: services})
			}
		}
		if in.NextToken = out.NextToken; aws.ToString(in.NextToken) == "" {
			break
		}
	}
	slices.SortFunc(places, func(a, b Place) int { return strings.Compare(a.Cluster, b.Cluster) })
	return places, nil
}

func (o *Orchestrator) servicesOf(ctx context.Context, cluster string) ([]string, error) {
	var names []string
	in := &ecs.ListServicesInput{Cluster: &cluster, MaxResults: aws.Int32(listServicesMax)}
	for {
		out, err := awsclient.Call(ctx, o.ecs.ListServices, in)
		if err != nil {
			return nil, fmt.Errorf("list the services of %s: %w", lastPart(cluster), missing(err))
		}
		for _, arn := range out.ServiceArns {
			names = append(names, lastPart(arn))
		}
		if in.NextToken = out.NextToken; aws.ToString(in.NextToken) == "" {
			slices.Sort(names)
			return names, nil
		}
	}
}

package ecs

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/store"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

// defaultCluster is the cluster that an operation means when it names none.
const defaultCluster = "default"

var namePattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,255}$`)

func region(ctx context.Context) string { return wire.CallerOf(ctx).Region }

func invalid(format string, args ...any) error {
	return wire.Errorf("InvalidParameterException", format, args...)
}

// clusterName is the name in a cluster's name or ARN.
func clusterName(nameOrARN *string) string {
	if aws.ToString(nameOrARN) == "" {
		return defaultCluster
	}
	return lastPart(*nameOrARN)
}

// cluster finds the cluster that an operation names. The lock is held.
func (b *Backend) cluster(ctx context.Context, nameOrARN *string) (*cluster, error) {
	if c, ok := b.memory.clusters[store.Key(region(ctx), clusterName(nameOrARN))]; ok {
		return c, nil
	}
	return nil, &types.ClusterNotFoundException{Message: aws.String("Cluster not found.")}
}

// CreateCluster makes a cluster; one that exists is given as it is.
func (b *Backend) CreateCluster(ctx context.Context, in *awsecs.CreateClusterInput) (*awsecs.CreateClusterOutput, error) {
	name := clusterName(in.ClusterName)
	if !namePattern.MatchString(name) {
		return nil, invalid("Cluster name should match the regex %s", namePattern)
	}
	b.lock()
	defer b.unlock()
	c, err := b.cluster(ctx, &name)
	if err != nil {
		c = &cluster{Region: region(ctx), Name: name, Tags: in.Tags, Created: time.Now()}
		if err := b.tables.clusters.Put(c.key(), *c); err != nil {
			return nil, err
		}
		b.memory.clusters[c.key()] = c
	}
	view := b.clusterView(c)
	return &awsecs.CreateClusterOutput{Cluster: &view}, nil
}

// DescribeClusters describes clusters; those that do not exist are failures.
func (b *Backend) DescribeClusters(ctx context.Context, in *awsecs.DescribeClustersInput) (*awsecs.DescribeClustersOutput, error) {
	names := in.Clusters
	if len(names) == 0 {
		names = []string{defaultCluster}
	}
	out := &awsecs.DescribeClustersOutput{Clusters: []types.Cluster{}, Failures: []types.Failure{}}
	b.lock()
	defer b.unlock()
	for _, name := range names {
		c, err := b.cluster(ctx, &name)
		if err != nil {
			out.Failures = append(out.Failures, missing(arn(region(ctx), "cluster/"+clusterName(&name))))
			continue
		}
		out.Clusters = append(out.Clusters, b.clusterView(c))
	}
	return out, nil
}

func missing(resource string) types.Failure {
	return types.Failure{Arn: &resource, Reason: aws.String("MISSING")}
}

// ListClusters lists clusters by ARN.
func (b *Backend) ListClusters(ctx context.Context, in *awsecs.ListClustersInput) (*awsecs.ListClustersOutput, error) {
	b.lock()
	defer b.unlock()
	var arns []string
	for _, c := range b.memory.clusters {
		if c.Region == region(ctx) {
			arns = append(arns, c.arn())
		}
	}
	slices.Sort(arns)
	page, next, err := paginate(arns, in.MaxResults, in.NextToken)
	return &awsecs.ListClustersOutput{ClusterArns: page, NextToken: next}, err
}

// DeleteCluster removes a cluster that has neither services nor tasks.
func (b *Backend) DeleteCluster(ctx context.Context, in *awsecs.DeleteClusterInput) (*awsecs.DeleteClusterOutput, error) {
	b.lock()
	defer b.unlock()
	c, err := b.cluster(ctx, in.Cluster)
	if err != nil {
		return nil, err
	}
	for _, s := range b.memory.services {
		if s.Region == c.Region && s.Cluster == c.Name && s.active() {
			return nil, &types.ClusterContainsServicesException{Message: aws.String("The Cluster cannot be deleted while Services are active.")}
		}
	}
	for _, t := range b.memory.tasks {
		if t.Region == c.Region && t.Cluster == c.Name && !t.stopped() {
			return nil, &types.ClusterContainsTasksException{Message: aws.String("The Cluster cannot be deleted while Tasks are active.")}
		}
	}
	view := b.clusterView(c)
	view.Status = aws.String(statusInactive)
	if err := b.tables.clusters.Delete(c.key()); err != nil {
		return nil, err
	}
	delete(b.memory.clusters, c.key())
	return &awsecs.DeleteClusterOutput{Cluster: &view}, nil
}

func (b *Backend) clusterView(c *cluster) types.Cluster {
	view := types.Cluster{
		ClusterArn: aws.String(c.arn()), ClusterName: &c.Name, Status: aws.String(statusActive), Tags: c.Tags,
		CapacityProviders: []string{}, DefaultCapacityProviderStrategy: []types.CapacityProviderStrategyItem{},
		Settings: []types.ClusterSetting{}, Statistics: []types.KeyValuePair{},
	}
	for _, s := range b.memory.services {
		if s.Region == c.Region && s.Cluster == c.Name && s.active() {
			view.ActiveServicesCount++
		}
	}
	for _, t := range b.memory.tasks {
		if t.Region != c.Region || t.Cluster != c.Name {
			continue
		}
		switch t.status() {
		case statusRunning:
			view.RunningTasksCount++
		case statusProvisioning, statusPending, statusActivating:
			view.PendingTasksCount++
		}
	}
	return view
}

// paginate cuts one page out of sorted names. The token is the last name of the page before.
func paginate(all []string, limit *int32, token *string) (page []string, next *string, err error) {
	return paginateBy(strings.Compare, all, limit, token)
}

// paginateBy is paginate for names in the order of compare.
func paginateBy(compare func(a, b string) int, all []string, limit *int32, token *string) (page []string, next *string, err error) {
	const most = 100
	size := most
	if limit != nil {
		if *limit < 1 || *limit > most {
			return nil, nil, invalid("maxResults must be between 1 and %d", most)
		}
		size = int(*limit)
	}
	start := 0
	if after := aws.ToString(token); after != "" {
		found, ok := slices.BinarySearchFunc(all, after, compare)
		if start = found; ok {
			start++
		}
	}
	page = slices.Clone(all[start:min(start+size, len(all))])
	if page == nil {
		page = []string{}
	}
	if start+size < len(all) {
		next = aws.String(page[len(page)-1])
	}
	return page, next, nil
}

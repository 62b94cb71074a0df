package logs

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/store"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

// maxDescribed is the most groups or streams in one answer (DescribeLimit of the service model).
const maxDescribed = 50

// retentions are the days that PutRetentionPolicy takes (its API reference).
var retentions = [...]int32{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

// CreateLogGroup makes a log group.
func (b *Backend) CreateLogGroup(ctx context.Context, in *cloudwatchlogs.CreateLogGroupInput) (*cloudwatchlogs.CreateLogGroupOutput, error) {
	if err := checkGroupName(in.LogGroupName); err != nil {
		return nil, err
	}
	if in.KmsKeyId != nil || aws.ToBool(in.DeletionProtectionEnabled) || len(in.Tags) > 0 {
		return nil, invalid("local AWS has no kmsKeyId, deletionProtectionEnabled or tags of log groups; leave them out")
	}
	class := in.LogGroupClass
	if class == "" {
		class = types.LogGroupClassStandard
	}
	return &cloudwatchlogs.CreateLogGroupOutput{}, b.createGroup(place{regionOf(ctx), *in.LogGroupName}, class)
}

func (b *Backend) createGroup(p place, class types.LogGroupClass) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, there, err := b.groups.Get(p.key()); err != nil || there {
		if err != nil {
			return err
		}
		return &types.ResourceAlreadyExistsException{Message: aws.String("The specified log group already exists")}
	}
	return b.groups.Put(p.key(), group{Name: p.group, Created: time.Now().UnixMilli(), Class: class})
}

// DeleteLogGroup removes a log group with its streams and events.
func (b *Backend) DeleteLogGroup(ctx context.Context, in *cloudwatchlogs.DeleteLogGroupInput) (*cloudwatchlogs.DeleteLogGroupOutput, error) {
	if err := checkGroupName(in.LogGroupName); err != nil {
		return nil, err
	}
	p := place{regionOf(ctx), *in.LogGroupName}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, err := b.find(p); err != nil {
		return nil, err
	}
	streams, err := b.streams.List(p.child(""))
	if err != nil {
		return nil, err
	}
	for _, s := range streams {
		if err := b.removeStream(p, s); err != nil {
			return nil, err
		}
	}
	return &cloudwatchlogs.DeleteLogGroupOutput{}, b.groups.Delete(p.key())
}

// DescribeLogGroups lists the groups of a region by name: those with a prefix, or with a text in their name.
func (b *Backend) DescribeLogGroups(ctx context.Context, in *cloudwatchlogs.DescribeLogGroupsInput) (*cloudwatchlogs.DescribeLogGroupsOutput, error) {
	limit, err := page(in.Limit, maxDescribed)
	if err != nil {
		return nil, err
	}
	if in.LogGroupNamePrefix != nil && in.LogGroupNamePattern != nil {
		return nil, invalid("logGroupNamePrefix and logGroupNamePattern are mutually exclusive")
	}
	if len(in.LogGroupIdentifiers) > 0 || len(in.AccountIdentifiers) > 0 || aws.ToBool(in.IncludeLinkedAccounts) {
		return nil, invalid("local AWS has one account: it takes no logGroupIdentifiers, accountIdentifiers or includeLinkedAccounts")
	}
	region, after := regionOf(ctx), aws.ToString(in.NextToken)
	out := &cloudwatchlogs.DescribeLogGroupsOutput{}
	all, err := b.groups.List(store.Key(region, aws.ToString(in.LogGroupNamePrefix)))
	if err != nil {
		return nil, err
	}
	for _, g := range all {
		if g.Name <= after || !strings.Contains(g.Name, aws.ToString(in.LogGroupNamePattern)) || in.LogGroupClass != "" && in.LogGroupClass != g.Class {
			continue
		}
		if len(out.LogGroups) == limit {
			out.NextToken = out.LogGroups[limit-1].LogGroupName
			break
		}
		described, err := b.describe(place{region, g.Name}, g)
		if err != nil {
			return nil, err
		}
		out.LogGroups = append(out.LogGroups, described)
	}
	return out, nil
}

func (b *Backend) describe(p place, g group) (types.LogGroup, error) {
	streams, err := b.streams.List(p.child(""))
	if err != nil {
		return types.LogGroup{}, err
	}
	var stored int64
	for _, s := range streams {
		sum, err := b.journal(s).summary()
		if err != nil {
			return types.LogGroup{}, err
		}
		stored += sum.size
	}
	described := types.LogGroup{
		Arn: aws.String(p.arn() + ":*"), LogGroupArn: aws.String(p.arn()), LogGroupName: &g.Name, CreationTime: &g.Created,
		LogGroupClass: g.Class, MetricFilterCount: aws.Int32(0), StoredBytes: &stored,
	}
	if g.Retention > 0 {
		described.RetentionInDays = &g.Retention
	}
	return described, nil
}

// PutRetentionPolicy sets how many days the events of a group are shown. Their space is given back when local AWS starts.
func (b *Backend) PutRetentionPolicy(ctx context.Context, in *cloudwatchlogs.PutRetentionPolicyInput) (*cloudwatchlogs.PutRetentionPolicyOutput, error) {
	if err := wire.Required(in, "LogGroupName", "RetentionInDays"); err != nil {
		return nil, err
	}
	if !slices.Contains(retentions[:], *in.RetentionInDays) {
		return nil, invalid("retentionInDays must be one of %v", retentions)
	}
	return &cloudwatchlogs.PutRetentionPolicyOutput{}, b.retain(ctx, in.LogGroupName, *in.RetentionInDays)
}

// DeleteRetentionPolicy makes a group keep its events for ever.
func (b *Backend) DeleteRetentionPolicy(ctx context.Context, in *cloudwatchlogs.DeleteRetentionPolicyInput) (*cloudwatchlogs.DeleteRetentionPolicyOutput, error) {
	return &cloudwatchlogs.DeleteRetentionPolicyOutput{}, b.retain(ctx, in.LogGroupName, 0)
}

func (b *Backend) retain(ctx context.Context, name *string, days int32) error {
	if err := checkGroupName(name); err != nil {
		return err
	}
	p := place{regionOf(ctx), *name}
	b.mu.Lock()
	defer b.mu.Unlock()
	g, err := b.find(p)
	if err != nil {
		return err
	}
	g.Retention = days
	return b.groups.Put(p.key(), g)
}

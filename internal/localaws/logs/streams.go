package logs

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

// CreateLogStream makes a log stream.
func (b *Backend) CreateLogStream(ctx context.Context, in *cloudwatchlogs.CreateLogStreamInput) (*cloudwatchlogs.CreateLogStreamOutput, error) {
	if err := checkGroupName(in.LogGroupName); err != nil {
		return nil, err
	}
	if err := checkStreamName(in.LogStreamName); err != nil {
		return nil, err
	}
	_, made, err := b.createStream(place{regionOf(ctx), *in.LogGroupName}, *in.LogStreamName)
	if err == nil && !made {
		err = &types.ResourceAlreadyExistsException{Message: aws.String("The specified log stream already exists")}
	}
	return &cloudwatchlogs.CreateLogStreamOutput{}, err
}

// DeleteLogStream removes a log stream with its events.
func (b *Backend) DeleteLogStream(ctx context.Context, in *cloudwatchlogs.DeleteLogStreamInput) (*cloudwatchlogs.DeleteLogStreamOutput, error) {
	if err := checkGroupName(in.LogGroupName); err != nil {
		return nil, err
	}
	if err := checkStreamName(in.LogStreamName); err != nil {
		return nil, err
	}
	p := place{regionOf(ctx), *in.LogGroupName}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, err := b.find(p); err != nil {
		return nil, err
	}
	s, err := b.findStream(p, *in.LogStreamName)
	if err != nil {
		return nil, err
	}
	return &cloudwatchlogs.DeleteLogStreamOutput{}, b.removeStream(p, s)
}

// DescribeLogStreams lists the streams of a group, by name or by the time of their last event.
func (b *Backend) DescribeLogStreams(ctx context.Context, in *cloudwatchlogs.DescribeLogStreamsInput) (*cloudwatchlogs.DescribeLogStreamsOutput, error) {
	p, err := identify(ctx, in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	limit, err := page(in.Limit, maxDescribed)
	if err != nil {
		return nil, err
	}
	if in.OrderBy == types.OrderByLastEventTime && in.LogStreamNamePrefix != nil {
		return nil, invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
	}
	if _, err := b.find(p); err != nil {
		return nil, err
	}
	all, err := b.describeStreams(p, aws.ToString(in.LogStreamNamePrefix))
	if err != nil {
		return nil, err
	}
	order(all, in.OrderBy, aws.ToBool(in.Descending))
	if in.NextToken != nil {
		at := slices.IndexFunc(all, func(s types.LogStream) bool { return *s.LogStreamName == *in.NextToken })
		if at < 0 {
			return nil, errToken()
		}
		all = all[at+1:]
	}
	out := &cloudwatchlogs.DescribeLogStreamsOutput{LogStreams: all}
	if len(all) > limit {
		out.LogStreams, out.NextToken = all[:limit], all[limit-1].LogStreamName
	}
	return out, nil
}

func (b *Backend) describeStreams(p place, prefix string) ([]types.LogStream, error) {
	streams, err := b.streams.List(p.child(prefix))
	if err != nil {
		return nil, err
	}
	all := make([]types.LogStream, 0, len(streams))
	for _, s := range streams {
		sum, err := b.journal(s).summary()
		if err != nil {
			return nil, err
		}
		all = append(all, types.LogStream{
			Arn: aws.String(p.streamARN(s.Name)), LogStreamName: &s.Name, CreationTime: &s.Created,
			FirstEventTimestamp: sum.first, LastEventTimestamp: sum.last, LastIngestionTime: sum.ingested,
			StoredBytes: aws.Int64(0), //nolint:staticcheck // deprecated, but AWS sends it: always 0 since June 2019
		})
	}
	return all, nil
}

// order sorts streams, which come by name.
func order(all []types.LogStream, by types.OrderBy, descending bool) {
	if by == types.OrderByLastEventTime {
		slices.SortStableFunc(all, func(x, y types.LogStream) int {
			return cmp.Or(
				cmp.Compare(aws.ToInt64(x.LastEventTimestamp), aws.ToInt64(y.LastEventTimestamp)),
				strings.Compare(*x.LogStreamName, *y.LogStreamName),
			)
		})
	}
	if descending {
		slices.Reverse(all)
	}
}

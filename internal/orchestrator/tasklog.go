package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// TaskLog implements release.Orchestrator. A container that has written nothing gives no lines.
func (o *Orchestrator) TaskLog(ctx context.Context, t release.Task, container string, n int) ([]string, error) {
	definition, err := o.taskDefinition(ctx, t.TaskDefinition)
	if err != nil {
		return nil, err
	}
	from, err := logSource(definition, container)
	if err != nil {
		return nil, err
	}
	lines, err := o.lastLines(ctx, from, from.stream(t.ID), n)
	if err != nil {
		return nil, fmt.Errorf("log %s of task %s: %w", from.group, t.ID, err)
	}
	return lines, nil
}

// source is where one container's lines go: the awslogs driver writes stream PREFIX/CONTAINER/TASK-ID of the group.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html
type source struct {
	region, group, prefix, container string
}

func (s source) streamPrefix() string { return s.prefix + "/" + s.container + "/" }

func (s source) stream(taskID string) string { return s.streamPrefix() + taskID }

// logSource finds where a container of a task definition logs to.
func logSource(d release.TaskDefinition, container string) (source, error) {
	for _, c := range d.Containers {
		if c.Name != container {
			continue
		}
		switch {
		case c.LogGroup == "":
			return source{}, fmt.Errorf("container %s does not log to CloudWatch: its task definition has no awslogs logConfiguration", container)
		case c.LogPrefix == "":
			return source{}, fmt.Errorf("the log of container %s cannot be told from others: its logConfiguration has no awslogs-stream-prefix", container)
		}
		return source{c.LogRegion, c.LogGroup, c.LogPrefix, c.Name}, nil
	}
	return source{}, fmt.Errorf("task definition %s:%d has no container %s", d.Family, d.Revision, container)
}

// inRegion leads a call to the region that the log is in.
func (o *Orchestrator) inRegion(region string) func(*cloudwatchlogs.Options) {
	return func(options *cloudwatchlogs.Options) {
		if region != "" {
			options.Region = region
		}
	}
}

// lastLines reads a stream backwards until it has n lines. A page may be empty although there is more: only a token
// that stays the same ends the stream.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html
func (o *Orchestrator) lastLines(ctx context.Context, from source, stream string, n int) ([]string, error) {
	in := &cloudwatchlogs.GetLogEventsInput{LogGroupName: &from.group, LogStreamName: &stream, Limit: aws.Int32(int32(n)), StartFromHead: aws.Bool(false)}
	var lines []string // newest first
	for len(lines) < n {
		out, err := awsclient.Call(ctx, o.logs.GetLogEvents, in, o.inRegion(from.region))
		var absent *types.ResourceNotFoundException
		if errors.As(err, &absent) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		for _, e := range slices.Backward(out.Events) {
			lines = append(lines, trimLine(aws.ToString(e.Message)))
		}
		if aws.ToString(out.NextBackwardToken) == aws.ToString(in.NextToken) {
			break
		}
		in.NextToken = out.NextBackwardToken
	}
	lines = lines[:min(n, len(lines))]
	slices.Reverse(lines)
	return lines, nil
}

func trimLine(s string) string { return strings.TrimRight(s, "\r\n") }

package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

const (
	// lateWithin is how late a line may arrive and still be shown: log drivers send in batches, each task at its own time.
	lateWithin = time.Minute
	// sourcesAgeMax is how long the service's log groups are taken for known: a new revision may log elsewhere.
	sourcesAgeMax = 10 * time.Second
)

// Logs implements release.Orchestrator.
func (o *Orchestrator) Logs(ctx context.Context, cluster, service string, since time.Time, follow bool, emit release.Emit) error {
	f := &follower{Orchestrator: o, cluster: cluster, service: service, emit: emit, cursors: map[source]*cursor{}, owners: map[string]owner{}}
	for {
		err := f.look(ctx, since)
		if err == nil && follow {
			err = pause(ctx, o.logPoll)
		}
		switch {
		case err != nil && follow && ctx.Err() != nil:
			return nil // following ends when the caller ends it
		case err != nil:
			return fmt.Errorf("log of %s: %w", service, err)
		case !follow:
			return nil
		}
	}
}

// follower reads a service's log groups again and again, each line once.
type follower struct {
	*Orchestrator
	cluster, service string
	emit             release.Emit
	cursors          map[source]*cursor
	asked            time.Time // when the sources were last looked up
	owners           map[string]owner
}

// owner says whose task a task id is.
type owner int

const (
	ownerUnknown owner = iota // ECS has forgotten the task: an hour after its end
	ownerUs
	ownerOther
)

// cursor is how far one source was read.
type cursor struct {
	start time.Time
	seen  map[string]time.Time // event id → its time, from start on
}

// look reads every source once and emits what is new, oldest first.
func (f *follower) look(ctx context.Context, since time.Time) error {
	if err := f.findSources(ctx, since); err != nil {
		return err
	}
	var fresh []release.LogLine
	for from, c := range f.cursors {
		events, err := f.events(ctx, from, from.streamPrefix(), c.start)
		if err != nil {
			return fmt.Errorf("group %s: %w", from.group, err)
		}
		fresh = append(fresh, c.take(events)...)
	}
	if err := f.findOwners(ctx, fresh); err != nil {
		return err
	}
	slices.SortStableFunc(fresh, func(a, b release.LogLine) int { return a.At.Compare(b.At) })
	for _, l := range fresh {
		if f.owners[l.Task] != ownerOther {
			l.Service = f.service
			f.emit(l)
		}
	}
	return nil
}

// findSources looks up where the service logs to.
func (f *follower) findSources(ctx context.Context, since time.Time) error {
	if !f.asked.IsZero() && time.Since(f.asked) < sourcesAgeMax {
		return nil
	}
	s, err := f.describe(ctx, f.cluster, f.service)
	if err != nil {
		return err
	}
	var why error
	found := 0
	for _, arn := range definitionsOf(s) {
		d, err := f.taskDefinition(ctx, arn)
		if err != nil {
			return err
		}
		for _, c := range d.Containers {
			from, err := logSource(d, c.Name)
			if err != nil {
				why = errors.Join(why, err)
				continue
			}
			found++
			if f.cursors[from] == nil {
				f.cursors[from] = &cursor{start: since, seen: map[string]time.Time{}}
			}
		}
	}
	if found == 0 && len(f.cursors) == 0 {
		return why
	}
	f.asked = time.Now()
	return nil
}

// events gives the events from start on of the source's streams whose names begin with a prefix.
func (o *Orchestrator) events(ctx context.Context, from source, streams string, start time.Time) ([]types.FilteredLogEvent, error) {
	in := &cloudwatchlogs.FilterLogEventsInput{LogGroupName: &from.group, LogStreamNamePrefix: &streams}
	if !start.IsZero() {
		in.StartTime = aws.Int64(start.UnixMilli())
	}
	var all []types.FilteredLogEvent
	for {
		out, err := awsclient.Call(ctx, o.logs.FilterLogEvents, in, o.inRegion(from.region))
		var absent *types.ResourceNotFoundException
		if errors.As(err, &absent) {
			return nil, nil // the driver makes group and streams with the first line
		}
		if err != nil {
			return nil, err
		}
		all = append(all, out.Events...)
		if in.NextToken = out.NextToken; aws.ToString(in.NextToken) == "" {
			return all, nil
		}
	}
}

// take gives the events that were not there before, and moves on: the next look starts lateWithin before the newest
// event, so that a line that arrives late is not missed, and every event's id is remembered as long as it can come again.
func (c *cursor) take(events []types.FilteredLogEvent) []release.LogLine {
	var fresh []release.LogLine
	newest := c.start
	for _, e := range events {
		id, at := aws.ToString(e.EventId), time.UnixMilli(aws.ToInt64(e.Timestamp))
		if at.After(newest) {
			newest = at
		}
		if _, known := c.seen[id]; known {
			continue
		}
		c.seen[id] = at
		fresh = append(fresh, release.LogLine{
			Task: lastPart(aws.ToString(e.LogStreamName)), At: at, Text: trimLine(aws.ToString(e.Message)),
		})
	}
	if next := newest.Add(-lateWithin); next.After(c.start) {
		c.start = next
	}
	for id, at := range c.seen {
		if at.Before(c.start.Truncate(time.Millisecond)) {
			delete(c.seen, id)
		}
	}
	return fresh
}

// findOwners asks ECS whose the tasks are that wrote: services of one family share groups and prefixes.
func (f *follower) findOwners(ctx context.Context, fresh []release.LogLine) error {
	var unknown []string
	for _, l := range fresh {
		if _, known := f.owners[l.Task]; !known && l.Task != "" {
			f.owners[l.Task] = ownerUnknown
			unknown = append(unknown, l.Task)
		}
	}
	tasks, err := f.describeTasks(ctx, f.cluster, unknown)
	if err != nil {
		return err
	}
	for _, t := range tasks {
		id := lastPart(aws.ToString(t.TaskArn))
		f.owners[id] = ownerOther
		if serviceOfGroup(aws.ToString(t.Group)) == f.service {
			f.owners[id] = ownerUs
		}
	}
	return nil
}

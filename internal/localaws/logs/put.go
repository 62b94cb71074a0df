package logs

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

// Limits of a batch (PutLogEvents in the API reference).
const (
	maxBatchEvents = 10_000
	maxBatchBytes  = 1_048_576
	eventOverhead  = 26 // bytes that each event counts beside its message
	maxBatchSpan   = 24 * time.Hour
	maxAge         = 14 * 24 * time.Hour
	maxAhead       = 2 * time.Hour
)

// PutLogEvents appends a batch to a stream. Events that are too old or too new are left out, and the answer says which.
func (b *Backend) PutLogEvents(ctx context.Context, in *cloudwatchlogs.PutLogEventsInput) (*cloudwatchlogs.PutLogEventsOutput, error) {
	if err := checkBatch(in); err != nil {
		return nil, err
	}
	p := place{regionOf(ctx), *in.LogGroupName}
	g, err := b.find(p)
	if err != nil {
		return nil, err
	}
	s, err := b.findStream(p, *in.LogStreamName)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	accepted, rejected := sift(in.LogEvents, cutoff(g.Retention, now), now)
	events := make([]event, len(accepted))
	for i, e := range accepted {
		events[i] = event{at: *e.Timestamp, ingested: now.UnixMilli(), message: *e.Message}
	}
	if len(events) > 0 {
		if err := b.journal(s).append(events); err != nil {
			return nil, err
		}
	}
	return &cloudwatchlogs.PutLogEventsOutput{NextSequenceToken: aws.String(s.File), RejectedLogEventsInfo: rejected}, nil
}

func checkBatch(in *cloudwatchlogs.PutLogEventsInput) error {
	var v wire.Violations
	v.Require(in, "LogEvents", "LogEvents.Message", "LogEvents.Timestamp")
	v.Length("logEvents", "[...]", len(in.LogEvents), 1, maxBatchEvents)
	if err := v.Err(); err != nil {
		return err
	}
	if err := checkGroupName(in.LogGroupName); err != nil {
		return err
	}
	if err := checkStreamName(in.LogStreamName); err != nil {
		return err
	}
	size := 0
	for _, e := range in.LogEvents {
		size += len(*e.Message) + eventOverhead
		if *e.Message == "" {
			return invalid("Log event message must not be empty.")
		}
	}
	if size > maxBatchBytes {
		return invalid("Upload too large: %d bytes exceeds limit of %d", size, maxBatchBytes)
	}
	inOrder := slices.IsSortedFunc(in.LogEvents, func(x, y types.InputLogEvent) int { return cmp.Compare(*x.Timestamp, *y.Timestamp) })
	if !inOrder {
		return invalid("Log events in a single PutLogEvents request must be in chronological order.")
	}
	if last := in.LogEvents[len(in.LogEvents)-1]; *last.Timestamp-*in.LogEvents[0].Timestamp > maxBatchSpan.Milliseconds() {
		return invalid("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")
	}
	return nil
}

// sift leaves out events that are expired, too old or too new. They are in the order of time.
func sift(events []types.InputLogEvent, retained int64, now time.Time) ([]types.InputLogEvent, *types.RejectedLogEventsInfo) {
	countBefore := func(limit int64) int {
		n, _ := slices.BinarySearchFunc(events, limit, func(e types.InputLogEvent, limit int64) int {
			if *e.Timestamp < limit {
				return -1
			}
			return 1
		})
		return n
	}
	expired := countBefore(retained)
	old := countBefore(now.Add(-maxAge).UnixMilli())
	fresh := countBefore(now.Add(maxAhead).UnixMilli() + 1)
	var info types.RejectedLogEventsInfo
	if expired > 0 {
		info.ExpiredLogEventEndIndex = aws.Int32(int32(expired))
	}
	if old > 0 {
		info.TooOldLogEventEndIndex = aws.Int32(int32(old))
	}
	if fresh < len(events) {
		info.TooNewLogEventStartIndex = aws.Int32(int32(fresh))
	}
	first := max(expired, old)
	if first == 0 && fresh == len(events) {
		return events, nil
	}
	return events[min(first, fresh):fresh], &info
}

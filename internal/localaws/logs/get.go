package logs

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

// Limits of an answer (GetLogEvents and FilterLogEvents in the API reference).
const (
	maxAnswerEvents = 10_000
	maxAnswerBytes  = 1 << 20
)

// GetLogEvents reads one stream: from its end, from its head, or on from a token. At the end it gives the token that it
// got, so that a reader can ask again and again.
func (b *Backend) GetLogEvents(ctx context.Context, in *cloudwatchlogs.GetLogEventsInput) (*cloudwatchlogs.GetLogEventsOutput, error) {
	p, err := identify(ctx, in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	if err := checkStreamName(in.LogStreamName); err != nil {
		return nil, err
	}
	limit, err := page(in.Limit, maxAnswerEvents)
	if err != nil {
		return nil, err
	}
	at, err := parseCursor(in.NextToken, aws.ToBool(in.StartFromHead))
	if err != nil {
		return nil, err
	}
	g, err := b.find(p)
	if err != nil {
		return nil, err
	}
	s, err := b.findStream(p, *in.LogStreamName)
	if err != nil {
		return nil, err
	}
	from := position{at: max(aws.ToInt64(in.StartTime), cutoff(g.Retention, time.Now()))}
	to := position{at: math.MaxInt64}
	if in.EndTime != nil {
		to.at = *in.EndTime
	}
	events, first, after, err := b.journal(s).page(at.within(from, to), limit)
	if err != nil {
		return nil, gone(err)
	}
	forward, backward := at.tokens(first, after, len(events) > 0)
	return &cloudwatchlogs.GetLogEventsOutput{Events: events, NextForwardToken: &forward, NextBackwardToken: &backward}, nil
}

// gone turns the deletion of what is being read into the API's error.
func gone(err error) error {
	if errors.Is(err, errGone) {
		return &types.ResourceNotFoundException{Message: aws.String("The specified log stream does not exist.")}
	}
	return err
}

// page reads at most limit events of a span, and as many as an answer may have bytes, in the order of time. It gives the
// positions of the first one and after the last one; of an empty page, both are where the span ends in the journal.
func (j *journal) page(s span, limit int) (events []types.OutputLogEvent, first, after position, err error) {
	entries, err := j.entriesOf(s, limit)
	if err != nil {
		return nil, first, after, err
	}
	if len(entries) == 0 {
		end, err := j.end(s.to)
		return nil, end, end, err
	}
	r, err := j.reader()
	if err != nil {
		return nil, first, after, err
	}
	defer r.close()
	size, taken := 0, 0
	for _, at := range entries {
		if size += int(at.length); size > maxAnswerBytes && taken > 0 {
			break
		}
		e, err := r.read(at)
		if err != nil {
			return nil, first, after, err
		}
		events = append(events, types.OutputLogEvent{Timestamp: &e.at, IngestionTime: &e.ingested, Message: &e.message})
		taken++
	}
	entries = entries[:taken]
	if s.backward {
		slices.Reverse(entries)
		slices.Reverse(events)
	}
	return events, entries[0].position, entries[taken-1].after(), nil
}

package logs

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

// Line is one line that a container wrote.
type Line struct {
	At   time.Time
	Text string
}

// GroupExists says whether the log group is there.
func (b *Backend) GroupExists(_ context.Context, region, name string) (bool, error) {
	_, ok, err := b.groups.Get(place{region, name}.key())
	return ok, err
}

// CreateGroup makes a log group; one that is there already is a success.
func (b *Backend) CreateGroup(_ context.Context, region, name string) error {
	if err := checkGroupName(aws.String(name)); err != nil {
		return err
	}
	err := b.createGroup(place{region, name}, types.LogGroupClassStandard)
	if there := new(types.ResourceAlreadyExistsException); errors.As(err, &there) {
		return nil
	}
	return err
}

// Put appends lines to a stream, and creates the stream. What it accepted survives the end of this process, however it
// comes about; the last moments before the machine itself stops may be lost. One call with many lines is far cheaper
// than many calls.
func (b *Backend) Put(_ context.Context, region, name, streamName string, lines []Line) error {
	if err := checkStreamName(aws.String(streamName)); err != nil {
		return err
	}
	s, _, err := b.createStream(place{region, name}, streamName)
	if err != nil || len(lines) == 0 {
		return err
	}
	now := time.Now().UnixMilli()
	events := make([]event, len(lines))
	for i, line := range lines {
		events[i] = event{at: line.At.UnixMilli(), ingested: now, message: line.Text}
	}
	return b.journal(s).append(events)
}

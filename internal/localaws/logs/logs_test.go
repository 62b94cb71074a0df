package logs

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/smithy-go"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/store"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

const (
	region  = "eu-west-1"
	groupA  = "/ecs/medusa"
	streamA = "ecs/medusa/0123"
)

// bench is a backend with its state's directory.
type bench struct {
	*Backend
	dir   string
	store *store.Store
}

func open(t *testing.T, dir string) *bench {
	t.Helper()
	s, err := store.Open(filepath.Join(dir, "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	b, err := New(Config{Store: s, Dir: filepath.Join(dir, "logs")})
	if err != nil {
		t.Fatal(err)
	}
	return &bench{b, dir, s}
}

// withGroup opens a backend that has groupA.
func withGroup(t *testing.T) *bench {
	t.Helper()
	b := open(t, t.TempDir())
	if err := b.CreateGroup(t.Context(), region, groupA); err != nil {
		t.Fatal(err)
	}
	return b
}

// reopen is what a restart does.
func (b *bench) reopen(t *testing.T) *bench {
	t.Helper()
	if err := b.store.Close(); err != nil {
		t.Fatal(err)
	}
	return open(t, b.dir)
}

func calling(t *testing.T) context.Context {
	return wire.WithCaller(t.Context(), wire.Caller{Region: region, AccessKey: "AK"})
}

func (b *bench) put(t *testing.T, stream string, lines ...Line) {
	t.Helper()
	if err := b.Put(t.Context(), region, groupA, stream, lines); err != nil {
		t.Fatal(err)
	}
}

// at is a line that was written so many milliseconds after noon.
func at(ms int64, text string) Line { return Line{time.UnixMilli(noon + ms), text} }

var noon = time.Now().Truncate(time.Hour).UnixMilli()

func numbered(n int) []Line {
	lines := make([]Line, n)
	for i := range lines {
		lines[i] = at(int64(i/3), fmt.Sprintf("line %d", i)) // three in each millisecond
	}
	return lines
}

func expectCode(t *testing.T, what string, err error, code string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}

func TestGroups(t *testing.T) {
	b, ctx := open(t, t.TempDir()), calling(t)
	for _, name := range []string{"/ecs/medusa", "/ecs/worker", "/other"} {
		if _, err := b.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: &name}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := b.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String(groupA)})
	expectCode(t, "a second one", err, "ResourceAlreadyExistsException")
	_, err = b.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("a b")})
	expectCode(t, "a bad name", err, "InvalidParameterException")
	_, err = b.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("x"), KmsKeyId: aws.String("k")})
	expectCode(t, "a key", err, "InvalidParameterException")
	if err := b.CreateGroup(ctx, region, groupA); err != nil {
		t.Errorf("CreateGroup of one that is there: %v", err)
	}
	_, err = b.PutRetentionPolicy(ctx, &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: aws.String("/other"), RetentionInDays: aws.Int32(7)})
	if err != nil {
		t.Error(err)
	}
	_, err = b.PutRetentionPolicy(ctx, &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: aws.String("/other"), RetentionInDays: aws.Int32(8)})
	expectCode(t, "8 days", err, "InvalidParameterException")

	b = b.reopen(t)
	out, err := b.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: aws.String("/ecs/"), Limit: aws.Int32(1)})
	if err != nil || len(out.LogGroups) != 1 || *out.LogGroups[0].LogGroupName != "/ecs/medusa" || out.NextToken == nil {
		t.Fatalf("the first page: %+v %v", out, err)
	}
	if arn := *out.LogGroups[0].Arn; arn != "arn:aws:logs:eu-west-1:000000000000:log-group:/ecs/medusa:*" {
		t.Errorf("arn = %s", arn)
	}
	out, err = b.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: aws.String("/ecs/"), Limit: aws.Int32(1), NextToken: out.NextToken})
	if err != nil || len(out.LogGroups) != 1 || *out.LogGroups[0].LogGroupName != "/ecs/worker" || out.NextToken != nil {
		t.Errorf("the second page: %+v %v", out, err)
	}
	out, err = b.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePattern: aws.String("the")})
	if err != nil || len(out.LogGroups) != 1 || *out.LogGroups[0].RetentionInDays != 7 {
		t.Errorf("by pattern: %+v %v", out, err)
	}
	elsewhere := wire.WithCaller(t.Context(), wire.Caller{Region: "us-east-1"})
	if out, err := b.DescribeLogGroups(elsewhere, &cloudwatchlogs.DescribeLogGroupsInput{}); err != nil || len(out.LogGroups) != 0 {
		t.Errorf("another region has %+v %v", out, err)
	}
	if ok, err := b.GroupExists(ctx, region, "/other"); !ok || err != nil {
		t.Error(ok, err)
	}
	if _, err := b.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: aws.String("/other")}); err != nil {
		t.Error(err)
	}
	if ok, err := b.GroupExists(ctx, region, "/other"); ok || err != nil {
		t.Error(ok, err)
	}
	_, err = b.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: aws.String("/other")})
	expectCode(t, "a missing group", err, "ResourceNotFoundException")
}

func TestStreams(t *testing.T) {
	b, ctx := withGroup(t), calling(t)
	create := &cloudwatchlogs.CreateLogStreamInput{LogGroupName: aws.String(groupA), LogStreamName: aws.String("empty")}
	if _, err := b.CreateLogStream(ctx, create); err != nil {
		t.Fatal(err)
	}
	_, err := b.CreateLogStream(ctx, create)
	expectCode(t, "a second one", err, "ResourceAlreadyExistsException")
	_, err = b.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: aws.String("none"), LogStreamName: aws.String("x")})
	expectCode(t, "no group", err, "ResourceNotFoundException")
	_, err = b.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: aws.String(groupA), LogStreamName: aws.String("a:b")})
	expectCode(t, "a colon", err, "InvalidParameterException")
	b.put(t, "a/1", at(50, "x"))
	b.put(t, "a/2", at(10, "x"), at(20, "y"))

	names := func(in *cloudwatchlogs.DescribeLogStreamsInput) string {
		t.Helper()
		in.LogGroupIdentifier = aws.String("arn:aws:logs:eu-west-1:000000000000:log-group:" + groupA)
		var all []string
		for {
			out, err := b.DescribeLogStreams(ctx, in)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range out.LogStreams {
				all = append(all, *s.LogStreamName)
			}
			if in.NextToken = out.NextToken; in.NextToken == nil {
				return strings.Join(all, " ")
			}
		}
	}
	for _, tt := range []struct {
		in   cloudwatchlogs.DescribeLogStreamsInput
		want string
	}{
		{cloudwatchlogs.DescribeLogStreamsInput{}, "a/1 a/2 empty"},
		{cloudwatchlogs.DescribeLogStreamsInput{Limit: aws.Int32(1), Descending: aws.Bool(true)}, "empty a/2 a/1"},
		{cloudwatchlogs.DescribeLogStreamsInput{LogStreamNamePrefix: aws.String("a/")}, "a/1 a/2"},
		{cloudwatchlogs.DescribeLogStreamsInput{OrderBy: types.OrderByLastEventTime, Limit: aws.Int32(2)}, "empty a/2 a/1"},
	} {
		if got := names(&tt.in); got != tt.want {
			t.Errorf("%+v: %s, want %s", tt.in, got, tt.want)
		}
	}
	out, err := b.DescribeLogStreams(ctx, &cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: aws.String(groupA), LogStreamNamePrefix: aws.String("a/2")})
	if err != nil || *out.LogStreams[0].FirstEventTimestamp != noon+10 || *out.LogStreams[0].LastEventTimestamp != noon+20 || out.LogStreams[0].LastIngestionTime == nil {
		t.Errorf("%+v %v", out, err)
	}
	if _, err := b.DeleteLogStream(ctx, &cloudwatchlogs.DeleteLogStreamInput{LogGroupName: aws.String(groupA), LogStreamName: aws.String("a/2")}); err != nil {
		t.Fatal(err)
	}
	if got := names(&cloudwatchlogs.DescribeLogStreamsInput{}); got != "a/1 empty" {
		t.Errorf("after a deletion: %s", got)
	}
}

func TestDescribeLogStreamsRefuses(t *testing.T) {
	b, ctx := withGroup(t), calling(t)
	for what, in := range map[string]*cloudwatchlogs.DescribeLogStreamsInput{
		"neither name nor identifier": {},
		"both":                        {LogGroupName: aws.String(groupA), LogGroupIdentifier: aws.String(groupA)},
		"another account":             {LogGroupIdentifier: aws.String("arn:aws:logs:eu-west-1:111111111111:log-group:x")},
		"a prefix by time":            {LogGroupName: aws.String(groupA), OrderBy: types.OrderByLastEventTime, LogStreamNamePrefix: aws.String("x")},
		"limit 0":                     {LogGroupName: aws.String(groupA), Limit: aws.Int32(0)},
		"limit 51":                    {LogGroupName: aws.String(groupA), Limit: aws.Int32(51)},
		"a bad token":                 {LogGroupName: aws.String(groupA), NextToken: aws.String("no such stream")},
	} {
		_, err := b.DescribeLogStreams(ctx, in)
		expectCode(t, what, err, "InvalidParameterException")
	}
}

func TestPutLogEvents(t *testing.T) {
	b, ctx := withGroup(t), calling(t)
	b.put(t, streamA)
	put := func(events ...types.InputLogEvent) (*cloudwatchlogs.PutLogEventsOutput, error) {
		return b.PutLogEvents(ctx, &cloudwatchlogs.PutLogEventsInput{LogGroupName: aws.String(groupA), LogStreamName: aws.String(streamA), LogEvents: events})
	}
	input := func(ms int64, text string) types.InputLogEvent {
		return types.InputLogEvent{Timestamp: aws.Int64(noon + ms), Message: &text}
	}
	const day = 24 * 60 * 60 * 1000
	if out, err := put(input(0, "a"), input(0, "b"), input(5, "c")); err != nil || out.RejectedLogEventsInfo != nil {
		t.Fatalf("%+v %v", out, err)
	}
	out, err := put(input(-15*day, "old"), input(-15*day+1, "old"))
	if err != nil || aws.ToInt32(out.RejectedLogEventsInfo.TooOldLogEventEndIndex) != 2 {
		t.Errorf("too old: %+v %v", out, err)
	}
	out, err = put(input(7, "d"), input(day/4, "new"))
	if err != nil || aws.ToInt32(out.RejectedLogEventsInfo.TooNewLogEventStartIndex) != 1 {
		t.Errorf("too new: %+v %v", out, err)
	}
	for what, events := range map[string][]types.InputLogEvent{
		"none":         {},
		"out of order": {input(2, "a"), input(1, "b")},
		"empty":        {input(0, "")},
		"too large":    {input(0, strings.Repeat("x", maxBatchBytes))},
		"over a day":   {input(-day-1, "a"), input(0, "b")},
		"no time":      {{Message: aws.String("a")}},
	} {
		_, err := put(events...)
		expectCode(t, what, err, "InvalidParameterException")
	}
	_, err = b.PutLogEvents(ctx, &cloudwatchlogs.PutLogEventsInput{LogGroupName: aws.String(groupA), LogStreamName: aws.String("none"), LogEvents: []types.InputLogEvent{input(0, "a")}})
	expectCode(t, "no stream", err, "ResourceNotFoundException")
	if got := b.all(t, streamA); got != "a b c d" {
		t.Errorf("the stream has %s", got)
	}
}

// all reads a stream from its head.
func (b *bench) all(t *testing.T, stream string) string {
	t.Helper()
	out, err := b.GetLogEvents(calling(t), &cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String(groupA), LogStreamName: &stream, StartFromHead: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	return messages(out.Events)
}

func messages(events []types.OutputLogEvent) string {
	all := make([]string, len(events))
	for i, e := range events {
		all[i] = *e.Message
	}
	return strings.Join(all, " ")
}

func TestRetention(t *testing.T) {
	b, ctx := withGroup(t), calling(t)
	old := Line{time.Now().Add(-72 * time.Hour), "old"}
	b.put(t, streamA, old, Line{time.Now(), "new"})
	b.put(t, "stale", old)
	if _, err := b.PutRetentionPolicy(ctx, &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: aws.String(groupA), RetentionInDays: aws.Int32(1)}); err != nil {
		t.Fatal(err)
	}
	if got := b.all(t, streamA); got != "new" {
		t.Errorf("a day's retention shows %q", got)
	}
	if _, err := b.DeleteRetentionPolicy(ctx, &cloudwatchlogs.DeleteRetentionPolicyInput{LogGroupName: aws.String(groupA)}); err != nil {
		t.Fatal(err)
	}
	if got := b.all(t, streamA); got != "old new" {
		t.Errorf("without retention there is %q", got)
	}
}

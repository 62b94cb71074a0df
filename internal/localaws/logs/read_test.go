package logs

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
)

func (b *bench) get(t *testing.T, in cloudwatchlogs.GetLogEventsInput) *cloudwatchlogs.GetLogEventsOutput {
	t.Helper()
	in.LogGroupName, in.LogStreamName = aws.String(groupA), aws.String(streamA)
	out, err := b.GetLogEvents(calling(t), &in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestGetLogEventsForward(t *testing.T) {
	b := withGroup(t)
	b.put(t, streamA, numbered(25)...)
	b = b.reopen(t)
	in := cloudwatchlogs.GetLogEventsInput{StartFromHead: aws.Bool(true), Limit: aws.Int32(10)}
	var seen []string
	for {
		out := b.get(t, in)
		if in.NextToken != nil && *in.NextToken == *out.NextForwardToken {
			if len(out.Events) > 0 {
				t.Error("the same token came with events")
			}
			break
		}
		for _, e := range out.Events {
			seen = append(seen, *e.Message)
		}
		in.NextToken = out.NextForwardToken
	}
	if len(seen) != 25 || seen[0] != "line 0" || seen[24] != "line 24" {
		t.Fatalf("read %d: %q", len(seen), seen)
	}
	b.put(t, streamA, at(100, "later"))
	if got := messages(b.get(t, in).Events); got != "later" {
		t.Errorf("a reader at the end then got %q", got)
	}
}

func TestGetLogEventsBackward(t *testing.T) {
	b := withGroup(t)
	b.put(t, streamA, numbered(25)...)
	first := b.get(t, cloudwatchlogs.GetLogEventsInput{Limit: aws.Int32(2)})
	if got := messages(first.Events); got != "line 23 line 24" {
		t.Errorf("the end is %q", got)
	}
	second := b.get(t, cloudwatchlogs.GetLogEventsInput{Limit: aws.Int32(2), NextToken: first.NextBackwardToken})
	if got := messages(second.Events); got != "line 21 line 22" {
		t.Errorf("before it is %q", got)
	}
	again := b.get(t, cloudwatchlogs.GetLogEventsInput{NextToken: second.NextForwardToken})
	if got := messages(again.Events); got != "line 23 line 24" {
		t.Errorf("forward again is %q", got)
	}
	rest := b.get(t, cloudwatchlogs.GetLogEventsInput{NextToken: second.NextBackwardToken})
	if len(rest.Events) != 21 {
		t.Errorf("the rest has %d", len(rest.Events))
	}
	none := b.get(t, cloudwatchlogs.GetLogEventsInput{NextToken: rest.NextBackwardToken})
	if len(none.Events) != 0 || *none.NextBackwardToken != *rest.NextBackwardToken {
		t.Errorf("before the head: %d events, token %s after %s", len(none.Events), *none.NextBackwardToken, *rest.NextBackwardToken)
	}
}

func TestGetLogEventsRangeAndSize(t *testing.T) {
	b := withGroup(t)
	b.put(t, streamA, at(1, "a"), at(2, "b"), at(3, "c"))
	out := b.get(t, cloudwatchlogs.GetLogEventsInput{StartTime: aws.Int64(noon + 1), EndTime: aws.Int64(noon + 3), StartFromHead: aws.Bool(true)})
	if got := messages(out.Events); got != "a b" {
		t.Errorf("the end is excluded, but got %q", got)
	}
	out = b.get(t, cloudwatchlogs.GetLogEventsInput{StartTime: aws.Int64(noon + 9)})
	if len(out.Events) != 0 || *out.NextForwardToken == "" || *out.NextBackwardToken == "" {
		t.Errorf("an empty page: %+v", out)
	}
	large := strings.Repeat("x", 400_000)
	b.put(t, streamA, at(4, large), at(5, large), at(6, large))
	out = b.get(t, cloudwatchlogs.GetLogEventsInput{StartTime: aws.Int64(noon + 4)})
	if len(out.Events) != 2 || *out.Events[1].Timestamp != noon+6 {
		t.Errorf("an answer of at most 1 MiB has %d events", len(out.Events))
	}
}

func TestGetLogEventsOfAnEmptyStream(t *testing.T) {
	b := withGroup(t)
	b.put(t, streamA)
	out := b.get(t, cloudwatchlogs.GetLogEventsInput{})
	b.put(t, streamA, at(0, "first"))
	if got := messages(b.get(t, cloudwatchlogs.GetLogEventsInput{NextToken: out.NextForwardToken}).Events); got != "first" {
		t.Errorf("a reader of an empty stream then got %q", got)
	}
}

func TestGetLogEventsRefuses(t *testing.T) {
	b, ctx := withGroup(t), calling(t)
	b.put(t, streamA)
	for what, tt := range map[string]struct {
		in   cloudwatchlogs.GetLogEventsInput
		code string
	}{
		"no stream name":    {cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String(groupA)}, "InvalidParameterException"},
		"no such stream":    {cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String(groupA), LogStreamName: aws.String("x")}, "ResourceNotFoundException"},
		"no such group":     {cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String("x"), LogStreamName: aws.String("x")}, "ResourceNotFoundException"},
		"a limit too large": {cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String(groupA), LogStreamName: aws.String(streamA), Limit: aws.Int32(10001)}, "InvalidParameterException"},
		"a bad token":       {cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String(groupA), LogStreamName: aws.String(streamA), NextToken: aws.String("f/1")}, "InvalidParameterException"},
	} {
		_, err := b.GetLogEvents(ctx, &tt.in)
		expectCode(t, what, err, tt.code)
	}
}

// filter reads all pages and gives STREAM:MESSAGE of each event.
func (b *bench) filter(t *testing.T, in cloudwatchlogs.FilterLogEventsInput) string {
	t.Helper()
	in.LogGroupName = aws.String(groupA)
	var all []string
	ids := map[string]bool{}
	for {
		out, err := b.FilterLogEvents(calling(t), &in)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range out.Events {
			all = append(all, *e.LogStreamName+":"+*e.Message)
			if ids[*e.EventId] || len(*e.EventId) != 56 {
				t.Errorf("the event id %s is there twice, or has not 56 digits", *e.EventId)
			}
			ids[*e.EventId] = true
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return strings.Join(all, " ")
		}
	}
}

func TestFilterLogEvents(t *testing.T) {
	b := withGroup(t)
	b.put(t, "a/1", at(1, "one"), at(3, "three"), at(3, "three-too"))
	b.put(t, "a/2", at(2, "two"), at(3, "tres"))
	b.put(t, "b/1", at(0, "zero"), at(5, "five"))
	tests := []struct {
		name string
		in   cloudwatchlogs.FilterLogEventsInput
		want string
	}{
		{"all", cloudwatchlogs.FilterLogEventsInput{}, "b/1:zero a/1:one a/2:two a/1:three a/1:three-too a/2:tres b/1:five"},
		{"backward", cloudwatchlogs.FilterLogEventsInput{StartFromHead: aws.Bool(false)}, "b/1:five a/2:tres a/1:three-too a/1:three a/2:two a/1:one b/1:zero"},
		{"range", cloudwatchlogs.FilterLogEventsInput{StartTime: aws.Int64(noon + 1), EndTime: aws.Int64(noon + 2)}, "a/1:one a/2:two"},
		{"streams", cloudwatchlogs.FilterLogEventsInput{LogStreamNames: []string{"b/1", "a/2", "b/1"}}, "b/1:zero a/2:two a/2:tres b/1:five"},
		{"prefix", cloudwatchlogs.FilterLogEventsInput{LogStreamNamePrefix: aws.String("a/")}, "a/1:one a/2:two a/1:three a/1:three-too a/2:tres"},
		{"terms", cloudwatchlogs.FilterLogEventsInput{FilterPattern: aws.String("t -too")}, "a/2:two a/1:three a/2:tres"},
	}
	for _, tt := range tests {
		for limit := range int32(8) {
			if limit > 0 {
				tt.in.Limit = aws.Int32(limit)
			}
			if got := b.filter(t, tt.in); got != tt.want {
				t.Errorf("%s in pages of %d:\n got %s\nwant %s", tt.name, limit, got, tt.want)
			}
		}
	}
}

func TestFilterLogEventsRefuses(t *testing.T) {
	b, ctx := withGroup(t), calling(t)
	for what, tt := range map[string]struct {
		in   cloudwatchlogs.FilterLogEventsInput
		code string
	}{
		"names and prefix": {cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String(groupA), LogStreamNames: []string{"a"}, LogStreamNamePrefix: aws.String("a")}, "InvalidParameterException"},
		"json pattern":     {cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String(groupA), FilterPattern: aws.String("{ $.level = 1 }")}, "InvalidParameterException"},
		"bad token":        {cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String(groupA), NextToken: aws.String("?")}, "InvalidParameterException"},
		"empty token":      {cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String(groupA), NextToken: aws.String(base64.RawURLEncoding.EncodeToString([]byte("{}")))}, "InvalidParameterException"},
		"no such stream":   {cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String(groupA), LogStreamNames: []string{"x"}}, "ResourceNotFoundException"},
		"no such group":    {cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("x")}, "ResourceNotFoundException"},
	} {
		_, err := b.FilterLogEvents(ctx, &tt.in)
		expectCode(t, what, err, tt.code)
	}
}

func TestPattern(t *testing.T) {
	tests := []struct {
		pattern, message string
		want             bool
	}{
		{"", "anything", true},
		{"  ", "anything", true},
		{"ERROR", "an ERROR here", true},
		{"ERROR", "an error here", false},
		{"ERROR disk", "disk: ERROR", true},
		{"ERROR disk", "ERROR", false},
		{`"ERROR disk"`, "ERROR disk", true},
		{`"ERROR disk"`, "disk ERROR", false},
		{"ERROR -disk", "ERROR: net", true},
		{"ERROR -disk", "ERROR: disk", false},
		{`-"a b"`, "a b", false},
		{"?net ?disk", "disk", true},
		{"?net ?disk", "cpu", false},
		{"?net -disk", "net disk", false},
	}
	for _, tt := range tests {
		p, err := parsePattern(tt.pattern)
		if err != nil {
			t.Errorf("%q: %v", tt.pattern, err)
		} else if got := p.matches(tt.message); got != tt.want {
			t.Errorf("%q on %q: %v", tt.pattern, tt.message, got)
		}
	}
	for _, bad := range []string{"{$.a=1}", "[a, b]", "%x%", `"open`, "-", "?", `""`, `"a"b`, "ERROR ?x", "ä"} {
		_, err := parsePattern(bad)
		expectCode(t, bad, err, "InvalidParameterException")
	}
}

func FuzzParsePattern(f *testing.F) {
	f.Add("ERROR -disk", "ERROR")
	f.Add(`"a b" ?c`, "a b")
	f.Fuzz(func(t *testing.T, text, message string) {
		p, err := parsePattern(text)
		if err != nil {
			return
		}
		whole := strings.Join(append(append([]string{message}, p.all...), p.any...), " ")
		if len(p.none) == 0 && !p.matches(whole) {
			t.Errorf("%q does not match %q, which has all its terms", text, whole)
		}
	})
}

func FuzzTokens(f *testing.F) {
	f.Add("f/1/2")
	f.Add("b/-9/0")
	f.Add(mark{Stream: "s", At: 3, Offset: 4}.token())
	f.Fuzz(func(t *testing.T, token string) {
		if c, err := parseCursor(&token, true); err == nil {
			forward, backward := c.tokens(position{}, position{}, false)
			again, err := parseCursor(map[bool]*string{false: &forward, true: &backward}[c.backward], true)
			if err != nil || again.at != c.at || again.backward != c.backward {
				t.Errorf("%q became %+v, %v", token, again, err)
			}
		}
		if m, err := parseMark(&token, nil); err == nil {
			again, err := parseMark(aws.String(m.token()), nil)
			if err != nil || fmt.Sprint(again) != fmt.Sprint(m) {
				t.Errorf("%q became %+v, %v", token, again, err)
			}
		}
	})
}

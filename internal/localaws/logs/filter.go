package logs

import (
	"cmp"
	"container/heap"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

// scanLimit is how many events one call of FilterLogEvents reads at most; then it answers what it has, and a token.
const scanLimit = 100_000

// FilterLogEvents reads events of several streams of a group in one sequence by time.
func (b *Backend) FilterLogEvents(ctx context.Context, in *cloudwatchlogs.FilterLogEventsInput) (*cloudwatchlogs.FilterLogEventsOutput, error) {
	p, err := identify(ctx, in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	limit, err := page(in.Limit, maxAnswerEvents)
	if err != nil {
		return nil, err
	}
	if in.LogStreamNamePrefix != nil && len(in.LogStreamNames) > 0 {
		return nil, invalid("logStreamNames and logStreamNamePrefix are mutually exclusive")
	}
	terms, err := parsePattern(aws.ToString(in.FilterPattern))
	if err != nil {
		return nil, err
	}
	from, err := parseMark(in.NextToken, in.StartFromHead)
	if err != nil {
		return nil, err
	}
	g, err := b.find(p)
	if err != nil {
		return nil, err
	}
	streams, err := b.choose(p, in.LogStreamNames, aws.ToString(in.LogStreamNamePrefix))
	if err != nil {
		return nil, err
	}
	within := span{from: position{at: max(aws.ToInt64(in.StartTime), cutoff(g.Retention, time.Now()))}, to: position{at: math.MaxInt64}}
	if in.EndTime != nil && *in.EndTime < math.MaxInt64 {
		within.to.at = *in.EndTime + 1 // included, other than in GetLogEvents
	}
	m := &merge{backward: from.Backward}
	defer m.close()
	for _, s := range streams {
		if err := m.add(s, b.journal(s), from.narrow(within, s.Name)); err != nil {
			return nil, gone(err)
		}
	}
	heap.Init(m)
	return m.answer(terms, limit)
}

// choose gives the streams that are named, or those with a prefix.
func (b *Backend) choose(p place, names []string, prefix string) ([]stream, error) {
	if len(names) == 0 {
		return b.streams.List(p.child(prefix))
	}
	streams := make([]stream, 0, len(names))
	for _, name := range slices.Compact(slices.Sorted(slices.Values(names))) {
		s, err := b.findStream(p, name)
		if err != nil {
			return nil, err
		}
		streams = append(streams, s)
	}
	return streams, nil
}

// mark is how far FilterLogEvents has come: the last event that it has dealt with. It is its token.
type mark struct {
	Backward bool   `json:"b,omitempty"`
	Stream   string `json:"s,omitempty"` // empty: at the beginning
	At       int64  `json:"t,omitempty"`
	Offset   int64  `json:"o,omitempty"`
}

func parseMark(token *string, fromHead *bool) (mark, error) {
	if token == nil {
		return mark{Backward: fromHead != nil && !*fromHead}, nil
	}
	var m mark
	raw, err := base64.RawURLEncoding.DecodeString(*token)
	if err != nil || json.Unmarshal(raw, &m) != nil || m.Stream == "" {
		return mark{}, errToken()
	}
	return m, nil
}

func (m mark) token() string {
	raw, _ := json.Marshal(m) // strings and numbers
	return base64.RawURLEncoding.EncodeToString(raw)
}

// narrow leaves of a span in one stream what comes after the mark. Events of the same time are in the order of streams.
func (m mark) narrow(s span, name string) span {
	s.backward = m.Backward
	if m.Stream == "" {
		return s
	}
	var border position
	switch before := strings.Compare(name, m.Stream); {
	case before < 0:
		border = position{at: m.At + 1}
	case before > 0:
		border = position{at: m.At}
	case m.Backward:
		border = position{m.At, m.Offset}
	default:
		border = position{m.At, m.Offset + 1}
	}
	if m.Backward && border.compare(s.to) < 0 {
		s.to = border
	}
	if !m.Backward && border.compare(s.from) > 0 {
		s.from = border
	}
	return s
}

// merge makes one sequence of several streams. It is a heap of those that have events left, by their next one.
type merge struct {
	sources  []*source
	readers  []*journalReader
	backward bool
}

// source is one stream in a merge.
type source struct {
	stream  stream
	entries []entry // what is left, the next one first
	reader  *journalReader
}

func (m *merge) add(s stream, j *journal, within span) error {
	entries, err := j.entriesOf(within, scanLimit+1)
	if err != nil || len(entries) == 0 {
		return err
	}
	r, err := j.reader()
	if err != nil {
		return err
	}
	m.readers = append(m.readers, r)
	m.sources = append(m.sources, &source{stream: s, entries: entries, reader: r})
	return nil
}

func (m *merge) close() {
	for _, r := range m.readers {
		r.close()
	}
}

// Len implements heap.Interface.
func (m *merge) Len() int { return len(m.sources) }

// Less implements heap.Interface.
func (m *merge) Less(i, j int) bool {
	x, y := m.sources[i], m.sources[j]
	order := cmp.Or(cmp.Compare(x.entries[0].at, y.entries[0].at), strings.Compare(x.stream.Name, y.stream.Name))
	if m.backward {
		return order > 0
	}
	return order < 0
}

// Swap implements heap.Interface.
func (m *merge) Swap(i, j int) { m.sources[i], m.sources[j] = m.sources[j], m.sources[i] }

// Push implements heap.Interface.
func (m *merge) Push(x any) { m.sources = append(m.sources, x.(*source)) }

// Pop implements heap.Interface.
func (m *merge) Pop() any {
	last := m.sources[len(m.sources)-1]
	m.sources = m.sources[:len(m.sources)-1]
	return last
}

// next takes the next event of all.
func (m *merge) next() (*source, entry, event, error) {
	s := m.sources[0]
	at := s.entries[0]
	e, err := s.reader.read(at)
	if err != nil {
		return nil, entry{}, event{}, err
	}
	if s.entries = s.entries[1:]; len(s.entries) == 0 {
		heap.Pop(m)
	} else {
		heap.Fix(m, 0)
	}
	return s, at, e, nil
}

// answer reads until there is enough for one answer.
func (m *merge) answer(terms pattern, limit int) (*cloudwatchlogs.FilterLogEventsOutput, error) {
	out := &cloudwatchlogs.FilterLogEventsOutput{SearchedLogStreams: []types.SearchedLogStream{}} // empty since May 2020
	size := 0
	for scanned := 1; m.Len() > 0; scanned++ {
		s, at, e, err := m.next()
		if err != nil {
			return nil, gone(err)
		}
		if terms.matches(e.message) {
			size += len(e.message) + eventOverhead
			out.Events = append(out.Events, types.FilteredLogEvent{
				EventId: aws.String(eventID(s.stream, at)), IngestionTime: &e.ingested, LogStreamName: &s.stream.Name, Message: &e.message, Timestamp: &e.at,
			})
		}
		if enough := len(out.Events) == limit || size >= maxAnswerBytes || scanned == scanLimit; enough && m.Len() > 0 {
			out.NextToken = aws.String(mark{Backward: m.backward, Stream: s.stream.Name, At: at.at, Offset: at.offset}.token())
			break
		}
	}
	return out, nil
}

// eventID is 56 digits, as AWS's are: unique, the same at every reading, and in the order of time.
func eventID(s stream, at entry) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s.File)) // never fails
	return fmt.Sprintf("%016d%020d%020d", at.at, h.Sum64(), at.offset)
}

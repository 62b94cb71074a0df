package logs

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
)

// texts reads a whole journal.
func texts(t *testing.T, j *journal) string {
	t.Helper()
	events, _, _, err := j.page(span{to: position{at: math.MaxInt64}}, maxAnswerEvents)
	if err != nil {
		t.Fatal(err)
	}
	return messages(events)
}

func TestJournalKeepsAnyText(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	j := &journal{path: path}
	odd := []string{"", "two\nlines", "tab\tquote\"back\\slash", "\x00\xff not UTF-8", "ünï→🙂", " spaces  ", "0 0 \"x\"\n"}
	for _, text := range odd {
		if err := j.append([]event{{at: 1, ingested: 2, message: text}}); err != nil {
			t.Fatal(err)
		}
	}
	events, _, _, err := (&journal{path: path}).page(span{to: position{at: 9}}, 100)
	if err != nil || len(events) != len(odd) {
		t.Fatalf("%d events, %v", len(events), err)
	}
	for i, e := range events {
		if *e.Message != odd[i] || *e.Timestamp != 1 || *e.IngestionTime != 2 {
			t.Errorf("%q came back as %q", odd[i], *e.Message)
		}
	}
}

func TestJournalIsInTheOrderOfTime(t *testing.T) {
	j := &journal{path: filepath.Join(t.TempDir(), "j")}
	for _, batch := range [][]event{{{at: 5, message: "5"}, {at: 7, message: "7"}}, {{at: 1, message: "1"}, {at: 5, message: "5b"}}} {
		if err := j.append(batch); err != nil {
			t.Fatal(err)
		}
	}
	if got := texts(t, j); got != "1 5 5b 7" {
		t.Errorf("in memory: %s", got)
	}
	if got := texts(t, &journal{path: j.path}); got != "1 5 5b 7" {
		t.Errorf("read again: %s", got)
	}
}

func TestJournalSurvivesAHalfWrittenLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	whole := event{at: 1, message: "whole"}.appendLine(nil)
	half := event{at: 2, message: "half"}.appendLine(nil)
	damaged := append(append(bytes.Clone(whole), "\x00\x00\x00\n"...), half[:len(half)-3]...)
	if err := os.WriteFile(path, damaged, 0o600); err != nil {
		t.Fatal(err)
	}
	j := &journal{path: path}
	if got := texts(t, j); got != "whole" {
		t.Errorf("after a crash there is %q", got)
	}
	if err := j.append([]event{{at: 3, message: "next"}}); err != nil {
		t.Fatal(err)
	}
	if got := texts(t, &journal{path: path}); got != "whole next" {
		t.Errorf("after the next line there is %q", got)
	}
}

func TestJournalThatCannotBeWritten(t *testing.T) {
	j := &journal{path: filepath.Join(t.TempDir(), "missing", "j")}
	if err := j.append([]event{{at: 1, message: "x"}}); err == nil || !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("append: %v", err)
	}
	if err := os.MkdirAll(filepath.Dir(j.path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := j.append([]event{{at: 2, message: "y"}}); err != nil {
		t.Fatal(err)
	}
	if got := texts(t, j); got != "y" {
		t.Errorf("what could not be written left %q", got)
	}
}

func TestDeletedStream(t *testing.T) {
	b := withGroup(t)
	b.put(t, streamA, at(0, "x"))
	s, err := b.findStream(place{region, groupA}, streamA)
	if err != nil {
		t.Fatal(err)
	}
	j := b.journal(s)
	if _, err := b.DeleteLogGroup(calling(t), &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: aws.String(groupA)}); err != nil {
		t.Fatal(err)
	}
	if err := j.append([]event{{message: "late"}}); !errors.Is(err, errGone) {
		t.Errorf("append to a deleted stream: %v", err)
	}
	expectCode(t, "a reader of a deleted stream", gone(errGone), "ResourceNotFoundException")
	if left, err := os.ReadDir(b.Backend.dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
	err = b.Put(t.Context(), region, groupA, streamA, []Line{at(0, "x")})
	expectCode(t, "Put without a group", err, "ResourceNotFoundException")
}

func TestOpeningSweeps(t *testing.T) {
	b := withGroup(t)
	b.put(t, streamA, at(0, "x"))
	b.put(t, "stale", at(0, "x"))
	if _, err := b.PutRetentionPolicy(calling(t), &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: aws.String(groupA), RetentionInDays: aws.Int32(1)}); err != nil {
		t.Fatal(err)
	}
	s, err := b.findStream(place{region, groupA}, "stale")
	if err != nil {
		t.Fatal(err)
	}
	stale, orphan := filepath.Join(b.Backend.dir, s.File), filepath.Join(b.Backend.dir, "orphan.log")
	then := time.Now().Add(-48 * time.Hour)
	if err := errors.Join(os.Chtimes(stale, then, then), os.WriteFile(orphan, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	b = b.reopen(t)
	for _, path := range []string{stale, orphan} {
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there (%v)", path, err)
		}
	}
	if got := b.all(t, streamA) + b.all(t, "stale"); got != "x" {
		t.Errorf("what is left is %q", got)
	}
}

func TestManyWritersAndReaders(t *testing.T) {
	b := withGroup(t)
	var all sync.WaitGroup
	const writers, batches, size = 4, 10, 20
	for w := range writers {
		all.Go(func() {
			for n := range batches {
				lines := make([]Line, size)
				for i := range lines {
					lines[i] = Line{time.Now(), fmt.Sprintf("%d/%d", n, i)}
				}
				if err := b.Put(t.Context(), region, groupA, fmt.Sprintf("s%d", w), lines); err != nil {
					t.Error(err)
				}
			}
		})
		all.Go(func() {
			for range batches {
				if _, err := b.FilterLogEvents(calling(t), &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String(groupA)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for w := range writers {
		if got := len(strings.Fields(b.all(t, fmt.Sprintf("s%d", w)))); got != batches*size {
			t.Errorf("writer %d left %d lines", w, got)
		}
	}
}

func FuzzIndex(f *testing.F) {
	f.Add([]byte("1 2 \"x\"\n"))
	f.Add([]byte("1 2 \"x\"\n3 4"))
	f.Add([]byte("\n\n1 2 x\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		entries, size, _, err := index(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		if size > int64(len(file)) || size > 0 && file[size-1] != '\n' {
			t.Fatalf("%d of %d bytes", size, len(file))
		}
		for _, e := range entries {
			if _, ok := parseLine(file[e.offset : e.offset+int64(e.length)]); !ok {
				t.Errorf("the entry %+v is no event", e)
			}
		}
	})
}

func FuzzLine(f *testing.F) {
	f.Add(int64(1), int64(2), "text\n")
	f.Fuzz(func(t *testing.T, at, ingested int64, message string) {
		want := event{at, ingested, message}
		line := want.appendLine(nil)
		if got, ok := parseLine(line); !ok || got != want || bytes.Count(line, []byte("\n")) != 1 {
			t.Errorf("%+v came back as %+v", want, got)
		}
	})
}

func BenchmarkPut(b *testing.B) {
	j := &journal{path: filepath.Join(b.TempDir(), "j")}
	batch := make([]event, 100)
	for i := range batch {
		batch[i] = event{at: int64(i), ingested: 1, message: strings.Repeat("x", 100)}
	}
	for b.Loop() {
		for i := range batch {
			batch[i].at += 100
		}
		if err := j.append(batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*len(batch))/b.Elapsed().Seconds(), "lines/s")
}

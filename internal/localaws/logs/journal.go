package logs

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"sync"
)

// errGone says that the stream was deleted meanwhile.
var errGone = errors.New("the log stream was deleted")

// event is one log event; times are milliseconds since the epoch.
type event struct {
	at, ingested int64
	message      string
}

// position is where an event stands in its stream's order: by time, then as it came.
type position struct{ at, offset int64 }

func (p position) compare(q position) int {
	return cmp.Or(cmp.Compare(p.at, q.at), cmp.Compare(p.offset, q.offset))
}

// entry is where an event is in the file.
type entry struct {
	position
	length int32
}

func (e entry) after() position { return position{e.at, e.offset + 1} }

// journal is the events of one stream: an append-only file with a line for each, and an index of it in memory that is in
// the order of time. Appending is one write, however many events there are; it is not synced, because the kernel keeps
// what was written when the process dies. A line that a stopped machine left half written is cut off.
type journal struct {
	path string

	mu           sync.Mutex
	loaded, gone bool
	size         int64
	entries      []entry
	lastIngested int64
}

// append adds events. When the disk is full nothing is added.
func (j *journal) append(events []event) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.load(); err != nil {
		return err
	}
	var lines []byte
	added := make([]entry, len(events))
	for i, e := range events {
		start := len(lines)
		lines = e.appendLine(lines)
		added[i] = entry{position{e.at, j.size + int64(start)}, int32(len(lines) - start)}
		j.lastIngested = max(j.lastIngested, e.ingested)
	}
	if err := j.write(lines); err != nil {
		return fmt.Errorf("write log events: %w", err)
	}
	j.size += int64(len(lines))
	before := max(0, len(j.entries)-1)
	j.entries = append(j.entries, added...)
	j.sort(before)
	return nil
}

// write appends to the file, all or nothing.
func (j *journal) write(lines []byte) error {
	f, err := os.OpenFile(j.path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if _, err = f.WriteAt(lines, j.size); err != nil {
		return errors.Join(err, f.Truncate(j.size), f.Close())
	}
	return f.Close()
}

// sort restores the order of time when the entries from an index on may not be in it. Events nearly always come in it.
func (j *journal) sort(from int) {
	byPosition := func(x, y entry) int { return x.compare(y.position) }
	if !slices.IsSortedFunc(j.entries[from:], byPosition) {
		slices.SortFunc(j.entries, byPosition)
	}
}

// load reads the index, once. The caller holds the lock.
func (j *journal) load() error {
	if j.gone {
		return errGone
	}
	if j.loaded {
		return nil
	}
	f, err := os.OpenFile(j.path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		j.loaded = true
		return nil
	}
	if err != nil {
		return fmt.Errorf("read log events: %w", err)
	}
	defer f.Close()
	j.entries, j.size, j.lastIngested, err = index(f)
	if err != nil {
		return fmt.Errorf("read log events of %s: %w", j.path, err)
	}
	if err := f.Truncate(j.size); err != nil {
		return fmt.Errorf("cut off a half written log event: %w", err)
	}
	j.sort(0)
	j.loaded = true
	return nil
}

// index finds the events in a journal's file, and how much of it whole lines take. What a stopped machine left that is
// no event is passed over.
func index(r io.Reader) (entries []entry, size, lastIngested int64, err error) {
	reader := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := reader.ReadBytes('\n')
		if err == io.EOF { // also when it leaves half a line
			return entries, size, lastIngested, nil
		}
		if err != nil {
			return nil, 0, 0, err
		}
		if e, ok := parseLine(line); ok {
			entries = append(entries, entry{position{e.at, size}, int32(len(line))})
			lastIngested = max(lastIngested, e.ingested)
		}
		size += int64(len(line))
	}
}

// appendLine writes an event as TIME INGESTED "MESSAGE", the message quoted as in Go: so it is one line of printable
// text and any bytes survive.
func (e event) appendLine(b []byte) []byte {
	b = strconv.AppendInt(b, e.at, 10)
	b = strconv.AppendInt(append(b, ' '), e.ingested, 10)
	b = strconv.AppendQuote(append(b, ' '), e.message)
	return append(b, '\n')
}

// parseLine reads what appendLine wrote; ok is false for anything else.
func parseLine(line []byte) (e event, ok bool) {
	line, ended := bytes.CutSuffix(line, []byte("\n"))
	at, rest, spaced := bytes.Cut(line, []byte(" "))
	ingested, quoted, spacedAgain := bytes.Cut(rest, []byte(" "))
	if !ended || !spaced || !spacedAgain {
		return event{}, false
	}
	var err1, err2, err3 error
	e.at, err1 = strconv.ParseInt(string(at), 10, 64)
	e.ingested, err2 = strconv.ParseInt(string(ingested), 10, 64)
	e.message, err3 = strconv.Unquote(string(quoted))
	return e, err1 == nil && err2 == nil && err3 == nil
}

// span is which events to read, from one position up to, not including, another one, and from which end.
type span struct {
	from, to position
	backward bool
}

// entriesOf gives at most limit index entries of a span, the first one to read first. The result is the caller's.
func (j *journal) entriesOf(s span, limit int) ([]entry, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.load(); err != nil {
		return nil, err
	}
	low, high := j.search(s.from), j.search(s.to)
	if low >= high {
		return nil, nil
	}
	if !s.backward {
		return slices.Clone(j.entries[low:min(high, low+limit)]), nil
	}
	entries := slices.Clone(j.entries[max(low, high-limit):high])
	slices.Reverse(entries)
	return entries, nil
}

// search gives the index of the first entry that is not before p.
func (j *journal) search(p position) int {
	at, _ := slices.BinarySearchFunc(j.entries, p, func(e entry, p position) int { return e.compare(p) })
	return at
}

// end is the position after the last event before p.
func (j *journal) end(p position) (position, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.load(); err != nil {
		return position{}, err
	}
	if at := j.search(p); at > 0 {
		return j.entries[at-1].after(), nil
	}
	return position{}, nil
}

// reader opens the events for reading by entry.
func (j *journal) reader() (*journalReader, error) {
	f, err := os.Open(j.path)
	if errors.Is(err, os.ErrNotExist) {
		return &journalReader{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read log events: %w", err)
	}
	return &journalReader{file: f}, nil
}

// journalReader reads events of one journal.
type journalReader struct {
	file   *os.File // nil when there are no events
	buffer []byte
}

func (r *journalReader) read(e entry) (event, error) {
	if r.file == nil {
		return event{}, errGone
	}
	r.buffer = slices.Grow(r.buffer[:0], int(e.length))[:e.length]
	if _, err := r.file.ReadAt(r.buffer, e.offset); err != nil {
		return event{}, fmt.Errorf("read log event: %w", err)
	}
	found, ok := parseLine(r.buffer)
	if !ok {
		return event{}, fmt.Errorf("read log event: %s is damaged at byte %d", r.file.Name(), e.offset)
	}
	return found, nil
}

func (r *journalReader) close() {
	if r.file != nil {
		_ = r.file.Close()
	}
}

// summary is what is told of a stream without reading its events; times are nil when it has none.
type summary struct {
	first, last, ingested *int64
	size                  int64
}

func (j *journal) summary() (summary, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.load(); err != nil {
		return summary{}, err
	}
	s := summary{size: j.size}
	if len(j.entries) > 0 {
		first, last, ingested := j.entries[0].at, j.entries[len(j.entries)-1].at, j.lastIngested
		s.first, s.last, s.ingested = &first, &last, &ingested
	}
	return s, nil
}

// remove deletes the file for good.
func (j *journal) remove() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.gone, j.entries = true, nil
	if err := os.Remove(j.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove log events: %w", err)
	}
	return nil
}

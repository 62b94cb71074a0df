package build

import (
	"bytes"
	"strings"
)

const (
	rememberedLines = 20       // of a step, for when it fails
	longestLine     = 16 << 10 // bytes; a longer one is split
)

// output gathers what a step prints into lines. The zero value is ready.
type output struct {
	partial map[int][]byte // by stream: what has no line end yet
	last    []string
}

// write adds a piece and gives the lines that it completes.
func (o *output) write(stream int, piece []byte) []string {
	if o.partial == nil {
		o.partial = map[int][]byte{}
	}
	rest := append(o.partial[stream], piece...)
	var lines []string
	for {
		end := bytes.IndexByte(rest, '\n')
		switch {
		case end >= 0 && end <= longestLine:
			lines = append(lines, shown(rest[:end]))
			rest = rest[end+1:]
			continue
		case len(rest) > longestLine:
			lines = append(lines, shown(rest[:longestLine]))
			rest = rest[longestLine:]
			continue
		}
		break
	}
	o.partial[stream] = bytes.Clone(rest)
	return lines
}

// flush gives what was printed without a line end.
func (o *output) flush() []string {
	var lines []string
	for _, stream := range []int{1, 2} {
		if rest := o.partial[stream]; len(rest) > 0 {
			lines = append(lines, shown(rest))
		}
		delete(o.partial, stream)
	}
	return lines
}

func (o *output) remember(line string) {
	o.last = append(o.last, line)
	if excess := len(o.last) - rememberedLines; excess > 0 {
		o.last = append([]string(nil), o.last[excess:]...)
	}
}

// shown is a line as a terminal would leave it: what a carriage return overwrote is gone, as in progress bars.
func shown(line []byte) string {
	text := strings.TrimRight(string(line), "\r")
	if i := strings.LastIndexByte(text, '\r'); i >= 0 {
		text = text[i+1:]
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

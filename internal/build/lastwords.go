package build

import (
	"bytes"
	"strings"
	"sync"
)

const lastWordsMax = 8 << 10 // bytes

// lastWords keeps the end of what a program says on its standard error.
type lastWords struct {
	mu   sync.Mutex
	said bytes.Buffer
	// line is told of every line; nil: nobody is.
	line    func(string)
	partial string
}

// Write implements io.Writer.
func (l *lastWords) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.said.Write(p)
	if excess := l.said.Len() - lastWordsMax; excess > 0 {
		l.said.Next(excess)
	}
	if l.line != nil {
		lines := strings.Split(l.partial+string(p), "\n")
		for _, line := range lines[:len(lines)-1] {
			l.line(line)
		}
		l.partial = lines[len(lines)-1]
		l.partial = l.partial[max(0, len(l.partial)-lastWordsMax):]
	}
	return len(p), nil
}

// complaint is why the program failed: its lines after "ERROR:", or all that it said.
func (l *lastWords) complaint() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	said := strings.TrimSpace(l.said.String())
	if i := strings.LastIndex("\n"+said, "\nERROR: "); i >= 0 {
		return strings.TrimPrefix(said[i:], "ERROR: ")
	}
	return said
}

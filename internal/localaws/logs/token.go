package logs

import (
	"fmt"
	"strconv"
	"strings"
)

// cursor is where a reader of one stream is: before a position, or after it.
type cursor struct {
	token    string // as the reader gave it; empty: none
	at       position
	backward bool
}

// parseCursor reads a token of GetLogEvents: f/TIME/OFFSET reads on from there, b/TIME/OFFSET reads what is before it.
// Without a token the start decides.
func parseCursor(token *string, fromHead bool) (cursor, error) {
	if token == nil {
		return cursor{backward: !fromHead}, nil
	}
	c := cursor{token: *token}
	parts := strings.Split(*token, "/")
	if len(parts) != 3 || parts[0] != "f" && parts[0] != "b" {
		return cursor{}, errToken()
	}
	var err1, err2 error
	c.at.at, err1 = strconv.ParseInt(parts[1], 10, 64)
	c.at.offset, err2 = strconv.ParseInt(parts[2], 10, 64)
	if err1 != nil || err2 != nil {
		return cursor{}, errToken()
	}
	c.backward = parts[0] == "b"
	return c, nil
}

func errToken() error { return invalid("The specified nextToken is invalid.") }

// within narrows the time range that was asked for by the cursor.
func (c cursor) within(from, to position) span {
	s := span{from: from, to: to, backward: c.backward}
	if c.token == "" {
		return s
	}
	if c.backward && c.at.compare(to) < 0 {
		s.to = c.at
	}
	if !c.backward && c.at.compare(from) > 0 {
		s.from = c.at
	}
	return s
}

// tokens gives the tokens to go on with. In the direction that has nothing more, it is the same one again.
func (c cursor) tokens(first, after position, found bool) (forward, backward string) {
	if !found && c.token != "" {
		first, after = c.at, c.at
	}
	return fmt.Sprintf("f/%d/%d", after.at, after.offset), fmt.Sprintf("b/%d/%d", first.at, first.offset)
}

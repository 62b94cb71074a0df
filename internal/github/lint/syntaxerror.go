package lint

import (
	"errors"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// judgeScript says what a shell would say of the script's syntax. It never sees the rest of a script behind the first fault.
func (c *checker) judgeScript(s *step) {
	sc := s.script
	if sc == nil || sc.err == nil {
		return
	}
	var foreign syntax.LangError
	if errors.As(sc.err, &foreign) {
		c.add(codeBashism, sc.source(int(foreign.Pos.Offset())), foreign.Feature+" is a feature of bash, and this script runs in sh")
		return
	}
	var parse syntax.ParseError
	if !errors.As(sc.err, &parse) {
		c.add(codeShellSyntax, sc.start, "the script cannot be parsed: "+sc.err.Error())
		return
	}
	at := min(int(parse.Pos.Offset()), len(sc.value))
	switch {
	case strings.Contains(parse.Text, "unclosed here-document"):
		c.judgeHeredoc(sc, at)
	case strings.Contains(parse.Text, "without closing quote") && at < len(sc.value):
		at = suspect(sc.masked, at)
		c.add(codeOpenQuote, sc.source(at), "the quote "+sc.value[at:at+1]+" is not closed")
	default:
		c.add(codeShellSyntax, sc.source(at), parse.Text)
	}
}

// judgeHeredoc says why a here-document has no end: its terminator is missing, or is not alone on its line. at is where
// the here-document begins.
func (c *checker) judgeHeredoc(sc *script, at int) {
	term := terminator(sc.masked[at:])
	dash := strings.HasPrefix(sc.masked[at:], "<<-")
	offset := at
	for line := range strings.Lines(sc.masked[at:]) {
		text := strings.TrimRight(line, "\n")
		start := offset
		offset += len(line)
		if start == at || strings.Trim(text, " \t") != term {
			continue
		}
		lead := len(text) - len(strings.TrimLeft(text, " \t"))
		problem := "the terminator " + term + " has white space before it, and so does not end the here-document"
		if trailing := strings.TrimLeft(text, " \t"); trailing != term {
			problem = "the terminator " + term + " has white space behind it, and so does not end the here-document"
		} else if dash {
			problem = "the terminator " + term + " is indented with blanks: <<- takes away tabs only"
		}
		p := c.add(codeHeredocTerminator, sc.source(start+lead), problem)
		if sc.exact() && sc.canEdit() {
			p.Fix = &Fix{Title: "put " + term + " alone on its line", Edits: []Edit{sc.replace(start, start+len(text), term)}}
		}
		return
	}
	c.add(codeOpenHeredoc, sc.source(at), "the here-document "+term+" has no end")
}

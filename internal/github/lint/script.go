package lint

import (
	"errors"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// script is the text of a `run:`, and what a shell makes of it.
type script struct {
	*scalar
	shell shell
	// expressions are those in the value; complete is false when one has no end.
	expressions []expression
	complete    bool
	masked      string       // value with a name of the same length in place of each expression
	file        *syntax.File // nil: not parsed, or not parseable
	err         error        // of parsing
}

func newScript(src *source, s *step) *script {
	sc := &script{scalar: newScalar(src, s.run.val, s.run.key.Column-1), shell: shellOf(s)}
	sc.expressions, sc.complete = expressions(sc.value)
	sc.masked = mask(sc.value, sc.expressions)
	if sc.complete {
		sc.parse()
	}
	return sc
}

// mask puts underscores, which a shell takes for a word or a part of one wherever text may stand, in place of expressions.
// Lengths stay, so that places in the masked text are places in the text.
func mask(text string, found []expression) string {
	if len(found) == 0 {
		return text
	}
	masked := []byte(text)
	for _, e := range found {
		for i := e.start; i < e.end; i++ {
			masked[i] = '_'
		}
	}
	return string(masked)
}

var variants = map[dialect]syntax.LangVariant{bash: syntax.LangBash, posix: syntax.LangPOSIX}

func (sc *script) parse() {
	variant, ours := variants[sc.shell.dialect]
	if !ours {
		return
	}
	file, err := parseShell(sc.masked, variant)
	var foreign syntax.LangError
	if errors.As(err, &foreign) { // the script makes sense to bash: know its commands nevertheless
		file, _ = parseShell(sc.masked, syntax.LangBash)
	}
	sc.file, sc.err = file, err
}

func parseShell(text string, variant syntax.LangVariant) (*syntax.File, error) {
	file, err := syntax.NewParser(syntax.Variant(variant), syntax.KeepComments(true)).Parse(strings.NewReader(text), "")
	if err != nil {
		return nil, err
	}
	return file, nil
}

// original is the script's own text of a node: with its expressions.
func (sc *script) original(n syntax.Node) string {
	from, to := span(n)
	return sc.value[min(from, len(sc.value)):min(to, len(sc.value))]
}

// span is where a node stands in its script.
func span(n syntax.Node) (from, to int) {
	from, to = int(n.Pos().Offset()), int(n.End().Offset())
	return from, max(from, to)
}

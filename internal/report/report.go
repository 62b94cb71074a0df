package report

import (
	"fmt"
	"io"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// Kind is a face.
type Kind string

// The faces.
const (
	Terminal Kind = "text"   // redraws in place
	Plain    Kind = "plain"  // only ever adds lines
	GitHub   Kind = "github" // plain, with GitHub's workflow commands
	JSON     Kind = "json"   // an event a line, on the output stream
)

// Choose picks a face: the one that flag names, or GitHub's inside Actions, the terminal's on a terminal that can move its
// cursor, the plain one elsewhere. "text" asks for the last three.
func Choose(flag string, terminal bool, getenv func(string) string) (Kind, error) {
	switch kind := Kind(flag); kind {
	case Plain, GitHub, JSON:
		return kind, nil
	case Terminal, "":
	default:
		return "", fmt.Errorf("--output %q: there is text, plain, json and github", flag)
	}
	switch {
	case getenv("GITHUB_ACTIONS") == "true":
		return GitHub, nil
	case terminal && getenv("TERM") != "dumb":
		return Terminal, nil
	}
	return Plain, nil
}

// Options say where and how to render.
type Options struct {
	Out, Err io.Writer
	Explain  bool // show how to do each phase by hand
	Verbose  bool // show build logs and ECS's messages also when all goes well
	Color    bool
	Mask     *Mask      // what no face may show; nil: nothing
	Width    func() int // columns of a terminal; nil or not positive: 80
	Now      func() time.Time
}

// Face renders events. Emit is safe for concurrent use; after Close nothing is written any more.
type Face interface {
	Emit(release.Event)
	// Close finishes the output and gives the first error of writing it.
	Close() error
}

// usualWidth is taken for a terminal's where nothing else is known.
const usualWidth = 80

// New makes a face.
func New(kind Kind, o Options) Face {
	if o.Width == nil {
		o.Width = func() int { return usualWidth }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Mask == nil {
		return newFace(kind, o)
	}
	return maskedFace{Face: newFace(kind, o), mask: o.Mask}
}

func newFace(kind Kind, o Options) Face {
	switch kind {
	case JSON:
		return newJSON(o)
	case Terminal:
		return newTerminal(o)
	case GitHub:
		return newText(o, githubStyle{})
	}
	return newText(o, plainStyle{})
}

package enginetest

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

// TestLastWords: what a program writes to its error stream right before it ends is in the log, whatever its other stream
// does. Several at once make the end of one stream and the last words of the other fall together.
func testLastWords(t *testing.T, open Opener) {
	s := open(t)
	pull := NewHub(t).Push(t, "app", ImageOf(t, runtime.GOARCH, v1.Config{}))
	const rounds, atOnce = 5, 8
	for round := range rounds {
		for i := range atOnce {
			s.StartSpec(t, pull, engine.ContainerSpec{ID: fmt.Sprintf("words-%d-%d", round, i), Command: []string{"write", "/no/such/directory"}})
		}
		for i := range atOnce {
			id := fmt.Sprintf("words-%d-%d", round, i)
			if exit, text := s.Output(t, id); exit.Code != 1 || !strings.Contains(text, "no such file or directory") {
				t.Errorf("%s: exit %+v, log %q", id, exit, text)
			}
		}
	}
}

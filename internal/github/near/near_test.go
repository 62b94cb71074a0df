package near_test

import (
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/github/near"
)

func TestWord(t *testing.T) {
	known := []string{"target", "action", "release", "workflow_dispatch", "on"}
	for word, want := range map[string]string{
		"targt": "target", "Release": "release", "actoin": "action", "workflow-dispach": "workflow_dispatch", "no": "", "x": "", "ref": "",
		"": "", "relaesed": "", "ON": "on",
	} {
		if got := near.Word(word, known); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}

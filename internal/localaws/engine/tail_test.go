package engine_test

import (
	"strings"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

func TestTail(t *testing.T) {
	var out engine.Tail
	for range 3000 {
		if n, err := out.Write([]byte("ab")); n != 2 || err != nil {
			t.Fatal(n, err)
		}
	}
	if got := out.String(); len(got) != engine.ExecOutputBytes || !strings.HasSuffix(got, "abab") {
		t.Errorf("%d bytes kept", len(got))
	}
}

package engine_test

import (
	"testing"
	"testing/synctest"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

func TestNotRun(t *testing.T) {
	for text, code := range map[string]int{
		`exec: "curl": executable file not found in $PATH`: engine.ExitNotFound,
		"stat /nothing: no such file or directory":         engine.ExitNotFound,
		"exec /etc: permission denied":                     engine.ExitNotExecutable,
		"exec /etc: is a directory":                        engine.ExitNotExecutable,
		"exec /app: exec format error":                     engine.ExitNotExecutable,
		"the daemon is gone":                               0,
	} {
		result, ok := engine.NotRun(text)
		if ok != (code != 0) || result.Code != code || ok && result.Output != text {
			t.Errorf("%q = %+v, %v", text, result, ok)
		}
	}
}

func TestDrain(t *testing.T) {
	drained := make(chan struct{})
	synctest.Test(t, func(t *testing.T) {
		if engine.Drain(make(chan struct{})) {
			t.Error("output that never ends was drained")
		}
	})
	close(drained)
	if !engine.Drain(drained) {
		t.Error("output that had ended was not drained")
	}
}

//go:build linux

package containerd_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine/containerd"
)

func TestMain(m *testing.M) {
	if err := containerd.BecomeShim(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// TestBecomeShimIsForShimsAlone: a process that is not started as the shim goes on.
func TestBecomeShimIsForShimsAlone(t *testing.T) {
	for _, args := range [][]string{nil, {"medusa-deploy"}, {"/usr/bin/medusa-deploy", "local", "up"}, {"x", "secret-shim", "start"}} {
		if err := containerd.BecomeShim(args); err != nil {
			t.Errorf("%v: %v", args, err)
		}
	}
	for _, args := range [][]string{{"/r/secret-shim", "start"}, {"/r/secret-shim", "-id", "../../x", "start"}, {"/r/secret-shim", "-id", "web", "start"}} {
		if err := containerd.BecomeShim(args); err == nil || !strings.Contains(err.Error(), "add the secrets to the container") {
			t.Errorf("%v: %v", args, err)
		}
	}
}

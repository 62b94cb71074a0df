//go:build linux

package containerd

import (
	"context"
	"strings"
	"time"

	"github.com/containerd/ttrpc"
)

// pastShim does something with a container's task. A shim ends with its container, and containerd hands on what its
// connection says when that happens in the middle of a call: nothing is known then, and the next call is answered by what
// is left. What goes on saying so for removalPatience is an error.
func pastShim(ctx context.Context, do func() error) error {
	ticker, late := time.NewTicker(pollInterval), time.NewTimer(removalPatience)
	defer ticker.Stop()
	defer late.Stop()
	for {
		err := do()
		if err == nil || !strings.Contains(err.Error(), ttrpc.ErrClosed.Error()) { // over gRPC it is but its text
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-late.C:
			return err
		case <-ticker.C:
		}
	}
}

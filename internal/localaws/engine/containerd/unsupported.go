//go:build !linux

package containerd

import (
	"context"
	"errors"
	"log/slog"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

// errUnsupported is the one answer on other systems than Linux.
var errUnsupported = errors.New("the built-in engine needs Linux\n  use `--engine docker`, or `--engine simulated` when only the API is needed")

// Engine runs containers; on this system there is none, and Open says so.
type Engine struct{ engine.Engine }

// Preflight reports that containers cannot run on this system.
func Preflight() error { return errUnsupported }

// Open reports that containers cannot run on this system.
func Open(context.Context, Config) (*Engine, error) { return nil, errUnsupported }

// Teardown has nothing to remove on this system.
func Teardown(context.Context, string, *slog.Logger) error { return nil }

// BuildKitAddress is empty: no Engine exists on this system.
func (*Engine) BuildKitAddress() string { return "" }

// Shutdown has nothing to stop on this system.
func (*Engine) Shutdown(context.Context) error { return nil }

// BecomeShim has nothing to become on this system.
func BecomeShim([]string) error { return nil }

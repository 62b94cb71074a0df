package ecs

import "context"

// How many things the engine is asked to do at once. Pulls have a gate of their own: a registry that hangs must not keep
// tasks whose image is there from starting.
const (
	pullsAtOnce = 4
	workAtOnce  = 8
)

// gate lets only so many through at a time.
type gate chan struct{}

// through does f once there is room for it; ctx's error when it ends before.
func (g gate) through(ctx context.Context, f func() error) error {
	select {
	case g <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-g }()
	return f()
}

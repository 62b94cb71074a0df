package engine

import (
	"context"
	"time"
)

// latePatience is what is granted to what must be brought to its end although nobody waits for it.
const latePatience = 30 * time.Second

// Unhurried is for cleaning up: it outlives the cancellation that made it necessary, but not for ever.
func Unhurried(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), latePatience)
}

// Whole does something that is not to be called off halfway: daemons go on with what nobody waits for any more, so that a
// container whose creation was called off can come to be after whoever called it off has looked for what to remove. When
// ctx ends before, nothing is done; when it ends meanwhile, its error is returned once it is done. It waits 30 s for that
// at most.
func Whole(ctx context.Context, do func(context.Context) error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	unbroken, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(latePatience, cancel) })
	defer stop()
	if err := do(unbroken); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// cut pushes with the program through a wire that is cut when half of the image has been sent, and pushes again.
func cut(ctx context.Context, o options) (err error) {
	wire, err := rehearsal.StartWire(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, wire.Close()) }()
	var lines [][]string
	for _, s := range o.shapes() {
		err := o.OnLocalAWS(ctx, func(ctx context.Context, stage *rehearsal.Stage) error {
			line, err := cutOnce(ctx, stage, wire, s)
			lines = append(lines, line)
			return err
		}, "--advertise", wire.Address())
		if err != nil {
			return err
		}
	}
	fmt.Println()
	rehearsal.WriteTable(os.Stdout, []string{"cut at 50 %", "first push sent", "second push sent", "of the image"}, lines)
	fmt.Println()
	return nil
}

// cutOnce gives the table's line of one image. The program's own retries fail on the cut wire, as they do when a network
// is gone for good: it is killed as soon as it is cut, and started again when the wire is whole.
func cutOnce(ctx context.Context, stage *rehearsal.Stage, wire *rehearsal.Wire, s shape) ([]string, error) {
	cloud, err := stage.Cloud(ctx)
	if err != nil {
		return nil, err
	}
	wire.Forward(cloud.Listen())
	progress("building an image of %s", s)
	if err := plant(stage, s); err != nil {
		return nil, err
	}
	if _, err := stage.Green(ctx, release.OutcomeSucceeded, "build"); err != nil {
		return nil, err
	}
	total := s.size * int64(s.layers)
	before := wire.Sent()
	wire.CutAfter(total / 2)
	_, err = stage.KillWhen(ctx, func([]string) bool { return wire.IsCut() }, "push")
	if err != nil {
		return nil, err
	}
	if !wire.IsCut() {
		return nil, errors.New("the first push was not cut")
	}
	first := wire.Sent() - before
	wire.Restore()
	before = wire.Sent()
	if _, err := stage.Green(ctx, release.OutcomeSucceeded, "push"); err != nil {
		return nil, err
	}
	second := wire.Sent() - before
	// What is sent twice is what was under way in layers of less than 8 MiB, which are sent from their start; in larger ones
	// the push goes on in the middle.
	if again := first + second - total; again > 8*min(s.size, 8<<20)+total/20 {
		return nil, fmt.Errorf("%s: the second push sent %d MiB, although the first had sent %d of %d", s, second>>20, first>>20, total>>20)
	}
	return []string{s.String(), mib(first), mib(second), fmt.Sprintf("%d %%", 100*second/total)}, nil
}

func mib(n int64) string { return strings.TrimSpace(fmt.Sprintf("%5d MiB", n>>20)) }

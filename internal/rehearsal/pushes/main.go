// Command pushes measures how fast images move, on one machine and with the same image on each side:
//
//   - registries: crane's push to and pull from local ECR, against CNCF distribution;
//   - clients: the program's push of an image that is built, against crane's and skopeo's, to the same local ECR;
//   - cut: how many bytes a second push sends after the connection of the first was cut half way.
//
// Sides take turns within each round. It prints medians with their range, and ratios: above 1 is faster than the other.
// It fails when a push fails or when a second try sends what had arrived; it asserts nothing about time.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
)

// options are the command line.
type options struct {
	rehearsal.Tools
	peers  string
	parts  string
	rounds int
	size   int64
	layers int
}

func main() {
	var o options
	o.Flags()
	flag.StringVar(&o.peers, "peers", "bin/peers", "directory of crane and registry")
	flag.StringVar(&o.parts, "parts", "registries,clients,cut", "what to measure")
	flag.IntVar(&o.rounds, "rounds", 5, "how often")
	flag.Int64Var(&o.size, "size", 1024, "of an image, in MiB")
	flag.IntVar(&o.layers, "layers", 300, "of the image with many layers")
	rehearsal.Main("pushes", func(ctx context.Context) error { return run(ctx, o) })
}

// shape is an image by its layers.
type shape struct {
	name   string
	layers int
	size   int64 // bytes of each layer
}

func (o options) shapes() []shape {
	total := o.size << 20
	return []shape{{"one", 1, total}, {"many", o.layers, total / int64(o.layers)}}
}

func (s shape) String() string {
	if s.layers == 1 {
		return fmt.Sprintf("%d MiB in one layer", s.size>>20)
	}
	return fmt.Sprintf("%d MiB in %d layers", s.size*int64(s.layers)>>20, s.layers)
}

func run(ctx context.Context, o options) error {
	if err := rehearsal.Absolute(&o.peers); err != nil {
		return err
	}
	known := map[string]func(context.Context, options) error{"registries": registries, "clients": clients, "cut": cut}
	for part := range strings.SplitSeq(o.parts, ",") {
		measure, ok := known[part]
		if !ok {
			return fmt.Errorf("there is no part %q", part)
		}
		if err := measure(ctx, o); err != nil {
			return fmt.Errorf("%s: %w", part, err)
		}
	}
	return nil
}

func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

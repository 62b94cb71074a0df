package main

import (
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
)

// times are what was measured, by what was done and by whom.
type times map[[2]string][]time.Duration

func (t times) add(what, who string, took time.Duration) {
	t[[2]string{what, who}] = append(t[[2]string{what, who}], took)
	progress("  %s, %s: %.2f s", what, who, took.Seconds())
}

func (t times) of(what, who string) []time.Duration { return t[[2]string{what, who}] }

// timed is how long do takes.
func timed(do func() error) (time.Duration, error) {
	begin := time.Now()
	err := do()
	return time.Since(begin), err
}

// print compares ours with each of the others, in the order of whats.
func (t times) print(whats []string, ours string, others ...string) {
	header := []string{"", ours}
	for _, other := range others {
		header = append(header, other, "ratio")
	}
	var lines [][]string
	for _, what := range whats {
		line := []string{what, spread(t.of(what, ours))}
		for _, other := range others {
			ratio := median(t.of(what, other)).Seconds() / median(t.of(what, ours)).Seconds()
			line = append(line, spread(t.of(what, other)), fmt.Sprintf("%.2f×", ratio))
		}
		lines = append(lines, line)
	}
	fmt.Println()
	rehearsal.WriteTable(os.Stdout, header, lines)
	fmt.Println()
}

func spread(all []time.Duration) string {
	return fmt.Sprintf("%.2f s (%.2f–%.2f)", median(all).Seconds(), slices.Min(all).Seconds(), slices.Max(all).Seconds())
}

func median(all []time.Duration) time.Duration {
	sorted := slices.Clone(all)
	slices.Sort(sorted)
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

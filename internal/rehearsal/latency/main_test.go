package main

import (
	"slices"
	"testing"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

func TestLine(t *testing.T) {
	begin := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	var samples []*sample
	for n := range 20 {
		s := &sample{fact: begin, exited: begin.Add(time.Duration(20-n) * 100 * time.Millisecond), waited: begin.Add(15 * time.Second), outcome: release.OutcomeSucceeded}
		if n == 7 {
			s.outcome, s.exit, s.waiter = release.OutcomeRolledBack, 6, 255
		}
		samples = append(samples, s)
	}
	for _, tt := range []struct {
		got, want []string
	}{
		{line("ship", "then", samples, fact, exited, shipVerdict),
			[]string{"ship", "then", "20", "1.00 s", "1.90 s", "2.00 s", "1 × rolled_back, exit 6; 19 × succeeded, exit 0"}},
		{line("wait", "then", samples, fact, waited, waiterVerdict),
			[]string{"wait", "then", "20", "15.00 s", "15.00 s", "15.00 s", "1 × exit 255; 19 × stable, exit 0"}},
		{line("of it", "then", samples[:1], fact, exited, nil),
			[]string{"of it", "then", "1", "2.00 s", "2.00 s", "2.00 s", ""}},
	} {
		if !slices.Equal(tt.got, tt.want) {
			t.Errorf("line = %q, want %q", tt.got, tt.want)
		}
	}
}

package check

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

func TestClock(t *testing.T) {
	for name, tc := range map[string]struct {
		ahead   time.Duration
		unknown bool
		local   bool
		problem string // empty: nothing is found
	}{
		"right":         {},
		"a little off":  {ahead: 5 * time.Minute},
		"ahead":         {ahead: 5*time.Minute + time.Second, problem: "it is 5m1s ahead of AWS's"},
		"behind":        {ahead: -2 * time.Hour, problem: "it is 2h behind AWS's"},
		"nobody knows":  {ahead: time.Hour, unknown: true},
		"local: itself": {ahead: time.Hour, local: true},
	} {
		t.Run(name, func(t *testing.T) {
			w, req := soundWorld(), request()
			w.ahead, w.clockKnown = tc.ahead, !tc.unknown
			if tc.local {
				req = localRequest()
			}
			findings := check(t, w, req)
			if tc.problem == "" {
				if len(findings) > 0 {
					t.Errorf("findings = %+v", findings)
				}
				return
			}
			if len(findings) != 1 || findings[0].Code != "MD022" || findings[0].Problem != tc.problem {
				t.Errorf("findings = %+v", findings)
			}
		})
	}
}

func TestExpiry(t *testing.T) {
	ends := func(in time.Duration) awsclient.Expiry {
		return awsclient.Expiry{At: noon.Add(in), Source: "the profile"}
	}
	role := ends(time.Minute)
	role.Renews = true
	for name, tc := range map[string]struct {
		expiry  awsclient.Expiry
		unknown bool
		err     error
		migrate time.Duration
		problem string
	}{
		"never":                       {unknown: true},
		"late enough":                 {expiry: ends(15 * time.Minute)},
		"too early":                   {expiry: ends(15*time.Minute - time.Second), problem: "in 14m59s; the release may take 15m"},
		"too early for the migration": {expiry: ends(20 * time.Minute), migrate: 10 * time.Minute, problem: "the release may take 25m"},
		"a role's":                    {expiry: role},
		"none at all":                 {expiry: ends(0), err: errors.New("no credentials")}, // said elsewhere
	} {
		t.Run(name, func(t *testing.T) {
			w, req := soundWorld(), request()
			w.expiry, w.ends, w.expiryErr = tc.expiry, !tc.unknown, tc.err
			if tc.migrate > 0 {
				req.Target.Migrate = &release.Migration{Timeout: tc.migrate}
			}
			findings := check(t, w, req)
			if tc.problem == "" {
				if len(findings) > 0 {
					t.Errorf("findings = %+v", findings)
				}
				return
			}
			if diff := cmp.Diff([]string{"MD023"}, codes(findings)); diff != "" {
				t.Fatal(diff)
			}
			if !strings.Contains(findings[0].Problem, tc.problem) {
				t.Errorf("problem = %s, want %q in it", findings[0].Problem, tc.problem)
			}
		})
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 30 * time.Second: "30s", 15 * time.Minute: "15m", 90 * time.Second: "1m30s", time.Hour: "1h", 61 * time.Minute: "1h1m", 10 * time.Hour: "10h",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%d) = %s, want %s", d, got, want)
		}
	}
}

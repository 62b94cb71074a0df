package elb

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// State is a target's state in the words of Elastic Load Balancing (TargetHealth in its API reference).
type State string

// The states of a target.
const (
	Initial   State = "initial"
	Healthy   State = "healthy"
	Unhealthy State = "unhealthy"
	Draining  State = "draining"
	Unused    State = "unused"
)

// Health is a target's state, with ELB's reason code and its description for people.
type Health struct {
	State       State
	Reason      string // such as Target.FailedHealthChecks; empty when healthy
	Description string
}

func unused() Health {
	return Health{State: Unused, Reason: "Target.NotRegistered", Description: "Target is not registered to the target group"}
}

// pace is how often and how long health is checked.
type pace struct {
	eager   time.Duration // between checks until the first success
	regular time.Duration // between checks afterwards, and of targets that were given up
	timeout time.Duration // of one check
	// A new target may fail for as long as this before it counts as unhealthy. On AWS the second failure comes 30 s after
	// the first: what is started needs time to listen. An answer, though a wrong one, shows that it has started.
	silentPatience, wrongPatience time.Duration
}

func defaultPace() pace {
	return pace{
		eager: 100 * time.Millisecond, regular: time.Second, timeout: 2 * time.Second,
		silentPatience: 30 * time.Second, wrongPatience: 10 * time.Second,
	}
}

const (
	// unhealthyThreshold is how many failures in a row make a healthy target unhealthy; AWS's default as well.
	unhealthyThreshold = 2
	// healthyThreshold is how many successes in a row make an unhealthy target healthy; 5 on AWS. A new one needs one.
	healthyThreshold = 2
)

// verdict is the outcome of one check.
type verdict struct {
	ok          bool
	answered    bool // an answer came, whatever it says
	reason      string
	description string
}

// checkRecord is what the checks of one target have shown so far.
type checkRecord struct {
	health              Health
	everHealthy         bool
	failures, successes int // in a row
	silentSince         time.Time
	wrongSince          time.Time
}

func newCheckRecord() checkRecord {
	return checkRecord{health: Health{State: Initial, Reason: "Elb.InitialHealthChecking", Description: "Initial health checks in progress"}}
}

// observe adds a verdict and gives the time until the next check.
func (r *checkRecord) observe(v verdict, now time.Time, p pace) time.Duration {
	if v.ok {
		r.succeed()
		return p.regular
	}
	r.failures++
	r.successes = 0
	if r.silentSince.IsZero() {
		r.silentSince = now
	}
	if !v.answered {
		r.wrongSince = time.Time{}
	} else if r.wrongSince.IsZero() {
		r.wrongSince = now
	}
	if r.failures >= unhealthyThreshold && (r.everHealthy || r.outOfPatience(now, p)) || r.health.State == Unhealthy {
		r.health = Health{State: Unhealthy, Reason: v.reason, Description: v.description}
	}
	if r.everHealthy || r.health.State == Unhealthy {
		return p.regular
	}
	return p.eager
}

func (r *checkRecord) succeed() {
	r.failures = 0
	r.successes++
	if r.health.State == Initial || r.successes >= healthyThreshold {
		r.health, r.everHealthy = Health{State: Healthy}, true
	}
}

func (r *checkRecord) outOfPatience(now time.Time, p pace) bool {
	return now.Sub(r.silentSince) >= p.silentPatience || !r.wrongSince.IsZero() && now.Sub(r.wrongSince) >= p.wrongPatience
}

// watch checks a target until it leaves, and keeps the rotation in step.
func (g *group) watch(t *target) {
	client := &http.Client{
		// Each check is a connection of its own: it tests that the target accepts them.
		Transport:     &http.Transport{DisableKeepAlives: true, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	for {
		v := g.check(t.checking, client, t.address)
		wait, leaves := g.observe(t, v)
		if leaves {
			return
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-t.checking.Done():
			timer.Stop()
			return
		}
	}
}

// observe records a verdict, unless the target has left meanwhile.
func (g *group) observe(t *target, v verdict) (wait time.Duration, leaves bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if t.checking.Err() != nil {
		return 0, true
	}
	before := t.record.health
	wait = t.record.observe(v, time.Now(), g.pace)
	after := t.record.health
	if after.State == Healthy {
		g.rotation.add(t)
	} else {
		g.rotation.remove(t)
	}
	if before.State != after.State {
		g.log.Info("target is "+string(after.State), "target", t.id, "address", t.address, "reason", after.Description)
	}
	return wait, false
}

// check asks the target once.
func (g *group) check(ctx context.Context, client *http.Client, address string) verdict {
	if g.assume {
		return verdict{ok: true}
	}
	settings := g.settings.Load()
	ctx, cancel := context.WithTimeout(ctx, g.pace.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+settings.HealthCheckPath, nil)
	if err != nil {
		return verdict{reason: "Target.FailedHealthChecks", description: "Health checks failed: " + err.Error()}
	}
	req.Header.Set("User-Agent", "ELB-HealthChecker/2.0")
	resp, err := client.Do(req)
	if err != nil {
		return silence(err)
	}
	_ = resp.Body.Close()
	if settings.HealthyCodes.Has(resp.StatusCode) {
		return verdict{ok: true, answered: true}
	}
	return verdict{
		answered: true, reason: "Target.ResponseCodeMismatch",
		description: fmt.Sprintf("Health checks failed with these codes: [%d]", resp.StatusCode),
	}
}

// silence is the verdict on a target that gave no answer.
func silence(err error) verdict {
	var timeout net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return verdict{reason: "Target.Timeout", description: "Request timed out"}
	}
	return verdict{reason: "Target.FailedHealthChecks", description: "Health checks failed"}
}

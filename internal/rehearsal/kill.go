package rehearsal

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// Killed is what a program that was killed had reported.
type Killed struct {
	Events []string // kinds, in order; a phase's have its name: "phase_done verify"
	Ended  bool     // it came to its end before the event at which it was to be killed
}

// Last is the event at which it was killed.
func (k Killed) Last() string {
	if len(k.Events) == 0 {
		return ""
	}
	return k.Events[len(k.Events)-1]
}

// KillAt runs a release command and kills it (SIGKILL) as soon as it has reported its nth event, counted from 1.
func (s *Stage) KillAt(ctx context.Context, n int, args ...string) (Killed, error) {
	return s.KillWhen(ctx, func(events []string) bool { return len(events) == n }, args...)
}

// KillWhen runs a release command and kills it (SIGKILL) as soon as it has reported an event with which all of them so
// far, by their kinds, are reason enough.
func (s *Stage) KillWhen(ctx context.Context, enough func(events []string) bool, args ...string) (Killed, error) {
	command := s.Command(ctx, append(args, "--output", "json")...)
	stdout, err := command.StdoutPipe()
	if err != nil {
		return Killed{}, fmt.Errorf("run %v: %w", args, err)
	}
	if err := command.Start(); err != nil {
		return Killed{}, fmt.Errorf("run %v: %w", args, err)
	}
	killed := Killed{Ended: true}
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		kind, err := eventKind(lines.Bytes())
		if err != nil {
			return killed, err
		}
		killed.Events = append(killed.Events, kind)
		if enough(killed.Events) {
			killed.Ended = false
			if err := command.Process.Kill(); err != nil {
				return killed, fmt.Errorf("kill %v: %w", args, err)
			}
			break
		}
	}
	_ = command.Wait() // killed, or ended as it liked: what it left behind is what counts
	return killed, nil
}

func eventKind(line []byte) (string, error) {
	var event struct {
		Type  string        `json:"type"`
		Phase release.Phase `json:"phase"`
	}
	if err := json.Unmarshal(line, &event); err != nil {
		return "", fmt.Errorf("an event is not JSON: %w: %s", err, line)
	}
	if event.Phase != "" {
		return event.Type + " " + string(event.Phase), nil
	}
	return event.Type, nil
}

// Settled checks that what runs on the stage's target is what the tag names, with nothing in flight, and gives its digest;
// empty when there is no service yet.
func (s *Stage) Settled(ctx context.Context) (release.Digest, error) {
	status, err := s.Status(ctx)
	if err != nil {
		return "", err
	}
	for _, one := range status.Services {
		if one.Missing {
			return "", nil
		}
		if one.InFlight || one.Running != one.Desired || len(one.Digests) != 1 || one.Digests[status.Tagged] != one.Desired || len(one.Drift) > 0 {
			return "", fmt.Errorf("status is not settled: %+v", status)
		}
	}
	return status.Tagged, nil
}

// Status is what `status` says of the stage's target.
func (s *Stage) Status(ctx context.Context) (release.Status, error) {
	var status release.Status
	out, err := s.Must(ctx, "status", "--output", "json")
	if err != nil {
		return status, err
	}
	if err := json.Unmarshal([]byte(out.Stdout), &status); err != nil {
		return status, fmt.Errorf("read the output of status: %w", err)
	}
	return status, nil
}

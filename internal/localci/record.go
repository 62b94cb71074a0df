package localci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// Outcome is how a run ended, in GitHub's words where it has one.
type Outcome string

// The outcomes. A run without one is in progress, or waits for its turn.
const (
	Success   Outcome = "success"
	Failure   Outcome = "failure"
	Cancelled Outcome = "cancelled" // interrupted, or replaced while it waited for its turn
)

// Record is what is known of a run.
type Record struct {
	Number   int       `json:"number"`
	Workflow string    `json:"workflow"` // its name
	Path     string    `json:"path"`     // of its file in the repository
	Title    string    `json:"title"`
	Event    string    `json:"event"` // push, workflow_dispatch
	Ref      string    `json:"ref"`   // refs/heads/main
	SHA      string    `json:"sha"`
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished,omitzero"`
	Outcome  Outcome   `json:"outcome,omitempty"`
	Reason   string    `json:"reason,omitempty"` // of an outcome that is no success
	Log      string    `json:"log"`              // path of what it printed
	Summary  string    `json:"summary,omitempty"`
	Mark     string    `json:"mark"`   // of its processes
	Source   string    `json:"source"` // directory of its workflow's checkout, while it runs
}

func (d Dir) recordPath(number int) string { return filepath.Join(d.run(number), "run.json") }
func (d Dir) runLock(number int) string    { return filepath.Join(d.run(number), "lock") }

// Runs gives the newest runs, newest first, at most limit. A run whose process was killed is one that was cancelled.
func (d Dir) Runs(limit int) ([]Record, error) {
	numbers, err := d.numbers()
	if err != nil {
		return nil, err
	}
	records := []Record{}
	for _, number := range slices.Backward(numbers) {
		if len(records) == limit {
			break
		}
		r, err := d.record(number)
		if errors.Is(err, fs.ErrNotExist) {
			continue // made this moment
		}
		if err != nil {
			return nil, err
		}
		records = append(records, r)
	}
	return records, nil
}

func (d Dir) record(number int) (Record, error) {
	raw, err := os.ReadFile(d.recordPath(number))
	if err != nil {
		return Record{}, fmt.Errorf("read run %d: %w", number, err)
	}
	var r Record
	if err := json.Unmarshal(raw, &r); err != nil {
		return Record{}, fmt.Errorf("%s is damaged: %w", d.recordPath(number), err)
	}
	if r.Outcome != "" {
		return r, nil
	}
	if _, alive, err := holder(d.runLock(number)); err != nil || alive {
		return r, err
	}
	// Between the two looks it may have ended in order.
	if again, err := os.ReadFile(d.recordPath(number)); err == nil && json.Unmarshal(again, &r) == nil && r.Outcome != "" {
		return r, nil
	}
	r.Outcome, r.Reason = Cancelled, "its process was killed"
	return r, nil
}

// keptRuns is how many runs are remembered.
const keptRuns = 100

// sweep ends what runs have left behind whose own process was killed, removes their secrets, and forgets old runs.
func (d Dir) sweep() error {
	numbers, err := d.numbers()
	if err != nil {
		return err
	}
	for len(numbers) > keptRuns {
		if r, err := d.record(numbers[0]); err != nil || r.Outcome == "" {
			break
		}
		if err := os.RemoveAll(d.run(numbers[0])); err != nil {
			return fmt.Errorf("forget run %d: %w", numbers[0], err)
		}
		numbers = numbers[1:]
	}
	for _, number := range numbers {
		raw, err := os.ReadFile(d.recordPath(number))
		var r Record
		if err != nil || json.Unmarshal(raw, &r) != nil || r.Outcome != "" {
			continue
		}
		if r, err = d.record(number); err != nil || r.Outcome == "" {
			continue // it lives
		}
		signalTracked(tracked(r.Mark), r.Mark, syscall.SIGKILL)
		err = errors.Join(os.RemoveAll(d.scratch(number)), os.RemoveAll(r.Source))
		if err = errors.Join(err, writeJSON(d.recordPath(number), r)); err != nil {
			return fmt.Errorf("clean up run %d, which was killed: %w", number, err)
		}
	}
	return nil
}

func (d Dir) scratch(number int) string { return filepath.Join(d.run(number), "scratch") }

// Stop ends the runs in progress, and those that wait, and returns when they are gone.
func (d Dir) Stop(ctx context.Context) error {
	if err := d.sweep(); err != nil {
		return err
	}
	numbers, err := d.numbers()
	if err != nil {
		return err
	}
	var waiting []int
	for _, number := range numbers {
		if _, alive, err := holder(d.runLock(number)); err != nil {
			return err
		} else if alive {
			waiting = append(waiting, number)
			if err := d.interrupt(number); err != nil {
				return err
			}
		}
	}
	for _, number := range waiting {
		err := poll(ctx, func() (bool, error) {
			_, alive, err := holder(d.runLock(number))
			return !alive, err
		})
		if err != nil {
			return fmt.Errorf("wait for run %d of local CI to end: %w", number, err)
		}
	}
	return nil
}

// interrupt asks the process of a run to end it. The lock is looked at again once the process is held by a handle, so that
// a process that got a dead one's id is left alone.
func (d Dir) interrupt(number int) error {
	pid, alive, err := holder(d.runLock(number))
	if err != nil || !alive || pid == 0 || pid == os.Getpid() {
		return err
	}
	process, err := os.FindProcess(pid)
	if err != nil {
		return fmt.Errorf("end run %d: %w", number, err)
	}
	defer process.Release() //nolint:errcheck // a handle that is no longer needed
	if now, alive, err := holder(d.runLock(number)); err != nil || !alive || now != pid {
		return err
	}
	if err := process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("end run %d (pid %d): %w; run as the user who pushed", number, pid, err)
	}
	return nil
}

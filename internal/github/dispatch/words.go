package dispatch

import (
	"fmt"
	"strings"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// Words is an event as a person reads it; empty when it says too little to be shown. They are not made safe for a
// terminal, nor for a workflow's log: a face does that.
func Words(e release.Event, verbose bool) string {
	switch e := e.(type) {
	case Dispatched:
		return dispatchedWords(e)
	case JobChanged:
		return jobWords(e)
	case StepChanged:
		if e.Conclusion == "failure" || verbose || e.Status == "completed" && e.Conclusion == "success" {
			return fmt.Sprintf("  %s: %s%s", e.Job, e.Step, ending(e.Status, e.Conclusion, e.Seconds))
		}
	case JobLog:
		return "    " + e.Text
	}
	return ""
}

func dispatchedWords(e Dispatched) string {
	if e.Workflow == "" {
		return fmt.Sprintf("run %d of %s\n  %s", e.Run, e.Repository, e.URL)
	}
	text := fmt.Sprintf("dispatched %s on %s at %s", e.Workflow, e.Repository, e.Ref)
	for _, name := range sortedKeys(e.Inputs) {
		text += " " + name + "=" + e.Inputs[name]
	}
	return fmt.Sprintf("%s: run %d\n  %s", text, e.Run, e.URL)
}

func jobWords(e JobChanged) string {
	switch {
	case e.Conclusion == "skipped":
		return e.Job + ": skipped"
	case e.Status == "waiting":
		return fmt.Sprintf("%s: waits for approval: %s", e.Job, e.URL)
	}
	return e.Job + ending(e.Status, e.Conclusion, e.Seconds)
}

func ending(status, conclusion string, seconds float64) string {
	word := strings.ReplaceAll(status, "_", " ")
	if conclusion != "" {
		word = strings.ReplaceAll(conclusion, "_", " ")
	}
	if status != "completed" {
		return ": " + word
	}
	return fmt.Sprintf(": %s (%s)", word, time.Duration(seconds*float64(time.Second)).Round(time.Second))
}

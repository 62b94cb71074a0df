package report

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// actionsFace is a face that also leaves a job summary and outputs behind for GitHub Actions, at the end of a run.
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#adding-a-job-summary
type actionsFace struct {
	Face
	summary, outputs io.Writer // nil: none
	mu               sync.Mutex
	story            story
	err              error
}

// story is what a summary tells of a run, gathered from its events.
type story struct {
	changes  *release.Changes
	findings []release.Finding
	result   release.Result
}

// WithActions adds a job summary and step outputs to a face. Either writer may be nil.
func WithActions(f Face, summary, outputs io.Writer, mask *Mask) Face {
	face := &actionsFace{Face: f, summary: summary, outputs: outputs}
	if mask == nil {
		return face
	}
	return maskedFace{Face: face, mask: mask}
}

// Emit implements Face.
func (f *actionsFace) Emit(e release.Event) {
	f.Face.Emit(e)
	f.mu.Lock()
	defer f.mu.Unlock()
	switch e := e.(type) {
	case release.ChangesFound:
		f.story.changes = &e.Changes
	case release.Found:
		f.story.findings = append(f.story.findings, e.Finding)
	case release.Result:
		f.story.result = e
		f.err = errors.Join(f.write(f.summary, summaryText(f.story)), f.write(f.outputs, outputsText(e)))
	}
}

func (f *actionsFace) write(w io.Writer, text string) error {
	if w == nil {
		return nil
	}
	_, err := io.WriteString(w, text)
	return err
}

// Close implements Face.
func (f *actionsFace) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return errors.Join(f.Face.Close(), f.err)
}

// outputsText are the step's outputs. Each stands between two delimiters that nobody can guess, so that no value can end
// early and set another output.
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#multiline-strings
func outputsText(r release.Result) string {
	deployment, url := "", ""
	if len(r.Services) > 0 {
		deployment, url = r.Services[0].Deployment, r.Services[0].URL
	}
	text := ""
	for _, output := range [][2]string{
		{"outcome", string(r.Outcome)}, {"digest", string(r.Digest)}, {"image", r.Image}, {"commit", r.Commit},
		{"deployment-arn", deployment}, {"url", url},
	} {
		delimiter := "end-" + rand.Text()
		text += fmt.Sprintf("%s<<%s\n%s\n%s\n", output[0], delimiter, clean(output[1]), delimiter)
	}
	return text
}

package release

import (
	"context"
	"errors"
	"testing"
)

// tracedWorld has deployed a good image, a bad one, and a third that runs.
func tracedWorld() *world {
	w := newWorld(newDigest, "s")
	w.addImage(oldDigest, "git-c0ffee")
	w.history["s"] = []PastRollout{w.past("s", newDigest, statusSuccessful), w.past("s", subDigest, statusRollbackSuccessful), w.past("s", oldDigest, statusSuccessful)}
	for i := range w.history["s"] {
		w.history["s"][i].Deployment = []string{"arn:x/d3", "arn:x/d2", "arn:x/d1"}[i]
		w.history["s"][i].Revision = []string{"arn:x/r3", "arn:x/r2", "arn:x/r1"}[i]
	}
	return w
}

func TestHistory(t *testing.T) {
	w := tracedWorld()
	p, _ := w.pipeline(t)
	got, err := p.History(context.Background(), target("s"))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || got[0].Digest != newDigest || got[0].Running != 1 || got[0].Commit != "c"+newDigest.Short() {
		t.Errorf("newest = %+v, want the digest that runs, with its commit", got[0])
	}
	if !got[1].Gone || got[1].Running != 0 {
		t.Errorf("second = %+v, want an image that the registry no longer has", got[1])
	}
	if got[2].Gone || got[2].Running != 0 {
		t.Errorf("third = %+v", got[2])
	}
}

func TestTrace(t *testing.T) {
	tests := map[string]Digest{
		"latest": newDigest, string(newDigest): newDigest, "c0ffee": oldDigest, "git-c0ffee": oldDigest,
		"d1": oldDigest, "arn:x/d3": newDigest, "r1": oldDigest, "r": newDigest, // the world's one task is called r
		string(subDigest): subDigest, "d2": subDigest,
	}
	for ref, want := range tests {
		t.Run(ref, func(t *testing.T) {
			p, _ := tracedWorld().pipeline(t)
			got, err := p.Trace(context.Background(), target("s"), ref)
			if err != nil {
				t.Fatal(err)
			}
			if got.Image.Digest != want || len(got.Deployments) != 1 || got.Deployments[0].Digest != want {
				t.Errorf("Trace(%q) = %+v, want %s with its one deployment", ref, got, want)
			}
			if (want == subDigest) != got.Gone || (want == newDigest) != (len(got.Tasks) == 1) {
				t.Errorf("Trace(%q): gone %v, tasks %v", ref, got.Gone, got.Tasks)
			}
		})
	}
}

func TestTraceOfNothing(t *testing.T) {
	p, _ := tracedWorld().pipeline(t)
	_, err := p.Trace(context.Background(), target("s"), "nope")
	var f *Failure
	if !errors.As(err, &f) || f.Outcome != OutcomeRefused {
		t.Errorf("err = %v, want a refusal", err)
	}
}

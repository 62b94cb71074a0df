package release

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

// notary attaches, verifies and lists as a script says.
type notary struct {
	signs      bool
	missing    []AttestationKind
	prepareErr error
	missingErr error
	attachErr  error
	verifyErr  error
	listErr    error
	got        []AttestRequest
	verified   []Digest
}

func (n *notary) Signs() bool                   { return n.signs }
func (n *notary) Prepare(context.Context) error { return n.prepareErr }
func (n *notary) Requires() string              { return "key cosign.pub" }

func (n *notary) Missing(context.Context, string, Image) ([]AttestationKind, error) {
	return n.missing, n.missingErr
}

func (n *notary) Attach(_ context.Context, req AttestRequest) ([]AttestationKind, error) {
	n.got = append(n.got, req)
	if n.attachErr != nil {
		return nil, n.attachErr
	}
	return []AttestationKind{AttestationProvenance, AttestationSBOM, AttestationSignature}, nil
}

func (n *notary) Verify(_ context.Context, _ string, image Image) (Attestation, error) {
	n.verified = append(n.verified, image.Digest)
	return Attestation{Kind: AttestationSignature, Signer: "key sha256:123"}, n.verifyErr
}

func (n *notary) List(_ context.Context, _ string, image Image) ([]Attestation, error) {
	return []Attestation{{Kind: AttestationProvenance, Subject: image.Digest}}, n.listErr
}

// shipWith ships the clean commit; the registry has its image when present is set.
func shipWith(t *testing.T, n *notary, present Digest, change func(*ShipRequest)) (Result, *world, *recorder) {
	t.Helper()
	w := newWorld(oldDigest, "s")
	if present != "" {
		w.addImage(present, ImageTag(cleanCommit, ""))
	}
	p, rec := w.pipeline(t)
	p.Trust.Attester = n
	req := shipRequest("s")
	if change != nil {
		change(&req)
	}
	return p.Ship(context.Background(), req), w, rec
}

// said reports whether a notice or a phase's summary contains text.
func (r *recorder) said(text string) bool {
	return slices.ContainsFunc(r.events, func(e Event) bool {
		switch e := e.(type) {
		case Notice:
			return strings.Contains(e.Text, text)
		case PhaseDone:
			return strings.Contains(e.Summary, text)
		}
		return false
	})
}

func TestShipAttaches(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := &notary{}
		got, _, rec := shipWith(t, n, "", func(r *ShipRequest) { r.Build.Args = map[string]string{"A": "b"} })
		if got.Outcome != OutcomeSucceeded || len(n.got) != 1 {
			t.Fatalf("%s: %s, attached %d times", got.Outcome, got.Error, len(n.got))
		}
		req := n.got[0]
		if req.Image.Digest != newDigest || req.Repository != "medusa" || req.Commit.SHA != cleanCommit.SHA || req.Builder != "world" ||
			req.Build.Args["A"] != "b" || req.Started.IsZero() || req.Finished.Before(req.Started) {
			t.Errorf("attached %+v", req)
		}
		if !rec.said(", provenance, sbom and signature attached") {
			t.Errorf("nothing says that it was attached: %v", rec.events)
		}
	})
}

// TestShipAttachFails: a release goes on without provenance, but not without the signature that was asked for.
func TestShipAttachFails(t *testing.T) {
	for name, tc := range map[string]struct {
		notary  notary
		outcome Outcome
		exit    int
		says    string
		builds  int
	}{
		"provenance":           {notary{attachErr: errBroken}, OutcomeSucceeded, ExitDone, "not all that is known of it is attached: broken", 1},
		"signature":            {notary{attachErr: errBroken, signs: true}, OutcomeFailed, ExitBuild, "", 1},
		"a key that is no key": {notary{prepareErr: errBroken, signs: true}, OutcomeFailed, ExitBuild, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				got, w, rec := shipWith(t, &tc.notary, "", nil)
				if got.Outcome != tc.outcome || got.Exit != tc.exit || w.builds != tc.builds {
					t.Errorf("%s exit %d after %d builds: %s", got.Outcome, got.Exit, w.builds, got.Error)
				}
				if tc.says != "" && !rec.said(tc.says) {
					t.Errorf("nothing says %q: %v", tc.says, rec.events)
				}
				if tc.exit != ExitDone && (slices.Contains(w.calls, "force s") || w.tags["latest"] != oldDigest || !strings.Contains(got.Error, "broken")) {
					t.Errorf("calls %v, error %q: it must not be deployed", w.calls, got.Error)
				}
			})
		})
	}
}

// TestShipWhatTheRegistryHas: with signing on, an image that does not bear our signature is built again, and refused when
// the build gives another one.
func TestShipWhatTheRegistryHas(t *testing.T) {
	for name, tc := range map[string]struct {
		notary  notary
		present Digest
		dry     bool
		outcome Outcome
		builds  int
		says    string
	}{
		"all is there":                      {notary{signs: true}, newDigest, false, OutcomeSucceeded, 0, ""},
		"no provenance":                     {notary{missing: []AttestationKind{AttestationProvenance}}, newDigest, false, OutcomeSucceeded, 0, "without provenance; `medusa-deploy ship --rebuild` attaches"},
		"cannot be seen":                    {notary{missingErr: errBroken}, newDigest, false, OutcomeSucceeded, 0, "cannot see what is attached"},
		"no signature":                      {notary{signs: true, missing: []AttestationKind{AttestationSignature}}, newDigest, false, OutcomeSucceeded, 1, "without our signature: building it again"},
		"no signature, a dry run":           {notary{signs: true, missing: []AttestationKind{AttestationSignature}}, newDigest, true, OutcomeUnchanged, 0, ""},
		"signature cannot be seen":          {notary{signs: true, missingErr: errBroken}, newDigest, false, OutcomeFailed, 0, ""},
		"no signature, and another's image": {notary{signs: true, missing: []AttestationKind{AttestationSignature}}, oldDigest, false, OutcomeRefused, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				got, w, rec := shipWith(t, &tc.notary, tc.present, func(r *ShipRequest) { r.DryRun = tc.dry })
				if got.Outcome != tc.outcome || w.builds != tc.builds {
					t.Errorf("%s after %d builds: %s; want %s after %d", got.Outcome, w.builds, got.Error, tc.outcome, tc.builds)
				}
				if tc.says != "" && !rec.said(tc.says) {
					t.Errorf("nothing says %q: %v", tc.says, rec.events)
				}
				if attached := len(tc.notary.got) > 0; attached != (tc.builds > 0 && tc.outcome == OutcomeSucceeded) {
					t.Errorf("attached: %v", attached)
				}
				if tc.outcome != OutcomeSucceeded && w.tags["latest"] != oldDigest {
					t.Error("it was deployed")
				}
			})
		})
	}
}

// TestRequiredSignature: without one that counts nothing is touched; a dry run says so too.
func TestRequiredSignature(t *testing.T) {
	refusal := &SignatureError{Requires: "key cosign.pub", Found: []Attestation{{Kind: AttestationSignature, Digest: newDigest, Problem: "it is signed with another key"}}}
	for name, tc := range map[string]struct {
		err  error
		says []string
	}{
		"signed":           {nil, nil},
		"unsigned":         {refusal, []string{"must not be deployed to local", "no signature of key cosign.pub", "signature " + newDigest.Short() + ": it is signed with another key", "nothing was touched"}},
		"cannot be looked": {errBroken, []string{"cannot be checked, nothing was touched: broken"}},
	} {
		for _, command := range []string{"ship", "deploy", "ship a dry run", "deploy a dry run"} {
			t.Run(name+", "+command, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					w := newWorld(oldDigest, "s")
					w.addImage(newDigest, ImageTag(cleanCommit, ""))
					p, rec := w.pipeline(t)
					n := &notary{verifyErr: tc.err}
					p.Trust.Verifier = n
					var got Result
					dry := strings.Contains(command, "dry")
					if strings.HasPrefix(command, "ship") {
						req := shipRequest("s")
						req.DryRun = dry
						got = p.Ship(context.Background(), req)
					} else {
						got = p.Deploy(context.Background(), DeployRequest{Target: target("s"), Ref: string(newDigest), DryRun: dry})
					}
					if !slices.Equal(n.verified, []Digest{newDigest}) {
						t.Errorf("verified %v", n.verified)
					}
					if tc.err == nil {
						if got.Exit != ExitDone || !rec.said("signed by key sha256:123") {
							t.Errorf("%s: %s", got.Outcome, got.Error)
						}
						return
					}
					if got.Outcome != OutcomeRefused || got.Exit != ExitCheck || len(w.calls) > 0 {
						t.Errorf("%s exit %d, calls %v: want a refusal that touches nothing", got.Outcome, got.Exit, w.calls)
					}
					for _, want := range tc.says {
						if !strings.Contains(got.Error, want) {
							t.Errorf("error %q does not say %q", got.Error, want)
						}
					}
				})
			})
		}
	}
}

// TestDryRunOfWhatIsNotBuilt has nothing to verify yet.
func TestDryRunOfWhatIsNotBuilt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(oldDigest, "s")
		p, _ := w.pipeline(t)
		n := &notary{verifyErr: errBroken}
		p.Trust.Verifier = n
		req := shipRequest("s")
		req.DryRun = true
		if got := p.Ship(context.Background(), req); got.Exit != ExitDone || len(n.verified) > 0 {
			t.Errorf("%s: %s, verified %v", got.Outcome, got.Error, n.verified)
		}
	})
}

func TestTraceShowsWhatIsAttached(t *testing.T) {
	a := newAnnals()
	d := a.push("one", false, "git-one")
	a.rolled(annalsService, d, statusSuccessful)
	i := a.inspector()
	n := &notary{}
	i.Attestations = n
	got, err := i.Trace(context.Background(), annalsTarget(), string(d))
	if err != nil || len(got.Attestations) != 1 || got.Attestations[0].Subject != d {
		t.Errorf("%+v, %v", got.Attestations, err)
	}
	n.listErr = errors.New("denied")
	got, err = i.Trace(context.Background(), annalsTarget(), string(d))
	if last := len(got.Attestations) - 1; err != nil || got.Attestations[last].Kind != AttestationUnreadable || got.Attestations[last].Problem != "denied" {
		t.Errorf("that it cannot be seen is one of the facts: %+v, %v", got.Attestations, err)
	}
	delete(a.images, d)
	got, err = i.Trace(context.Background(), annalsTarget(), string(d))
	if err != nil || !got.Gone || len(got.Attestations) > 0 {
		t.Errorf("of an image that is gone: %+v, %v", got, err)
	}
}

// TestBases: the images that a build starts from are read off its steps, as BuildKit names them.
func TestBases(t *testing.T) {
	digest := string(newDigest)
	var passed []Event
	var b buildRecord
	emit := b.watch(func(e Event) { passed = append(passed, e) })
	steps := []BuildStep{
		{Name: "[internal] load metadata for docker.io/library/node:22", State: "done"},
		{Name: "[build 1/4] FROM docker.io/library/node:22@" + digest, State: "done"},
		{Name: "[stage-1 1/3] FROM docker.io/library/node:22@" + digest, State: "cached"},
		{Name: "[linux/arm64 1/3] FROM docker-image://123.dkr.ecr.us-east-1.amazonaws.com/base@" + digest, State: "cached"},
		{Name: "[stage-1 2/3] RUN echo FROM x@" + digest[:20], State: "done"},
		{Name: "[stage-2 1/3] FROM docker.io/library/alpine:3@" + digest, State: "started"},
		{Name: "[stage-3 1/3] FROM docker.io/library/debian:12@" + digest, State: "failed"},
	}
	for _, s := range steps {
		emit(s)
	}
	want := []Material{{"123.dkr.ecr.us-east-1.amazonaws.com/base", newDigest}, {"docker.io/library/node:22", newDigest}}
	if got := b.bases(); !slices.Equal(got, want) {
		t.Errorf("bases %v, want %v", got, want)
	}
	if len(passed) != len(steps) || b.started.IsZero() {
		t.Errorf("%d of %d events were passed on", len(passed), len(steps))
	}
}

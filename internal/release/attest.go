package release

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// Trust is what is attached to the images of releases, and whose signature counts. A nil port is off.
type Trust struct {
	Attester Attester
	Verifier Verifier
}

// AttestationKind is what an attestation says of an image.
type AttestationKind string

// The kinds of attestations.
const (
	AttestationProvenance AttestationKind = "provenance" // how, from what and by whom it was built
	AttestationSBOM       AttestationKind = "sbom"       // what is in it
	AttestationSignature  AttestationKind = "signature"  // who stands for it
	AttestationOther      AttestationKind = "other"      // anything else that somebody attached
	AttestationUnreadable AttestationKind = "unreadable" // Problem says why
)

// Attestation is one statement about an image that is attached to it as an OCI referrer.
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers
type Attestation struct {
	Kind         AttestationKind `json:"kind"`
	Digest       Digest          `json:"digest,omitempty"`  // of the attestation's own manifest
	Subject      Digest          `json:"subject,omitempty"` // what it is attached to: the image, or one of its platform manifests
	ArtifactType string          `json:"artifact_type,omitempty"`
	Predicate    string          `json:"predicate,omitempty"` // in-toto predicate type; empty: it is no in-toto statement
	Signer       string          `json:"signer,omitempty"`    // as the attestation itself says; empty: it is not signed
	Created      time.Time       `json:"created,omitzero"`
	Problem      string          `json:"problem,omitempty"` // why it says nothing of the image, or its signature does not count
}

// Referrer is a manifest in a repository that says which other manifest it is about.
type Referrer struct {
	Digest       Digest
	ArtifactType string
	Annotations  map[string]string
}

// Artifact is a blob on its way to the registry as a referrer of an image.
type Artifact struct {
	Subject      Digest // of a manifest that the repository has
	ArtifactType string
	Annotations  map[string]string
	Content      []byte // its one layer, whose media type is ArtifactType
}

// Attester says of an image what is known of it where it is built, and attaches that to it in the registry.
type Attester interface {
	// Signs reports whether what it attaches is signed. Then an image that it cannot attest is a failed release, and one
	// that the registry has is taken as it is only when it bears our own signature.
	Signs() bool
	// Prepare gets ready what it signs with; an error says why it cannot sign. It is called before anything is built.
	Prepare(ctx context.Context) error
	// Missing tells what it would attach to an image that the registry has; nothing when all is there, and ours.
	Missing(ctx context.Context, repository string, image Image) ([]AttestationKind, error)
	// Attach attaches to a pushed image what it misses, and gives what that was. With an error some of it may be attached.
	Attach(ctx context.Context, req AttestRequest) ([]AttestationKind, error)
}

// AttestRequest is what an attester may say of a build.
type AttestRequest struct {
	Repository string // ECR repository name, without host
	Image      Image  // as the registry has it
	Commit     Commit
	Build      BuildRequest
	Builder    string // for people: Builder.Name
	Bases      []Material
	Started    time.Time
	Finished   time.Time
}

// Material is something that a build started from, as the builder resolved it.
type Material struct {
	Ref    string // docker.io/library/node:22
	Digest Digest
}

// Verifier tells whether an image bears a signature that counts.
type Verifier interface {
	// Requires says for people whose signature counts: "key cosign.pub (sha256:…)".
	Requires() string
	// Verify gives the signature that counts. A *SignatureError says which were found and why none of them does.
	Verify(ctx context.Context, repository string, image Image) (Attestation, error)
}

// AttestationReader lists what is attached to an image. What an attestation says of itself is not proved.
type AttestationReader interface {
	List(ctx context.Context, repository string, image Image) ([]Attestation, error)
}

// SignatureError says that an image has no signature that counts.
type SignatureError struct {
	Requires string        // whose signature counts
	Found    []Attestation // each with its Problem
	Hint     string        // what else may be looked at; may be empty
}

// Error names what was required, and why nothing that was found counts.
func (e *SignatureError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "it has no signature of %s", e.Requires)
	if len(e.Found) == 0 {
		b.WriteString("\n  nothing that is attached to it is signed")
	}
	for _, a := range e.Found {
		fmt.Fprintf(&b, "\n  %s %s: %s", a.Kind, a.Digest.Short(), a.Problem)
	}
	if e.Hint != "" {
		b.WriteString("\n  " + e.Hint)
	}
	return b.String()
}

// requireSignature refuses an image that bears no signature that counts. It reads only.
func (r *run) requireSignature(ctx context.Context, t Target, image Image) error {
	if r.Trust.Verifier == nil || image.Digest == "" {
		return nil
	}
	about := "who signed " + image.Digest.Short()
	return r.phase(ctx, PhaseCheck, about, nil, func(ctx context.Context) (string, bool, error) {
		signature, err := r.Trust.Verifier.Verify(ctx, t.Repository, image)
		var unsigned *SignatureError
		switch {
		case errors.As(err, &unsigned):
			return "", false, failf(OutcomeRefused, ExitCheck, "%s must not be deployed to %s: %w\n  nothing was touched", image.Ref(), t.Name, err)
		case err != nil:
			return "", false, asFailure(ctx, fmt.Errorf("the signature of %s cannot be checked, nothing was touched: %w", image.Ref(), err), OutcomeRefused, ExitCheck)
		}
		return "signed by " + signature.Signer, false, nil
	})
}

// takeAsItIs tells whether an image that the registry has already needs no build. With signing on it does only when our
// own signature is on it: to sign what was found, and not built, would vouch for whoever pushed it.
func (r *run) takeAsItIs(ctx context.Context, req ShipRequest, image Image) (bool, error) {
	attester := r.Trust.Attester
	if attester == nil || req.DryRun {
		return true, nil
	}
	missing, err := attester.Missing(ctx, req.Target.Repository, image)
	tag := ImageTag(req.Commit, "")
	switch {
	case err != nil && attester.Signs():
		return false, asFailure(ctx, fmt.Errorf("see what is attached to %s: %w", tag, err), OutcomeFailed, ExitBuild)
	case err != nil:
		r.Emit(Notice{Level: "warning", Text: "cannot see what is attached to " + tag + ": " + err.Error()})
		return true, nil
	case len(missing) > 0 && attester.Signs():
		r.Emit(Notice{Level: "info", Text: "the registry has " + tag + " without our " + kinds(missing) + ": building it again, to vouch for what was built and not for what was found"})
		return false, nil
	case len(missing) > 0:
		r.Emit(Notice{Level: "info", Text: "the registry has " + tag + " without " + kinds(missing) + "; `medusa-deploy ship --rebuild` attaches what is missing"})
	}
	return true, nil
}

// prepareAttester finds out before the build why its image could not be signed.
func (r *run) prepareAttester(ctx context.Context, req ShipRequest) error {
	if r.Trust.Attester == nil || req.DryRun {
		return nil
	}
	if err := r.Trust.Attester.Prepare(ctx); err != nil {
		return asFailure(ctx, fmt.Errorf("the image could not be signed, so nothing was built: %w", err), OutcomeFailed, ExitBuild)
	}
	return nil
}

// attach ends the push phase: what is known of the build is attached to the image. summary and skipped are the push's.
func (r *run) attach(ctx context.Context, req ShipRequest, build BuildRequest, image Image, summary string, skipped bool) (string, bool, error) {
	attester := r.Trust.Attester
	if attester == nil {
		return summary, skipped, nil
	}
	attached, err := attester.Attach(ctx, AttestRequest{
		Repository: req.Target.Repository, Image: image, Commit: req.Commit, Build: build, Builder: r.Builder.Name(),
		Bases: r.built.bases(), Started: r.built.started, Finished: r.built.finished,
	})
	if len(attached) > 0 {
		summary, skipped = summary+", "+kinds(attached)+" attached", false
	}
	switch {
	case err != nil && attester.Signs():
		return "", false, asFailure(ctx, fmt.Errorf("the image is in the registry, but not signed: %w", err), OutcomeFailed, ExitBuild)
	case err != nil && ctx.Err() != nil:
		return "", false, asFailure(ctx, err, OutcomeFailed, ExitBuild)
	case err != nil:
		r.Emit(Notice{Level: "warning", Text: "the image is in the registry, but not all that is known of it is attached: " + err.Error()})
	}
	return summary, skipped, nil
}

// kinds lists kinds for people: "provenance, sbom and signature".
func kinds(all []AttestationKind) string {
	words := make([]string, len(all))
	for i, k := range all {
		words[i] = string(k)
	}
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// attestations lists what is attached to a traced image. That it cannot be seen is one of the facts: the rest of the
// trace is worth having.
func (i *Inspector) attestations(ctx context.Context, t Target, image Image, gone bool) []Attestation {
	if i.Attestations == nil || gone {
		return nil
	}
	all, err := i.Attestations.List(ctx, t.Repository, image)
	if err != nil {
		return append(all, Attestation{Kind: AttestationUnreadable, Subject: image.Digest, Problem: err.Error()})
	}
	return all
}

// buildRecord is what a build showed of itself while it ran.
type buildRecord struct {
	started, finished time.Time
	mu                sync.Mutex
	seen              []Material
}

// basePattern is how BuildKit names the step that fetches an image.
var basePattern = regexp.MustCompile(`\bFROM (?:docker-image://)?([^\s@]+)@(sha256:[0-9a-f]{64})`)

// watch gives an emit that notes the images that a build starts from.
func (b *buildRecord) watch(next Emit) Emit {
	b.started = time.Now()
	return func(e Event) {
		if step, ok := e.(BuildStep); ok {
			b.note(step)
		}
		next(e)
	}
}

func (b *buildRecord) note(step BuildStep) {
	found := basePattern.FindStringSubmatch(step.Name)
	if found == nil || step.State != "done" && step.State != "cached" {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if m := (Material{Ref: found[1], Digest: Digest(found[2])}); !slices.Contains(b.seen, m) {
		b.seen = append(b.seen, m)
	}
}

// bases gives the noted images in the order of their names.
func (b *buildRecord) bases() []Material {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := slices.Clone(b.seen)
	slices.SortFunc(all, func(a, c Material) int { return strings.Compare(a.Ref+string(a.Digest), c.Ref+string(c.Digest)) })
	return all
}

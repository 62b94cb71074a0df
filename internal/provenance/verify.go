package provenance

import (
	"context"
	"crypto"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// Verifier is the release.Verifier.
type Verifier struct {
	store  Store
	policy policy
}

var _ release.Verifier = (*Verifier)(nil)

// Requires implements release.Verifier.
func (v *Verifier) Requires() string { return v.policy.requires() }

// Verify implements release.Verifier. Only what `cosign sign` makes is a signature of the image: a signed SBOM says what
// is in an image, not that anybody stands for it.
func (v *Verifier) Verify(ctx context.Context, repository string, image release.Image) (release.Attestation, error) {
	all, err := read(ctx, v.store, repository, image.Digest)
	if err != nil {
		return release.Attestation{}, err
	}
	refusal := &release.SignatureError{Requires: v.Requires()}
	for _, f := range all {
		if f.ArtifactType != mediaStatement && !strings.HasPrefix(f.ArtifactType, bundlePrefix) {
			continue // attached by somebody for something else
		}
		if f.Problem == "" {
			f.Problem = judge(f, release.AttestationSignature, image.Digest, v.policy)
		}
		if f.Problem == "" {
			return f.Attestation, nil
		}
		refusal.Found = append(refusal.Found, f.Attestation)
	}
	refusal.Hint = v.lookForOldSignature(ctx, repository, image.Digest)
	return release.Attestation{}, refusal
}

// judge tells why an attestation is none of a kind, about a manifest, by whom a policy wants; empty when it is.
func judge(f found, kind release.AttestationKind, about release.Digest, p policy) string {
	switch {
	case f.bundle == nil:
		return "it is not signed"
	case !f.statement.about(about):
		return "it is about " + f.statement.subjects() + ", another image"
	case f.Kind != kind:
		return "it is a signed statement of another kind (" + f.Predicate + ")"
	}
	if err := p.verify(f.bundle, about); err != nil {
		return shown(err.Error())
	}
	return ""
}

// lookForOldSignature knows the tag under which cosign before v3 keeps signatures, which are not read.
func (v *Verifier) lookForOldSignature(ctx context.Context, repository string, about release.Digest) string {
	tag := strings.Replace(string(about), ":", "-", 1) + ".sig"
	if _, err := v.store.Image(ctx, repository, tag); err != nil {
		return "" // it is only a hint: that there is none, or that it cannot be seen, changes nothing
	}
	return "there is a signature in the form of cosign v2 (tag " + tag + "), which is not read: sign with cosign v3"
}

// keyPolicy wants the signature of one key.
type keyPolicy struct {
	name     string
	hint     string
	verifier *verify.Verifier
}

// newKeyPolicy makes a policy; name is how people know the key.
func newKeyPolicy(name string, public crypto.PublicKey) (*keyPolicy, error) {
	hint, err := hintOf(public)
	if err != nil {
		return nil, err
	}
	checker, err := signature.LoadDefaultVerifier(public)
	if err != nil {
		return nil, fmt.Errorf("%s is of a kind that cannot be used: %w", name, err)
	}
	// Hints are claims: whatever key a bundle names, it is held to this one.
	trusted := root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) {
		return root.NewExpiringKey(checker, time.Time{}, time.Time{}), nil
	})
	verifier, err := verify.NewVerifier(trusted, verify.WithNoObserverTimestamps(), verify.WithoutStatementPredicate())
	if err != nil {
		return nil, fmt.Errorf("make a verifier: %w", err)
	}
	return &keyPolicy{name: name, hint: hint, verifier: verifier}, nil
}

func (p *keyPolicy) requires() string { return p.name + " (" + nameOfHint(p.hint) + ")" }

func (p *keyPolicy) verify(b *bundle.Bundle, about release.Digest) error {
	content, err := b.VerificationContent()
	if err != nil {
		return err
	}
	key := content.PublicKey()
	if key == nil {
		return fmt.Errorf("it is signed by %s and not with a key", signerOf(b))
	}
	artifact, err := digestPolicy(about)
	if err != nil {
		return err
	}
	_, err = p.verifier.Verify(b, verify.NewPolicy(artifact, verify.WithKey()))
	switch {
	case err == nil:
		return nil
	case key.Hint() != p.hint:
		return fmt.Errorf("it is signed with another %s", nameOfHint(key.Hint()))
	}
	return errors.New("it names the right key, but the signature does not fit: it was changed after it was signed")
}

// digestPolicy holds a bundle to being about one manifest.
func digestPolicy(about release.Digest) (verify.ArtifactPolicyOption, error) {
	raw, err := hex.DecodeString(strings.TrimPrefix(string(about), "sha256:"))
	if err != nil {
		return nil, fmt.Errorf("%q is no digest: %w", about, err)
	}
	return verify.WithArtifactDigest("sha256", raw), nil
}

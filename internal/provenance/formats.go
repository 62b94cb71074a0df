package provenance

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// Media types and annotations of what is attached. Cosign v3 looks for bundles by these, BuildKit and in-toto's tools for
// plain statements.
//
//   - https://github.com/sigstore/cosign/blob/main/specs/BUNDLE_SPEC.md
//   - https://github.com/in-toto/attestation/blob/main/spec/v1/envelope.md
const (
	mediaStatement = "application/vnd.in-toto+json"
	mediaBundle    = "application/vnd.dev.sigstore.bundle.v0.3+json"
	bundlePrefix   = "application/vnd.dev.sigstore.bundle" // of every version

	annotationCreated         = "org.opencontainers.image.created"
	annotationPredicate       = "in-toto.io/predicate-type"
	annotationBundleContent   = "dev.sigstore.bundle.content"
	annotationBundlePredicate = "dev.sigstore.bundle.predicateType"
	bundleContentEnvelope     = "dsse-envelope"
)

// Predicate types: what a statement says of its subject.
const (
	predicateProvenance = "https://slsa.dev/provenance/v1"
	predicateCycloneDX  = "https://cyclonedx.org/bom"
	predicateSPDX       = "https://spdx.dev/Document"
	// predicateSignature is what `cosign sign` says of an image: nothing but that it was signed.
	predicateSignature = "https://sigstore.dev/cosign/sign/v1"
)

// statementType is in-toto's Statement v1.
// https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
const statementType = "https://in-toto.io/Statement/v1"

// statement says something of its subjects.
type statement struct {
	Type          string          `json:"_type"`
	Subject       []subject       `json:"subject"`
	PredicateType string          `json:"predicateType"`
	Predicate     json.RawMessage `json:"predicate"`
}

// subject is one thing that a statement is about.
type subject struct {
	Name   string            `json:"name,omitempty"`
	Digest map[string]string `json:"digest"` // algorithm → hex
}

// newStatement says predicate of one manifest in a repository (its URI).
func newStatement(repository string, of release.Digest, predicateType string, predicate []byte) ([]byte, error) {
	hex, ok := strings.CutPrefix(string(of), "sha256:")
	if !ok || !of.Valid() {
		return nil, fmt.Errorf("%q is no digest to make a statement about", of)
	}
	return json.Marshal(statement{
		Type: statementType, Subject: []subject{{Name: repository, Digest: map[string]string{"sha256": hex}}},
		PredicateType: predicateType, Predicate: predicate,
	})
}

// parseStatement reads a statement of any version.
func parseStatement(raw []byte) (statement, error) {
	var s statement
	if err := json.Unmarshal(raw, &s); err != nil {
		return s, fmt.Errorf("it is no in-toto statement: %w", err)
	}
	if !strings.HasPrefix(s.Type, "https://in-toto.io/Statement/") || s.PredicateType == "" {
		return s, errors.New("it is no in-toto statement")
	}
	return s, nil
}

// about reports whether the statement is about a manifest.
func (s statement) about(d release.Digest) bool {
	for _, one := range s.Subject {
		if "sha256:"+one.Digest["sha256"] == string(d) {
			return true
		}
	}
	return false
}

// subjects names for people what the statement is about.
func (s statement) subjects() string {
	var all []string
	for _, one := range s.Subject {
		d := release.Digest("sha256:" + one.Digest["sha256"])
		if !d.Valid() {
			d = "something without a sha256 digest"
		}
		all = append(all, string(d))
	}
	if len(all) == 0 {
		return "nothing"
	}
	return strings.Join(all[:min(len(all), 3)], ", ")
}

// kindOf tells what a statement of a predicate type is.
func kindOf(predicateType string) release.AttestationKind {
	switch {
	case strings.HasPrefix(predicateType, "https://slsa.dev/provenance/"):
		return release.AttestationProvenance
	case strings.HasPrefix(predicateType, predicateCycloneDX), strings.HasPrefix(predicateType, predicateSPDX):
		return release.AttestationSBOM
	case predicateType == predicateSignature:
		return release.AttestationSignature
	}
	return release.AttestationOther
}

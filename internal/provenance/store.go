package provenance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"golang.org/x/sync/errgroup"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// Store is where images are and what is attached to them. repository is a name without host.
type Store interface {
	// Referrers lists what is attached to a manifest; nothing for one that does not exist.
	Referrers(ctx context.Context, repository string, of release.Digest) ([]release.Referrer, error)
	// Manifest gives a manifest as it was pushed.
	Manifest(ctx context.Context, repository string, digest release.Digest) (raw []byte, mediaType string, err error)
	// Blob opens a blob; reading it to its end fails when it is not what its digest says.
	Blob(ctx context.Context, repository string, digest release.Digest) (io.ReadCloser, error)
	// Image resolves a tag; release.ErrNotFound when there is none.
	Image(ctx context.Context, repository, reference string) (release.Image, error)
	// Attach pushes an artifact as a referrer and gives the digest of its manifest.
	Attach(ctx context.Context, repository string, a release.Artifact) (release.Digest, error)
}

const (
	// contentLimit bounds an attestation: the SBOM of an image with ten thousand packages has a few megabytes.
	contentLimit = 32 << 20
	// readersAtOnce bounds how many attestations are read at the same time.
	readersAtOnce = 8
)

// found is an attestation with what it says.
type found struct {
	release.Attestation
	statement statement
	bundle    *bundle.Bundle // nil: it is not signed
}

// read gives everything that is attached to a manifest. What cannot be understood has a Problem; what cannot be
// fetched is an error.
func read(ctx context.Context, store Store, repository string, of release.Digest) ([]found, error) {
	referrers, err := store.Referrers(ctx, repository, of)
	if err != nil {
		return nil, err
	}
	all := make([]found, len(referrers))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readersAtOnce)
	for i, r := range referrers {
		group.Go(func() (err error) {
			all[i], err = readOne(ctx, store, repository, of, r)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return all, nil
}

func readOne(ctx context.Context, store Store, repository string, of release.Digest, r release.Referrer) (found, error) {
	f := found{Attestation: release.Attestation{
		Kind: release.AttestationOther, Digest: r.Digest, Subject: of, ArtifactType: shown(r.ArtifactType),
	}}
	if created, err := time.Parse(time.RFC3339, r.Annotations[annotationCreated]); err == nil {
		f.Created = created
	}
	signed := strings.HasPrefix(r.ArtifactType, bundlePrefix)
	if !signed && r.ArtifactType != mediaStatement {
		return f, nil
	}
	content, err := fetch(ctx, store, repository, r.Digest)
	var malformed *malformedError
	switch {
	case errors.As(err, &malformed):
		f.Kind, f.Problem = release.AttestationUnreadable, malformed.Error()
		return f, nil
	case err != nil:
		return f, err
	}
	if err := f.understand(content, signed); err != nil {
		f.Kind, f.Problem = release.AttestationUnreadable, shown(err.Error())
	}
	return f, nil
}

// malformedError is an artifact that is not what it claims to be.
type malformedError struct{ reason string }

func (e *malformedError) Error() string { return e.reason }

// fetch gives the one layer of an artifact.
func fetch(ctx context.Context, store Store, repository string, digest release.Digest) ([]byte, error) {
	raw, _, err := store.Manifest(ctx, repository, digest)
	if err != nil {
		return nil, err
	}
	var m ocispec.Manifest
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, &malformedError{"its manifest is not JSON"}
	}
	if len(m.Layers) != 1 {
		return nil, &malformedError{fmt.Sprintf("it has %d layers, an attestation has one", len(m.Layers))}
	}
	layer := release.Digest(m.Layers[0].Digest)
	if !layer.Valid() {
		return nil, &malformedError{"its layer has no sha256 digest"}
	}
	blob, err := store.Blob(ctx, repository, layer)
	if errors.Is(err, release.ErrNotFound) {
		return nil, &malformedError{"the registry does not have its layer"}
	}
	if err != nil {
		return nil, err
	}
	defer blob.Close()
	content, err := io.ReadAll(io.LimitReader(blob, contentLimit+1))
	if err != nil {
		return nil, fmt.Errorf("read attestation %s: %w", digest.Short(), err)
	}
	if len(content) > contentLimit {
		return nil, &malformedError{fmt.Sprintf("it is larger than %d bytes", contentLimit)}
	}
	return content, nil
}

// understand reads what an attestation says.
func (f *found) understand(content []byte, signed bool) (err error) {
	if signed {
		if f.bundle, content, err = parseBundle(content); err != nil {
			return err
		}
		f.Signer = signerOf(f.bundle)
	}
	if f.statement, err = parseStatement(content); err != nil {
		return err
	}
	f.Predicate = shown(f.statement.PredicateType)
	f.Kind = kindOf(f.statement.PredicateType)
	return nil
}

// shown makes what somebody else wrote fit to be shown in a line.
func shown(text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	if runes := []rune(text); len(runes) > 300 {
		return string(runes[:299]) + "…"
	}
	return text
}

package provenance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// Config says what is attached to an image, and what signs it.
type Config struct {
	Provenance bool
	SBOM       bool
	// Key signs when it is not empty: a path, or env://NAME.
	Key string
	// Keyless signs with an identity token when it is not nil.
	Keyless *Instance
	// Root is the work tree: paths are shown relative to it.
	Root string
	// Prepare is the program that runs before the build, with its arguments; empty: there is none.
	Prepare []string
	// Version is of this program.
	Version string
	Env     LookupEnv
	// Hide keeps secrets from being shown; it is called before they are used.
	Hide func(secrets ...string)
}

// Attester is the release.Attester.
type Attester struct {
	config Config
	store  Store
	signer signer // nil: nothing is signed
	now    func() time.Time
	id     func() string
}

var _ release.Attester = (*Attester)(nil)

// New makes an attester; nil when there is nothing to attach.
func New(store Store, c Config) *Attester {
	a := &Attester{config: c, store: store, now: time.Now, id: uuid.NewString}
	switch {
	case c.Key != "":
		a.signer = newKeySigner(c.Key, c.Env)
	case c.Keyless != nil:
		a.signer = &keylessSigner{instance: *c.Keyless, now: time.Now, token: tokenSource{env: c.Env, hide: c.Hide, http: http.DefaultClient}}
	}
	if !c.Provenance && !c.SBOM && a.signer == nil {
		return nil
	}
	return a
}

// Signs implements release.Attester.
func (a *Attester) Signs() bool { return a.signer != nil }

// Prepare implements release.Attester.
func (a *Attester) Prepare(ctx context.Context) error {
	if a.signer == nil {
		return nil
	}
	return a.signer.prepare(ctx)
}

// piece is one attestation that an image should have.
type piece struct {
	kind release.AttestationKind
	of   release.Digest // the image, or one of its platform manifests
}

// pieces are what an image should have. An SBOM is of one platform: an index has as many as it has manifests.
func (a *Attester) pieces(image release.Image) []piece {
	var all []piece
	if a.config.Provenance {
		all = append(all, piece{release.AttestationProvenance, image.Digest})
	}
	if a.config.SBOM {
		platforms := image.Manifests
		if len(platforms) == 0 {
			platforms = []release.Digest{image.Digest}
		}
		for _, p := range platforms {
			all = append(all, piece{release.AttestationSBOM, p})
		}
	}
	if a.signer != nil {
		all = append(all, piece{release.AttestationSignature, image.Digest})
	}
	return all
}

// Missing implements release.Attester.
func (a *Attester) Missing(ctx context.Context, repository string, image release.Image) ([]release.AttestationKind, error) {
	missing, err := a.missing(ctx, repository, image, func(piece, found) bool { return true })
	return kindsOf(missing), err
}

// missing gives the pieces that the image does not have. Of those that somebody made, our own count when we sign, and
// only if fits says that they say the right thing.
func (a *Attester) missing(ctx context.Context, repository string, image release.Image, fits func(piece, found) bool) ([]piece, error) {
	var own policy
	if a.signer != nil {
		var err error
		if own, err = a.signer.own(ctx); err != nil {
			return nil, err
		}
	}
	attached := map[release.Digest][]found{}
	var missing []piece
	for _, p := range a.pieces(image) {
		if _, known := attached[p.of]; !known {
			all, err := read(ctx, a.store, repository, p.of)
			if err != nil {
				return nil, err
			}
			attached[p.of] = all
		}
		has := slices.ContainsFunc(attached[p.of], func(f found) bool { return counts(f, p, own) && fits(p, f) })
		if !has {
			missing = append(missing, p)
		}
	}
	return missing, nil
}

// counts reports whether an attestation is the piece: of its kind, about the right manifest, and signed where own is set.
func counts(f found, p piece, own policy) bool {
	if f.Problem != "" || f.Kind != p.kind || !f.statement.about(p.of) {
		return false
	}
	return own == nil || judge(f, p.kind, p.of, own) == ""
}

// Attach implements release.Attester.
func (a *Attester) Attach(ctx context.Context, req release.AttestRequest) ([]release.AttestationKind, error) {
	provenance, err := provenanceOf(req, originOf(a.config.Env, a.id), a.config)
	if err != nil {
		return nil, err
	}
	todo, err := a.missing(ctx, req.Repository, req.Image, func(p piece, f found) bool {
		return p.kind != release.AttestationProvenance || sameBuild(f.statement, provenance)
	})
	if err != nil {
		return nil, err
	}
	predicate, err := protojson.Marshal(provenance)
	if err != nil {
		return nil, fmt.Errorf("write the provenance: %w", err)
	}
	errs := make([]error, len(todo))
	var all sync.WaitGroup
	for i, p := range todo {
		all.Go(func() { errs[i] = a.attach(ctx, req, p, predicate) })
	}
	all.Wait()
	var done []piece
	for i, p := range todo {
		if errs[i] == nil {
			done = append(done, p)
		} else {
			errs[i] = fmt.Errorf("%s: %w", p.kind, errs[i])
		}
	}
	return kindsOf(done), errors.Join(errs...)
}

// attach makes one piece and pushes it.
func (a *Attester) attach(ctx context.Context, req release.AttestRequest, p piece, provenance []byte) error {
	predicateType, predicate := predicateProvenance, provenance
	switch p.kind {
	case release.AttestationSBOM:
		var err error
		if predicate, err = a.sbom(ctx, req, p.of); err != nil {
			return err
		}
		predicateType = predicateCycloneDX
	case release.AttestationSignature:
		predicateType, predicate = predicateSignature, []byte("{}")
	}
	content, err := newStatement(req.Image.Repository, p.of, predicateType, predicate)
	if err != nil {
		return err
	}
	artifact := release.Artifact{
		Subject: p.of, ArtifactType: mediaStatement, Content: content,
		Annotations: map[string]string{annotationCreated: a.now().UTC().Format(time.RFC3339), annotationPredicate: predicateType},
	}
	if a.signer != nil {
		if artifact.Content, err = a.signer.sign(ctx, content); err != nil {
			return err
		}
		artifact.ArtifactType = mediaBundle
		delete(artifact.Annotations, annotationPredicate)
		artifact.Annotations[annotationBundleContent] = bundleContentEnvelope
		artifact.Annotations[annotationBundlePredicate] = predicateType
	}
	_, err = a.store.Attach(ctx, req.Repository, artifact)
	return err
}

// kindsOf names the kinds of pieces, each once.
func kindsOf(pieces []piece) []release.AttestationKind {
	var all []release.AttestationKind
	for _, p := range pieces {
		if !slices.Contains(all, p.kind) {
			all = append(all, p.kind)
		}
	}
	return all
}

// Reader is the release.AttestationReader.
type Reader struct{ store Store }

var _ release.AttestationReader = (*Reader)(nil)

// NewReader makes a reader.
func NewReader(store Store) *Reader { return &Reader{store: store} }

// List implements release.AttestationReader: what is attached to the image, then to each of its platform manifests.
func (r *Reader) List(ctx context.Context, repository string, image release.Image) ([]release.Attestation, error) {
	var all []release.Attestation
	for _, of := range append([]release.Digest{image.Digest}, image.Manifests...) {
		attached, err := read(ctx, r.store, repository, of)
		if err != nil {
			return all, err
		}
		slices.SortFunc(attached, func(a, b found) int {
			return compare(a.Attestation, b.Attestation)
		})
		for _, f := range attached {
			all = append(all, f.Attestation)
		}
	}
	return all, nil
}

// compare sorts by time, and by digest where that says nothing.
func compare(a, b release.Attestation) int {
	if c := a.Created.Compare(b.Created); c != 0 {
		return c
	}
	if a.Digest < b.Digest {
		return -1
	}
	return 1
}

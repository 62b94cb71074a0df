package registry

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-containerregistry/pkg/authn"
	reference "github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/static"
	ggcr "github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

const (
	// referrersPage is the most that one ListImageReferrers gives.
	referrersPage = 50
	// mostReferrers bounds what is looked at: whoever may push can attach without end.
	mostReferrers = 1000
	// attachTimeout bounds one attempt to push an artifact: what is attached is small.
	attachTimeout = time.Minute
)

// Referrers lists what is attached to a manifest, in no particular order. A manifest that does not exist has nothing.
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ListImageReferrers.html
func (r *Registry) Referrers(ctx context.Context, repository string, of release.Digest) ([]release.Referrer, error) {
	in := &ecr.ListImageReferrersInput{
		RegistryId: r.id, RepositoryName: &repository, MaxResults: aws.Int32(referrersPage),
		SubjectId: &types.SubjectIdentifier{ImageDigest: aws.String(string(of))},
	}
	var all []release.Referrer
	for {
		out, err := awsclient.Call(ctx, r.api.ListImageReferrers, in)
		if err != nil {
			return nil, wrap(missing(err), "list what is attached to %s", name(repository, string(of)))
		}
		for _, one := range out.Referrers {
			all = append(all, release.Referrer{
				Digest: release.Digest(aws.ToString(one.Digest)), ArtifactType: aws.ToString(one.ArtifactType), Annotations: one.Annotations,
			})
		}
		if out.NextToken == nil {
			return all, nil
		}
		if len(all) >= mostReferrers {
			return nil, fmt.Errorf("more than %d things are attached to %s: remove those that nobody needs", mostReferrers, name(repository, string(of)))
		}
		in.NextToken = out.NextToken
	}
}

// Manifest gives a manifest as it was pushed, with its media type; release.ErrNotFound when there is none.
func (r *Registry) Manifest(ctx context.Context, repository string, digest release.Digest) (raw []byte, mediaType string, err error) {
	if c, ok := r.remembered(repository, digest); ok {
		return []byte(c.raw), c.mediaType, nil
	}
	found, err := r.manifest(ctx, repository, string(digest))
	if err != nil {
		return nil, "", wrap(err, "manifest %s", name(repository, string(digest)))
	}
	raw, mediaType = []byte(aws.ToString(found.ImageManifest)), aws.ToString(found.ImageManifestMediaType)
	if got := digestOf(raw); got != digest {
		return nil, "", fmt.Errorf("manifest %s: what arrived is %s", name(repository, string(digest)), got)
	}
	return raw, mediaType, nil
}

func digestOf(raw []byte) release.Digest {
	sum := sha256.Sum256(raw)
	return release.Digest("sha256:" + hex.EncodeToString(sum[:]))
}

// Blob opens a blob. Reading it to its end fails when it is not what its digest says.
func (r *Registry) Blob(ctx context.Context, repository string, digest release.Digest) (blob io.ReadCloser, err error) {
	err = r.authorized(ctx, func(t token) error {
		in, err := oci(t, repository)
		if err != nil {
			return err
		}
		layer, err := remote.Layer(in.Digest(string(digest)), remoteOptions(ctx, t)...)
		if err != nil {
			return err
		}
		blob, err = layer.Compressed()
		return err
	})
	if missingBlob(err) {
		err = fmt.Errorf("the registry has no such blob: %w", release.ErrNotFound)
	}
	return blob, wrap(err, "blob %s", name(repository, string(digest)))
}

// Attach pushes an artifact that is about an image, and gives the digest of its manifest.
// https://github.com/opencontainers/image-spec/blob/main/manifest.md#guidelines-for-artifact-usage
func (r *Registry) Attach(ctx context.Context, repository string, a release.Artifact) (release.Digest, error) {
	subject, mediaType, err := r.Manifest(ctx, repository, a.Subject)
	if err != nil {
		return "", err
	}
	raw, err := json.Marshal(artifactManifest(a, subject, mediaType))
	if err != nil {
		return "", fmt.Errorf("write the manifest of what is attached: %w", err)
	}
	digest := digestOf(raw)
	err = r.authorized(ctx, func(t token) error {
		return patiently(ctx, func(ctx context.Context) error { return push(ctx, t, repository, digest, raw, a) })
	})
	if refused(err) {
		err = fmt.Errorf("%w\n  check that the caller may ecr:InitiateLayerUpload, ecr:UploadLayerPart, ecr:CompleteLayerUpload, ecr:BatchCheckLayerAvailability and ecr:PutImage", err)
	}
	return digest, wrap(err, "attach to %s", name(repository, string(a.Subject)))
}

// artifactManifest is an artifact as OCI 1.1 has it: an empty config, one layer, and the image as its subject.
func artifactManifest(a release.Artifact, subject []byte, mediaType string) ocispec.Manifest {
	return ocispec.Manifest{
		Versioned:    specs.Versioned{SchemaVersion: 2},
		MediaType:    ocispec.MediaTypeImageManifest,
		ArtifactType: a.ArtifactType,
		Config:       ocispec.DescriptorEmptyJSON,
		Layers: []ocispec.Descriptor{{
			MediaType: a.ArtifactType, Digest: digest.Digest(digestOf(a.Content)), Size: int64(len(a.Content)),
		}},
		Subject:     &ocispec.Descriptor{MediaType: mediaType, Digest: digest.Digest(a.Subject), Size: int64(len(subject))},
		Annotations: a.Annotations,
	}
}

// push sends an artifact's blobs, then its manifest by digest: it has no tag.
func push(ctx context.Context, t token, repository string, digest release.Digest, raw []byte, a release.Artifact) error {
	in, err := oci(t, repository)
	if err != nil {
		return err
	}
	pusher, err := remote.NewPusher(remoteOptions(ctx, t)...)
	if err != nil {
		return err
	}
	for _, blob := range []struct {
		content   []byte
		mediaType string
	}{{ocispec.DescriptorEmptyJSON.Data, ocispec.MediaTypeEmptyJSON}, {a.Content, a.ArtifactType}} {
		if err := pusher.Upload(ctx, in, static.NewLayer(blob.content, ggcr.MediaType(blob.mediaType))); err != nil {
			return err
		}
	}
	return pusher.Put(ctx, in.Digest(string(digest)), attachment(raw))
}

// attachment is a manifest as it is stored, for go-containerregistry.
type attachment []byte

// RawManifest implements remote.Taggable.
func (a attachment) RawManifest() ([]byte, error) { return bytes.Clone(a), nil }

// MediaType tells the registry what is stored.
func (attachment) MediaType() (ggcr.MediaType, error) { return ggcr.OCIManifestSchema1, nil }

// oci names a repository for the registry's own API.
func oci(t token, repository string) (reference.Repository, error) {
	var options []reference.Option
	if t.endpoint.Scheme == "http" {
		options = append(options, reference.Insecure)
	}
	return reference.NewRepository(t.endpoint.Host+"/"+repository, options...)
}

func remoteOptions(ctx context.Context, t token) []remote.Option {
	return []remote.Option{remote.WithContext(ctx), remote.WithAuth(&authn.Basic{Username: t.Username, Password: t.Password})}
}

// authorized does something with a token, and once again with a new one when the registry refuses the first.
func (r *Registry) authorized(ctx context.Context, do func(token) error) error {
	t, err := r.authorize(ctx)
	if err != nil {
		return err
	}
	if err = do(t); !refused(err) {
		return err
	}
	r.forget()
	if t, err = r.authorize(ctx); err != nil {
		return err
	}
	return do(t)
}

// patiently does something that may be done again, until it succeeds or fails for a reason that stays.
func patiently(ctx context.Context, do func(context.Context) error) error {
	for attempt := 1; ; attempt++ {
		bounded, cancel := context.WithTimeout(ctx, attachTimeout)
		err := do(bounded)
		cancel()
		if err == nil || ctx.Err() != nil || attempt == blobAttempts || !passing(err) {
			return err
		}
		if err := pause(ctx, min(blobPause<<(attempt-1), blobPauseMax)); err != nil {
			return err
		}
	}
}

// passing reports whether an error may not happen again: the registry has a trouble of its own, or nothing was answered.
func passing(err error) bool {
	status := statusOf(err)
	return status == 0 || status == http.StatusTooManyRequests || status >= http.StatusInternalServerError
}

func refused(err error) bool {
	status := statusOf(err)
	return status == http.StatusUnauthorized || status == http.StatusForbidden
}

func missingBlob(err error) bool { return statusOf(err) == http.StatusNotFound }

// statusOf is the HTTP status that a registry answered; 0 when err is something else.
func statusOf(err error) int {
	var answered *transport.Error
	if !errors.As(err, &answered) {
		return 0
	}
	return answered.StatusCode
}

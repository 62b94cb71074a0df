package ecr

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/ecr/blob"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

const (
	// partSize is what InitiateLayerUpload recommends, maxPart what LayerPartBlob allows, in bytes.
	partSize = 10 << 20
	maxPart  = 20971520
)

// link lets a repository use a blob that is in the store.
func (b *Backend) link(at place, digest blob.Digest, size int64) error {
	return b.layers.Put(at.child(string(digest)), layer{Digest: string(digest), Size: size, Added: time.Now().UTC()})
}

// finish turns an upload into a layer of the repository. The disk is waited for before the lock is taken, which keeps the
// repository from going away in between; a blob whose repository is gone by then is removed by the next collect.
func (b *Backend) finish(at place, upload string, digest blob.Digest) error {
	size, err := b.blobs.Commit(at.String(), upload, digest)
	if err != nil {
		return err
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	if _, err := b.find(at); err != nil {
		return err
	}
	return b.link(at, digest, size)
}

// BatchCheckLayerAvailability says which layers the repository has.
func (b *Backend) BatchCheckLayerAvailability(ctx context.Context, in *ecr.BatchCheckLayerAvailabilityInput) (*ecr.BatchCheckLayerAvailabilityOutput, error) {
	var v wire.Violations
	v.Require(in, "RepositoryName", "LayerDigests")
	if in.LayerDigests != nil {
		v.Length("layerDigests", "[…]", len(in.LayerDigests), 1, 100)
	}
	if err := v.Err(); err != nil {
		return nil, err
	}
	r, err := b.repository(ctx, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	out := &ecr.BatchCheckLayerAvailabilityOutput{}
	for _, digest := range in.LayerDigests {
		if _, err := blob.ParseDigest(digest); err != nil {
			out.Failures = append(out.Failures, types.LayerFailure{
				FailureCode: types.LayerFailureCodeInvalidLayerDigest, FailureReason: aws.String(err.Error()), LayerDigest: &digest,
			})
			continue
		}
		l, ok, err := b.layers.Get(r.place().child(digest))
		if err != nil {
			return nil, err
		}
		shown := types.Layer{LayerAvailability: types.LayerAvailabilityUnavailable, LayerDigest: &digest}
		if ok {
			shown.LayerAvailability, shown.LayerSize = types.LayerAvailabilityAvailable, &l.Size
		}
		out.Layers = append(out.Layers, shown)
	}
	return out, nil
}

// GetDownloadUrlForLayer gives a URL that reads one layer for an hour without further credentials.
func (b *Backend) GetDownloadUrlForLayer(ctx context.Context, in *ecr.GetDownloadUrlForLayerInput) (*ecr.GetDownloadUrlForLayerOutput, error) {
	if err := wire.Required(in, "RepositoryName", "LayerDigest"); err != nil {
		return nil, err
	}
	r, err := b.repository(ctx, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	_, ok, err := b.layers.Get(r.place().child(*in.LayerDigest))
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, &types.LayersNotFoundException{Message: aws.String(fmt.Sprintf(
			"The layer with digest '%s' does not exist in the repository with name '%s' in the registry with id '%s'", *in.LayerDigest, r.Name, wire.AccountID))}
	}
	return &ecr.GetDownloadUrlForLayerOutput{DownloadUrl: aws.String(b.layerURL(r.place(), *in.LayerDigest)), LayerDigest: in.LayerDigest}, nil
}

// InitiateLayerUpload starts an upload in parts.
func (b *Backend) InitiateLayerUpload(ctx context.Context, in *ecr.InitiateLayerUploadInput) (*ecr.InitiateLayerUploadOutput, error) {
	r, err := b.repository(ctx, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	id, err := b.blobs.Begin(r.place().String())
	if err != nil {
		return nil, diskFull(err)
	}
	return &ecr.InitiateLayerUploadOutput{PartSize: aws.Int64(partSize), UploadId: &id}, nil
}

// UploadLayerPart takes the next part.
func (b *Backend) UploadLayerPart(ctx context.Context, in *ecr.UploadLayerPartInput) (*ecr.UploadLayerPartOutput, error) {
	var v wire.Violations
	v.Require(in, "RepositoryName", "UploadId", "PartFirstByte", "PartLastByte", "LayerPartBlob")
	v.Length("layerPartBlob", "…", len(in.LayerPartBlob), 0, maxPart)
	if err := v.Err(); err != nil {
		return nil, err
	}
	r, err := b.repository(ctx, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	if length := *in.PartLastByte - *in.PartFirstByte + 1; length != int64(len(in.LayerPartBlob)) {
		return nil, invalidParameter("Invalid parameter at 'partLastByte' failed to satisfy constraint: 'bytes %d to %d are %d, but the part has %d'",
			*in.PartFirstByte, *in.PartLastByte, length, len(in.LayerPartBlob))
	}
	size, err := b.blobs.Append(r.place().String(), *in.UploadId, *in.PartFirstByte, bytes.NewReader(in.LayerPartBlob))
	switch {
	case errors.Is(err, blob.ErrOffset):
		return nil, &types.InvalidLayerPartException{
			Message:    aws.String(fmt.Sprintf("The layer part upload is not valid: the first byte must be %d, not %d", size, *in.PartFirstByte)),
			RegistryId: aws.String(wire.AccountID), RepositoryName: &r.Name, UploadId: in.UploadId, LastValidByteReceived: aws.Int64(size - 1),
		}
	case err != nil:
		return nil, uploadProblem(err, r.Name, *in.UploadId)
	}
	return &ecr.UploadLayerPartOutput{
		LastByteReceived: aws.Int64(size - 1), RegistryId: aws.String(wire.AccountID), RepositoryName: &r.Name, UploadId: in.UploadId,
	}, nil
}

// CompleteLayerUpload turns an upload into a layer.
func (b *Backend) CompleteLayerUpload(ctx context.Context, in *ecr.CompleteLayerUploadInput) (*ecr.CompleteLayerUploadOutput, error) {
	if err := wire.Required(in, "RepositoryName", "UploadId", "LayerDigests"); err != nil {
		return nil, err
	}
	r, err := b.repository(ctx, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	if len(in.LayerDigests) != 1 {
		return nil, invalidParameter("Invalid parameter at 'layerDigests' failed to satisfy constraint: 'must have exactly one digest'")
	}
	digest, err := blob.ParseDigest(in.LayerDigests[0])
	if err != nil {
		return nil, invalidParameter("Invalid parameter at 'layerDigests' failed to satisfy constraint: '%v'", err)
	}
	if err := b.checkComplete(r, *in.UploadId, digest); err != nil {
		return nil, err
	}
	if err := b.finish(r.place(), *in.UploadId, digest); err != nil {
		return nil, uploadProblem(err, r.Name, *in.UploadId)
	}
	return &ecr.CompleteLayerUploadOutput{
		LayerDigest: aws.String(string(digest)), RegistryId: aws.String(wire.AccountID), RepositoryName: &r.Name, UploadId: in.UploadId,
	}, nil
}

func (b *Backend) checkComplete(r repository, upload string, digest blob.Digest) error {
	size, err := b.blobs.UploadSize(r.place().String(), upload)
	if err != nil {
		return uploadProblem(err, r.Name, upload)
	}
	if size == 0 {
		return &types.EmptyUploadException{Message: aws.String("The specified layer upload does not contain any layer parts")}
	}
	_, exists, err := b.layers.Get(r.place().child(string(digest)))
	if err != nil {
		return err
	}
	if exists {
		return &types.LayerAlreadyExistsException{Message: aws.String(fmt.Sprintf(
			"Layer with digest '%s' already exists in the repository with name '%s' in registry with id '%s'", digest, r.Name, wire.AccountID))}
	}
	return nil
}

// uploadProblem turns what goes wrong with an upload into ECR's exceptions.
func uploadProblem(err error, repository, upload string) error {
	switch {
	case errors.Is(err, blob.ErrUploadNotFound):
		return &types.UploadNotFoundException{Message: aws.String(fmt.Sprintf(
			"The upload with id '%s' does not exist in the repository with name '%s' in the registry with id '%s'", upload, repository, wire.AccountID))}
	case errors.Is(err, blob.ErrDigestMismatch):
		return &types.InvalidLayerException{Message: aws.String("Layer digest does not match: " + err.Error())}
	case errors.Is(err, blob.ErrUploadBusy):
		return invalidParameter("Invalid parameter at 'uploadId' failed to satisfy constraint: '%v'", err)
	}
	return diskFull(err)
}

// diskFull tells of a full disk. wire sends the code with status 400: SDKs repeat a 500, and every exception about limits.
func diskFull(err error) error {
	if errors.Is(err, blob.ErrNoSpace) {
		return wire.Errorf("ServerException", "%v: free some space and push again; nothing half done was kept", err)
	}
	return err
}

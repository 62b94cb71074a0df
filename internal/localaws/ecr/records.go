package ecr

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

// repository is one repository as the store has it.
type repository struct {
	Region     string
	Name       string
	CreatedAt  time.Time
	Mutability mutability
	ScanOnPush bool
	Encryption string
	KMSKey     string            `json:",omitempty"`
	Tags       map[string]string `json:",omitempty"`
	Policy     string            `json:",omitempty"` // the repository policy, as it was set
	Lifecycle  string            `json:",omitempty"` // the lifecycle policy, as it was put
}

func (r repository) place() place { return place{region: r.Region, name: r.Name} }

// describe is the repository as the API shows it.
func (b *Backend) describe(r repository) types.Repository {
	encryption := &types.EncryptionConfiguration{EncryptionType: types.EncryptionType(r.Encryption)}
	if r.KMSKey != "" {
		encryption.KmsKey = &r.KMSKey
	}
	return types.Repository{
		CreatedAt:                          &r.CreatedAt,
		EncryptionConfiguration:            encryption,
		ImageScanningConfiguration:         &types.ImageScanningConfiguration{ScanOnPush: r.ScanOnPush},
		ImageTagMutability:                 r.Mutability.Mode,
		ImageTagMutabilityExclusionFilters: r.Mutability.filters(),
		RegistryId:                         aws.String(wire.AccountID),
		RepositoryArn:                      aws.String(r.place().arn()),
		RepositoryName:                     &r.Name,
		RepositoryUri:                      aws.String(r.place().uri(b.host)),
	}
}

// image is one manifest in one repository. Its content is a blob.
type image struct {
	Digest       string
	MediaType    string
	ArtifactType string            `json:",omitempty"`
	Subject      string            `json:",omitempty"` // digest of the manifest that it refers to
	Annotations  map[string]string `json:",omitempty"`
	ManifestSize int64             // bytes of the manifest
	Size         int64             // imageSizeInBytes: see sizeOf
	PushedAt     time.Time
	Layers       []string `json:",omitempty"` // digests of its config and layers
	Children     []string `json:",omitempty"` // digests of the manifests that an index lists
}

// tag is a name of an image.
type tag struct {
	Name   string
	Digest string
}

// layer says that a repository may use a blob.
type layer struct {
	Digest string
	Size   int64 // bytes
	Added  time.Time
}

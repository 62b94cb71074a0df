package ecr

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/store"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

// namePattern and its bounds are the service model's RepositoryName.
const namePattern = `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*`

var nameRegexp = regexp.MustCompile("^" + namePattern + "$")

func validName(name string) bool {
	return len(name) >= 2 && len(name) <= 256 && nameRegexp.MatchString(name)
}

func checkRepositoryName(name *string) error {
	var v wire.Violations
	if name == nil {
		v.Add("repositoryName", "null", "Member must not be null")
		return v.Err()
	}
	v.Length("repositoryName", *name, len(*name), 2, 256)
	if err := v.Err(); err != nil {
		return err
	}
	if !nameRegexp.MatchString(*name) {
		return invalidParameter("Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression '%s''", namePattern)
	}
	return nil
}

// CreateRepository makes an empty repository.
func (b *Backend) CreateRepository(ctx context.Context, in *ecr.CreateRepositoryInput) (*ecr.CreateRepositoryOutput, error) {
	if err := checkRepositoryName(in.RepositoryName); err != nil {
		return nil, err
	}
	m, err := mutabilityOf(in.ImageTagMutability, in.ImageTagMutabilityExclusionFilters)
	if err != nil {
		return nil, err
	}
	r := repository{
		Region: regionOf(ctx), Name: *in.RepositoryName, CreatedAt: time.Now().UTC(), Mutability: m,
		ScanOnPush: in.ImageScanningConfiguration != nil && in.ImageScanningConfiguration.ScanOnPush,
		Encryption: string(types.EncryptionTypeAes256),
	}
	if e := in.EncryptionConfiguration; e != nil {
		r.Encryption, r.KMSKey = cmp.Or(string(e.EncryptionType), r.Encryption), aws.ToString(e.KmsKey)
	}
	if r.Tags, err = mergedTags(nil, in.Tags); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, exists, err := b.repositories.Get(r.place().key()); err != nil {
		return nil, err
	} else if exists {
		return nil, &types.RepositoryAlreadyExistsException{Message: aws.String(fmt.Sprintf(
			"The repository with name '%s' already exists in the registry with id '%s'", r.Name, wire.AccountID))}
	}
	if err := b.repositories.Put(r.place().key(), r); err != nil {
		return nil, err
	}
	shown := b.describe(r)
	return &ecr.CreateRepositoryOutput{Repository: &shown}, nil
}

// DescribeRepositories gives the repositories of the region, or those that are named.
func (b *Backend) DescribeRepositories(ctx context.Context, in *ecr.DescribeRepositoriesInput) (*ecr.DescribeRepositoriesOutput, error) {
	if len(in.RepositoryNames) > 0 {
		if in.MaxResults != nil || in.NextToken != nil {
			return nil, invalidParameter("The parameters maxResults and nextToken cannot be used with repositoryNames")
		}
		out := &ecr.DescribeRepositoriesOutput{}
		for _, name := range in.RepositoryNames {
			r, err := b.repository(ctx, in.RegistryId, &name)
			if err != nil {
				return nil, err
			}
			out.Repositories = append(out.Repositories, b.describe(r))
		}
		return out, nil
	}
	all, err := b.repositories.List(store.Key(regionOf(ctx), ""))
	if err != nil {
		return nil, err
	}
	shown, next, err := paged(all, func(r repository) string { return r.Name }, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &ecr.DescribeRepositoriesOutput{NextToken: next}
	for _, r := range shown {
		out.Repositories = append(out.Repositories, b.describe(r))
	}
	return out, nil
}

// DeleteRepository removes a repository; with force also when it holds images. Its records go before it does, so that
// an interrupted deletion can be repeated and never leaves images behind for the next repository of that name.
func (b *Backend) DeleteRepository(ctx context.Context, in *ecr.DeleteRepositoryInput) (*ecr.DeleteRepositoryOutput, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r, err := b.repository(ctx, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	at := r.place()
	images, err := b.images.List(at.child(""))
	if err != nil {
		return nil, err
	}
	if len(images) > 0 && !in.Force {
		return nil, &types.RepositoryNotEmptyException{Message: aws.String(fmt.Sprintf(
			"The repository with name '%s' in registry with id '%s' cannot be deleted because it still contains images", r.Name, wire.AccountID))}
	}
	if err := deleteAll(b.tags, at.child("")); err != nil {
		return nil, err
	}
	if err := deleteAll(b.images, at.child("")); err != nil {
		return nil, err
	}
	if err := deleteAll(b.layers, at.child("")); err != nil {
		return nil, err
	}
	if err := b.repositories.Delete(at.key()); err != nil {
		return nil, err
	}
	shown := b.describe(r)
	return &ecr.DeleteRepositoryOutput{Repository: &shown}, nil
}

func deleteAll[T any](table *store.Table[T], prefix string) error {
	var keys []string
	err := table.Each(prefix, func(key string, _ T) error {
		keys = append(keys, key)
		return nil
	})
	for _, key := range keys {
		if err == nil {
			err = table.Delete(key)
		}
	}
	return err
}

// change edits the record of a repository in one step.
func (b *Backend) change(ctx context.Context, registryID, name *string, edit func(*repository) error) (repository, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r, err := b.repository(ctx, registryID, name)
	if err != nil {
		return r, err
	}
	if err := edit(&r); err != nil {
		return r, err
	}
	return r, b.repositories.Put(r.place().key(), r)
}

// PutImageScanningConfiguration stores whether images are scanned on push. Local AWS scans none.
func (b *Backend) PutImageScanningConfiguration(ctx context.Context, in *ecr.PutImageScanningConfigurationInput) (*ecr.PutImageScanningConfigurationOutput, error) {
	if err := wire.Required(in, "RepositoryName", "ImageScanningConfiguration"); err != nil {
		return nil, err
	}
	r, err := b.change(ctx, in.RegistryId, in.RepositoryName, func(r *repository) error {
		r.ScanOnPush = in.ImageScanningConfiguration.ScanOnPush
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecr.PutImageScanningConfigurationOutput{
		ImageScanningConfiguration: &types.ImageScanningConfiguration{ScanOnPush: r.ScanOnPush},
		RegistryId:                 aws.String(wire.AccountID), RepositoryName: &r.Name,
	}, nil
}

package registry

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"golang.org/x/sync/errgroup"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

const (
	// batchMax is how many images BatchGetImage and DescribeImages take by name.
	// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchGetImage.html
	batchMax = 100
	// listPage is the largest page of DescribeImages.
	// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html
	listPage = 1000
	// configsAtOnce bounds the downloads of image configs, which have no call that gives several.
	configsAtOnce = 8
	// describeAttempts bounds how often images that vanish while they are looked at are asked for again.
	describeAttempts = 3
)

// Images gives many images by digest, in a call of each kind for every hundred; those that the registry does not have
// are left out, also when it has no such repository.
func (r *Registry) Images(ctx context.Context, repository string, digests []release.Digest) (map[release.Digest]release.Image, error) {
	found := map[release.Digest]release.Image{}
	wanted := slices.Clone(digests)
	slices.Sort(wanted)
	wanted = slices.DeleteFunc(slices.Compact(wanted), func(d release.Digest) bool { return !d.Valid() })
	for chunk := range slices.Chunk(wanted, batchMax) {
		if err := r.chunk(ctx, repository, chunk, found); err != nil {
			return nil, wrap(err, "look up %d images of %s", len(chunk), repository)
		}
	}
	return found, nil
}

// chunk adds up to batchMax images to found.
func (r *Registry) chunk(ctx context.Context, repository string, digests []release.Digest, found map[release.Digest]release.Image) error {
	uri, err := r.uri(ctx, repository)
	if err != nil {
		return err
	}
	contents, err := r.contents(ctx, repository, digests)
	if err != nil {
		return err
	}
	details, err := r.details(ctx, repository, slices.Sorted(maps.Keys(contents)))
	if err != nil {
		return err
	}
	for digest, detail := range details {
		c := contents[digest]
		image := release.Image{
			Repository: uri, Digest: digest, Manifests: slices.Clone(c.manifests), Platforms: slices.Clone(c.platforms),
			Labels: maps.Clone(c.labels), SizeBytes: c.size,
		}
		add(&image, detail)
		found[digest] = image
	}
	return nil
}

// contents gives what digests stand for; those that the registry does not have are left out. What is remembered may be
// gone by now: details tells.
func (r *Registry) contents(ctx context.Context, repository string, digests []release.Digest) (map[release.Digest]content, error) {
	all := map[release.Digest]content{}
	var unknown []release.Digest
	for _, d := range digests {
		if c, ok := r.remembered(repository, d); ok {
			all[d] = c
		} else {
			unknown = append(unknown, d)
		}
	}
	manifests, err := r.manifests(ctx, repository, unknown)
	if err != nil {
		return nil, err
	}
	fresh, err := r.readAll(ctx, repository, manifests)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for d, c := range fresh {
		all[d], r.known[repository+"@"+string(d)] = c, c
	}
	return all, nil
}

// manifests asks for many manifests; those that the registry does not have are left out.
func (r *Registry) manifests(ctx context.Context, repository string, digests []release.Digest) (map[release.Digest]types.Image, error) {
	all := map[release.Digest]types.Image{}
	for chunk := range slices.Chunk(digests, batchMax) {
		out, err := awsclient.Call(ctx, r.api.BatchGetImage, &ecr.BatchGetImageInput{
			RegistryId: r.id, RepositoryName: &repository, ImageIds: identifiers(chunk), AcceptedMediaTypes: acceptedMedia,
		})
		if err = missing(err); errors.Is(err, release.ErrNotFound) {
			return all, nil // there is no such repository
		}
		if err != nil {
			return nil, err
		}
		for _, f := range out.Failures {
			if f.FailureCode != types.ImageFailureCodeImageNotFound {
				return nil, fmt.Errorf("%s (%s)", aws.ToString(f.FailureReason), f.FailureCode)
			}
		}
		for _, i := range out.Images {
			if i.ImageId != nil {
				all[release.Digest(aws.ToString(i.ImageId.ImageDigest))] = i
			}
		}
	}
	return all, nil
}

func identifiers(digests []release.Digest) []types.ImageIdentifier {
	var ids []types.ImageIdentifier
	for _, d := range digests {
		ids = append(ids, types.ImageIdentifier{ImageDigest: aws.String(string(d))})
	}
	return ids
}

// readAll gathers what manifests stand for, several side by side.
func (r *Registry) readAll(ctx context.Context, repository string, found map[release.Digest]types.Image) (map[release.Digest]content, error) {
	children, err := r.children(ctx, repository, slices.Collect(maps.Values(found))...)
	if err != nil {
		return nil, err
	}
	digests := slices.Sorted(maps.Keys(found))
	read := make([]content, len(digests))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(configsAtOnce)
	for i, d := range digests {
		group.Go(func() (err error) {
			read[i], err = r.read(ctx, repository, found[d], children)
			return wrap(err, "image %s", name(repository, string(d)))
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	all := map[release.Digest]content{}
	for i, d := range digests {
		all[d] = read[i]
	}
	return all, nil
}

// details gives what ECR alone knows of images. One that is gone makes ECR refuse the whole question, without naming
// all that are: then it is asked which there are.
func (r *Registry) details(ctx context.Context, repository string, digests []release.Digest) (map[release.Digest]types.ImageDetail, error) {
	all := map[release.Digest]types.ImageDetail{}
	for attempt := 1; len(digests) > 0; attempt++ {
		out, err := awsclient.Call(ctx, r.api.DescribeImages, &ecr.DescribeImagesInput{RegistryId: r.id, RepositoryName: &repository, ImageIds: identifiers(digests)})
		if err == nil {
			for _, d := range out.ImageDetails {
				all[release.Digest(aws.ToString(d.ImageDigest))] = d
			}
			return all, nil
		}
		if err = missing(err); !errors.Is(err, release.ErrNotFound) || attempt == describeAttempts {
			return nil, err
		}
		there, err := r.manifests(ctx, repository, digests)
		if err != nil {
			return nil, err
		}
		digests = slices.Sorted(maps.Keys(there))
	}
	return all, nil
}

// add fills in what ECR alone knows of an image.
func add(image *release.Image, d types.ImageDetail) {
	image.Tags = slices.Sorted(slices.Values(d.ImageTags))
	image.PushedAt = aws.ToTime(d.ImagePushedAt)
	if d.ImageSizeInBytes != nil {
		image.SizeBytes = *d.ImageSizeInBytes
	}
}

// List names all images that a repository holds, the newest push first, without what is attached to them; release.ErrNotFound when there is no such repository.
func (r *Registry) List(ctx context.Context, repository string) ([]release.Held, error) {
	var all []release.Held
	in := &ecr.DescribeImagesInput{RegistryId: r.id, RepositoryName: &repository, MaxResults: aws.Int32(listPage)}
	for {
		out, err := awsclient.Call(ctx, r.api.DescribeImages, in)
		if err != nil {
			return nil, wrap(missing(err), "list the images of %s", repository)
		}
		for _, d := range out.ImageDetails {
			if d.SubjectManifestDigest != nil {
				continue // it is no image: it is attached to one
			}
			media := aws.ToString(d.ImageManifestMediaType)
			all = append(all, release.Held{
				Digest: release.Digest(aws.ToString(d.ImageDigest)), Tags: slices.Sorted(slices.Values(d.ImageTags)),
				PushedAt: aws.ToTime(d.ImagePushedAt), Index: media == mediaOCIIndex || media == mediaDockerList,
			})
		}
		if in.NextToken = out.NextToken; aws.ToString(in.NextToken) == "" {
			break
		}
	}
	slices.SortStableFunc(all, func(a, b release.Held) int { return b.PushedAt.Compare(a.PushedAt) })
	return all, nil
}

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

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// content is what a digest stands for. It can never change, so that it is asked for once.
type content struct {
	raw       string // the manifest as it was pushed
	mediaType string
	manifests []release.Digest
	platforms []string
	labels    map[string]string
	size      int64
}

// Image implements release.Registry. The labels of a multi-platform image are those of its first platform.
func (r *Registry) Image(ctx context.Context, repository, reference string) (release.Image, error) {
	digest, c, err := r.resolve(ctx, repository, reference)
	if err != nil {
		return release.Image{}, wrap(err, "image %s", name(repository, reference))
	}
	uri, err := r.uri(ctx, repository)
	if err != nil {
		return release.Image{}, err
	}
	image := release.Image{
		Repository: uri, Digest: digest, Manifests: slices.Clone(c.manifests), Platforms: slices.Clone(c.platforms),
		Labels: maps.Clone(c.labels), SizeBytes: c.size,
	}
	if err := r.describe(ctx, repository, &image); err != nil {
		return release.Image{}, wrap(err, "image %s", name(repository, reference))
	}
	return image, nil
}

// name is how people write an image of a repository.
func name(repository, reference string) string {
	if release.Digest(reference).Valid() {
		return repository + "@" + reference
	}
	return repository + ":" + reference
}

// resolve gives the digest that a tag or digest stands for, and its content.
func (r *Registry) resolve(ctx context.Context, repository, reference string) (release.Digest, content, error) {
	if c, ok := r.remembered(repository, release.Digest(reference)); ok {
		return release.Digest(reference), c, nil
	}
	found, err := r.manifest(ctx, repository, reference)
	if err != nil {
		return "", content{}, err
	}
	digest := release.Digest(aws.ToString(found.ImageId.ImageDigest))
	if c, ok := r.remembered(repository, digest); ok {
		return digest, c, nil
	}
	children, err := r.children(ctx, repository, found)
	if err != nil {
		return "", content{}, err
	}
	c, err := r.read(ctx, repository, found, children)
	if err != nil {
		return "", content{}, err
	}
	r.mu.Lock()
	r.known[repository+"@"+string(digest)] = c
	r.mu.Unlock()
	return digest, c, nil
}

func (r *Registry) remembered(repository string, digest release.Digest) (content, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, ok := r.known[repository+"@"+string(digest)]
	return c, ok
}

// manifest asks for one manifest; release.ErrNotFound when there is none.
func (r *Registry) manifest(ctx context.Context, repository, reference string) (types.Image, error) {
	out, err := awsclient.Call(ctx, r.api.BatchGetImage, &ecr.BatchGetImageInput{
		RegistryId: r.id, RepositoryName: &repository,
		ImageIds: []types.ImageIdentifier{identifier(reference)}, AcceptedMediaTypes: acceptedMedia,
	})
	if err != nil {
		return types.Image{}, missing(err)
	}
	if len(out.Failures) > 0 { // one image was asked for
		f := out.Failures[0]
		if f.FailureCode == types.ImageFailureCodeImageNotFound {
			return types.Image{}, release.ErrNotFound
		}
		return types.Image{}, fmt.Errorf("%s (%s)", aws.ToString(f.FailureReason), f.FailureCode)
	}
	if len(out.Images) == 0 || out.Images[0].ImageId == nil {
		return types.Image{}, release.ErrNotFound
	}
	return out.Images[0], nil
}

func identifier(reference string) types.ImageIdentifier {
	if release.Digest(reference).Valid() {
		return types.ImageIdentifier{ImageDigest: &reference}
	}
	return types.ImageIdentifier{ImageTag: &reference}
}

// missing makes release.ErrNotFound of ECR's ways to say that a repository or an image does not exist.
func missing(err error) error {
	var repository *types.RepositoryNotFoundException
	var image *types.ImageNotFoundException
	if errors.As(err, &repository) || errors.As(err, &image) {
		return fmt.Errorf("%s: %w", awsclient.MessageOf(err), release.ErrNotFound)
	}
	return err
}

// read gathers what a manifest stands for. children are the platform manifests of an index.
func (r *Registry) read(ctx context.Context, repository string, found types.Image, children map[release.Digest]types.Image) (content, error) {
	c := content{raw: aws.ToString(found.ImageManifest), mediaType: aws.ToString(found.ImageManifestMediaType)}
	m, err := parseManifest(c.raw)
	if err != nil {
		return content{}, err
	}
	if c.mediaType == "" {
		c.mediaType = m.MediaType
	}
	if m.index() {
		return r.readIndex(ctx, repository, m, c, children)
	}
	config, err := r.config(ctx, repository, m.Config.Digest)
	if err != nil {
		return content{}, err
	}
	c.labels, c.size = config.Config.Labels, m.size()
	if config.OS != "" {
		c.platforms = []string{config.String()}
	}
	return c, nil
}

// readIndex fills in what an index stands for: its platform manifests, and the labels of the first.
func (r *Registry) readIndex(ctx context.Context, repository string, m manifest, c content, children map[release.Digest]types.Image) (content, error) {
	for _, d := range m.images() {
		c.manifests = append(c.manifests, d.Digest)
		c.platforms = append(c.platforms, d.Platform.String())
		found, ok := children[d.Digest]
		if !ok {
			return content{}, fmt.Errorf("platform %s: %w", d.Platform, release.ErrNotFound)
		}
		one, err := parseManifest(aws.ToString(found.ImageManifest))
		if err != nil {
			return content{}, fmt.Errorf("platform %s: %w", d.Platform, err)
		}
		c.size += one.size()
		if c.labels != nil {
			continue
		}
		config, err := r.config(ctx, repository, one.Config.Digest)
		if err != nil {
			return content{}, fmt.Errorf("platform %s: %w", d.Platform, err)
		}
		c.labels = config.Config.Labels
	}
	return c, nil
}

// children asks for the platform manifests of those that are indexes, of all of them together.
func (r *Registry) children(ctx context.Context, repository string, found ...types.Image) (map[release.Digest]types.Image, error) {
	var digests []release.Digest
	for _, one := range found {
		m, err := parseManifest(aws.ToString(one.ImageManifest))
		if err != nil {
			continue // whoever reads it says so
		}
		for _, d := range m.images() {
			digests = append(digests, d.Digest)
		}
	}
	slices.Sort(digests)
	return r.manifests(ctx, repository, slices.Compact(digests))
}

// describe fills in what ECR alone knows of an image: its tags and when it was pushed.
func (r *Registry) describe(ctx context.Context, repository string, image *release.Image) error {
	digest := string(image.Digest)
	out, err := awsclient.Call(ctx, r.api.DescribeImages, &ecr.DescribeImagesInput{
		RegistryId: r.id, RepositoryName: &repository, ImageIds: []types.ImageIdentifier{{ImageDigest: &digest}},
	})
	if err != nil {
		return missing(err)
	}
	for _, d := range out.ImageDetails {
		add(image, d)
	}
	return nil
}

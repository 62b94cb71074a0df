package ecr

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/ecr/blob"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

// tagPattern is a tag in the OCI distribution specification.
var tagPattern = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)

// errReferenced: an index in the repository lists the image.
var errReferenced = errors.New("referenced by manifest list")

// push is a manifest on its way into a repository.
type push struct {
	content   []byte
	mediaType string // as it was sent; may be empty
	digest    string // as the client says; empty: not said
	tag       string // empty: none
}

// put stores a manifest, and its tag. unchanged says that all of it was there before. Errors are ECR's exceptions.
func (b *Backend) put(at place, p push) (img image, unchanged bool, err error) {
	digest := blob.DigestOf(p.content)
	if p.digest != "" {
		if digest, err = blob.ParseDigest(p.digest); err != nil || !digest.Matches(p.content) {
			return img, false, &types.ImageDigestDoesNotMatchException{Message: aws.String(fmt.Sprintf(
				"The specified image digest %s does not match the digest calculated from the image manifest, %s", p.digest, blob.DigestOf(p.content)))}
		}
	}
	if p.tag != "" && !tagPattern.MatchString(p.tag) {
		return img, false, invalidParameter("Invalid parameter at 'imageTag' failed to satisfy constraint: 'must satisfy regular expression '%s''", tagPattern)
	}
	m, err := parseManifest(p.content, p.mediaType)
	if err != nil {
		return img, false, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	repo, err := b.find(at)
	if err != nil {
		return img, false, err
	}
	tagged, err := b.checkTag(repo, p.tag, string(digest))
	if err != nil {
		return img, false, err
	}
	img, known, err := b.images.Get(at.child(string(digest)))
	if err != nil {
		return img, false, err
	}
	if !known {
		if img, err = b.admit(at, digest, m, p.content); err != nil {
			return img, false, err
		}
	}
	if p.tag != "" && !tagged {
		err = b.tags.Put(at.child(p.tag), tag{Name: p.tag, Digest: string(digest)})
	}
	return img, known && (p.tag == "" || tagged), err
}

// checkTag reports whether the tag names the digest already, and refuses to move one that must not move.
func (b *Backend) checkTag(repo repository, name, digest string) (tagged bool, err error) {
	if name == "" {
		return false, nil
	}
	current, ok, err := b.tags.Get(repo.place().child(name))
	if err != nil || !ok {
		return false, err
	}
	if current.Digest != digest && !repo.Mutability.movable(name) {
		return false, &types.ImageTagAlreadyExistsException{Message: aws.String(fmt.Sprintf(
			"The image tag '%s' already exists in the '%s' repository and cannot be overwritten because the tag is immutable.", name, repo.Name))}
	}
	return current.Digest == digest, nil
}

// admit stores a manifest that the repository does not have. Everything that it references must be there.
func (b *Backend) admit(at place, digest blob.Digest, m manifest, content []byte) (image, error) {
	size, err := b.references(at, m)
	if err != nil {
		return image{}, err
	}
	img := image{
		Digest: string(digest), MediaType: m.MediaType, ArtifactType: m.artifactType(), Annotations: m.Annotations,
		ManifestSize: int64(len(content)), Size: size, PushedAt: time.Now().UTC(),
	}
	for _, d := range m.content() {
		img.Layers = append(img.Layers, d.Digest)
	}
	for _, d := range m.Manifests {
		img.Children = append(img.Children, d.Digest)
	}
	if m.Subject != nil {
		img.Subject = m.Subject.Digest
	}
	if err := b.blobs.Put(digest, content); err != nil {
		return image{}, err
	}
	return img, b.images.Put(at.child(img.Digest), img)
}

// references checks that the repository has all that a manifest names, and gives imageSizeInBytes: the sum of config
// and layers, or for an index the largest of its images (ImageDetail in ECR's API reference).
func (b *Backend) references(at place, m manifest) (size int64, err error) {
	var missing []string
	for _, d := range m.content() {
		_, ok, err := b.layers.Get(at.child(d.Digest))
		if err != nil {
			return 0, err
		}
		if !ok && !d.foreign() {
			missing = append(missing, d.Digest)
		}
		size += d.Size
	}
	if len(missing) > 0 {
		return 0, &types.LayersNotFoundException{Message: aws.String(fmt.Sprintf(
			"Layers with digests '[%s]' required for pushing image into repository with name '%s' in the registry with id '%s' do not exist",
			strings.Join(missing, ", "), at.name, wire.AccountID))}
	}
	for _, d := range m.Manifests {
		child, ok, err := b.images.Get(at.child(d.Digest))
		if err != nil {
			return 0, err
		}
		if !ok {
			missing = append(missing, d.Digest)
		}
		size = max(size, child.Size)
	}
	if len(missing) > 0 {
		return 0, &types.ReferencedImagesNotFoundException{Message: aws.String(fmt.Sprintf(
			"Images with digests '[%s]' required for pushing image into repository with name '%s' in the registry with id '%s' do not exist",
			strings.Join(missing, ", "), at.name, wire.AccountID))}
	}
	return size, nil
}

// lookup finds an image by tag or digest; when both are given, the tag must name the digest.
func (b *Backend) lookup(at place, tagName, digest string) (img image, ok bool, err error) {
	if tagName != "" {
		t, ok, err := b.tags.Get(at.child(tagName))
		if err != nil || !ok || digest != "" && digest != t.Digest {
			return image{}, false, err
		}
		digest = t.Digest
	}
	return b.images.Get(at.child(digest))
}

// tagsByDigest gives the tags of each image of a repository.
func (b *Backend) tagsByDigest(at place) (map[string][]string, error) {
	byDigest := map[string][]string{}
	err := b.tags.Each(at.child(""), func(_ string, t tag) error {
		byDigest[t.Digest] = append(byDigest[t.Digest], t.Name)
		return nil
	})
	return byDigest, err
}

// remove deletes an image and all its tags, which it returns. The caller holds b.mu. errReferenced.
func (b *Backend) remove(at place, digest string) ([]string, error) {
	var parents []string
	err := b.images.Each(at.child(""), func(_ string, other image) error {
		if slices.Contains(other.Children, digest) {
			parents = append(parents, other.Digest)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(parents) > 0 {
		return nil, fmt.Errorf("requested image %w: [%s]", errReferenced, strings.Join(parents, ", "))
	}
	byDigest, err := b.tagsByDigest(at)
	if err != nil {
		return nil, err
	}
	for _, name := range byDigest[digest] {
		if err := b.tags.Delete(at.child(name)); err != nil {
			return nil, err
		}
	}
	return byDigest[digest], b.images.Delete(at.child(digest))
}

package build

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/client/ociindex"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// caches says where a solve looks for results, and where it leaves its own. A cache that is not there yet is left out, and
// so is one that is broken, with a warning: a cache makes a build fast or slow, never wrong.
func (b *BuildKit) caches(req release.BuildRequest, push bool, emit release.Emit) (imports, exports []client.CacheOptionsEntry) {
	switch req.Cache.Kind {
	case release.CacheRegistry:
		return b.registryCache(req, push)
	case release.CacheGHA:
		return gitHubCache(req, push, emit)
	case release.CacheDirectory:
		return directoryCache(req, push, emit)
	}
	return nil, nil
}

// registryCache is read by every solve and written by a push: only then are there credentials that may write.
func (b *BuildKit) registryCache(req release.BuildRequest, push bool) (imports, exports []client.CacheOptionsEntry) {
	ref := cacheReference(req)
	if ref == "" {
		return nil, nil
	}
	imports = []client.CacheOptionsEntry{{Type: "registry", Attrs: b.cacheImportAttrs(ref)}}
	if push {
		exports = []client.CacheOptionsEntry{{Type: "registry", Attrs: b.cacheExportAttrs(ref, req.Compression)}}
	}
	return imports, exports
}

// cacheReference completes a cache reference: a lone word is a tag in the image's own repository.
func cacheReference(req release.BuildRequest) string {
	if req.Cache.Kind != release.CacheRegistry || req.Cache.Ref == "" {
		return ""
	}
	if strings.ContainsAny(req.Cache.Ref, "/:") {
		return req.Cache.Ref
	}
	return req.Repository + ":" + req.Cache.Ref
}

func (b *BuildKit) cacheImportAttrs(ref string) map[string]string {
	attrs := map[string]string{"ref": ref}
	if b.plainHTTP(ref) {
		attrs["registry.insecure"] = "true"
	}
	return attrs
}

// cacheExportAttrs include image-manifest, without which ECR answers 400.
func (b *BuildKit) cacheExportAttrs(ref, compression string) map[string]string {
	attrs := exported(b.cacheImportAttrs(ref), compression)
	attrs["image-manifest"] = "true"
	attrs["oci-mediatypes"] = "true"
	return attrs
}

// exported completes the attributes of what is written: results of all stages, and ignore-error, because a cache that
// cannot be written makes the next build slow, not this one wrong.
func exported(attrs map[string]string, compression string) map[string]string {
	attrs["mode"] = "max"
	attrs["ignore-error"] = "true"
	if compression == release.CompressionZstd {
		attrs["compression"] = compression
	}
	return attrs
}

// The variables by which GitHub Actions tells where its cache service is. Only steps with `uses:` see them.
// https://docs.docker.com/build/cache/backends/gha/#authentication
const (
	gitHubVariable   = "GITHUB_ACTIONS"
	resultsVariable  = "ACTIONS_RESULTS_URL"
	cacheURLVariable = "ACTIONS_CACHE_URL" // of GitHub Enterprise Server, whose service is the first version's
	tokenVariable    = "ACTIONS_RUNTIME_TOKEN"
)

// gitHubCache is read by every solve and written by the build. Outside of GitHub Actions there is none.
func gitHubCache(req release.BuildRequest, push bool, emit release.Emit) (imports, exports []client.CacheOptionsEntry) {
	service := func() map[string]string {
		attrs := map[string]string{"token": os.Getenv(tokenVariable)}
		if req.Cache.Ref != "" {
			attrs["scope"] = req.Cache.Ref
		}
		if results := os.Getenv(resultsVariable); results != "" {
			attrs["url_v2"], attrs["version"] = results, "2"
		} else {
			attrs["url"], attrs["version"] = os.Getenv(cacheURLVariable), "1"
		}
		return attrs
	}
	if os.Getenv(tokenVariable) == "" || os.Getenv(resultsVariable)+os.Getenv(cacheURLVariable) == "" {
		if os.Getenv(gitHubVariable) == "true" && !push {
			emit(release.Notice{Level: "warning", Text: "image.cache is gha, but GitHub tells a `run:` step neither " + resultsVariable + " nor " + tokenVariable +
				", so this build has no cache\n  add a step before it that hands them on (an action such as crazy-max/ghaction-github-runtime), or use the registry cache"})
		}
		return nil, nil
	}
	imports = []client.CacheOptionsEntry{{Type: "gha", Attrs: service()}}
	if !push {
		exports = []client.CacheOptionsEntry{{Type: "gha", Attrs: exported(service(), "")}}
	}
	return imports, exports
}

// directoryCache is read by every solve and written by the build. What it held before and nothing names any more is
// removed, so that it does not grow for ever.
func directoryCache(req release.BuildRequest, push bool, emit release.Emit) (imports, exports []client.CacheOptionsEntry) {
	dir := req.Cache.Ref
	warn := func(format string, args ...any) {
		if !push {
			emit(release.Notice{Level: "warning", Text: fmt.Sprintf(format, args...)})
		}
	}
	image, err := intactCache(dir)
	switch {
	case err != nil:
		warn("the build cache in %s is broken, so this build does without and makes a new one: %v", dir, err)
		if !push {
			err = discardCache(dir) // what is exported would be added to what is broken
		}
	case image != "":
		imports = []client.CacheOptionsEntry{{Type: "local", Attrs: map[string]string{"src": dir, "digest": image.String()}}}
	}
	if push {
		return imports, nil
	}
	if err := errors.Join(err, writable(dir)); err != nil {
		warn("the build cache cannot be stored, so the next build elsewhere starts from nothing: %v", err)
		return imports, nil
	}
	attrs := exported(map[string]string{"dest": dir, "reset": "true"}, req.Compression)
	return imports, []client.CacheOptionsEntry{{Type: "local", Attrs: attrs}}
}

// discardCache removes a cache, and nothing else that may be in its directory.
func discardCache(dir string) error {
	return errors.Join(os.RemoveAll(filepath.Join(dir, ocispec.ImageIndexFile)), os.RemoveAll(filepath.Join(dir, ocispec.ImageBlobsDir)))
}

// intactCache gives the cache that a directory holds; empty: it holds none yet. All that it names must be there in full,
// as far as sizes tell: a CI may have been killed while it saved the directory.
func intactCache(dir string) (digest.Digest, error) {
	if _, err := os.Stat(filepath.Join(dir, ocispec.ImageIndexFile)); errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	found, err := ociindex.NewStoreIndex(dir).Get("latest")
	if err != nil {
		return "", err
	}
	if found == nil {
		return "", nil
	}
	raw, err := readBlob(dir, *found)
	if err != nil {
		return "", err
	}
	var manifest struct {
		Config    ocispec.Descriptor   `json:"config"`
		Layers    []ocispec.Descriptor `json:"layers"`
		Manifests []ocispec.Descriptor `json:"manifests"`
	}
	if err := json.Unmarshal(raw, &manifest); err != nil {
		return "", fmt.Errorf("%s is no manifest: %w", found.Digest, err)
	}
	all := append(manifest.Layers, manifest.Manifests...)
	if manifest.Config.Digest != "" {
		if _, err := readBlob(dir, manifest.Config); err != nil {
			return "", err
		}
	}
	for _, blob := range all {
		if err := intactBlob(dir, blob); err != nil {
			return "", err
		}
	}
	return found.Digest, nil
}

// readBlob reads one that is small and must be whole.
func readBlob(dir string, blob ocispec.Descriptor) ([]byte, error) {
	if err := intactBlob(dir, blob); err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(blobPath(dir, blob.Digest))
	if err != nil {
		return nil, err
	}
	if got := blob.Digest.Algorithm().FromBytes(raw); got != blob.Digest {
		return nil, fmt.Errorf("%s is %s", blobPath(dir, blob.Digest), got)
	}
	return raw, nil
}

func intactBlob(dir string, blob ocispec.Descriptor) error {
	if err := blob.Digest.Validate(); err != nil {
		return fmt.Errorf("%q: %w", blob.Digest, err)
	}
	info, err := os.Stat(blobPath(dir, blob.Digest))
	switch {
	case err != nil:
		return err
	case info.Size() != blob.Size:
		return fmt.Errorf("%s has %d bytes, not %d", blobPath(dir, blob.Digest), info.Size(), blob.Size)
	}
	return nil
}

func blobPath(dir string, of digest.Digest) string {
	return filepath.Join(dir, ocispec.ImageBlobsDir, of.Algorithm().String(), of.Encoded())
}

// writable makes a directory where it is missing, and tries whether files can be written into it.
func writable(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	probe, err := os.CreateTemp(dir, ".probe-")
	if err != nil {
		return err
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// withoutBrokenCache takes the caches out of a solve that failed because of one, and says so; false: they are not why.
// An exporter that cannot even be set up fails a solve, whatever ignore-error says.
func (s *solving) withoutBrokenCache(err error) bool {
	text := err.Error()
	switch {
	case len(s.options.CacheExports) > 0 && strings.Contains(text, "cache exporter"):
		s.options.CacheExports = nil
		s.progress.emit(release.Notice{Level: "warning", Text: "the build cache could not be stored, so the next build elsewhere starts from nothing: " + s.progress.censor(text)})
	case len(s.options.CacheImports) > 0 && containsAny(text, lostBlobs...):
		s.options.CacheImports = nil
		s.progress.lostCache(s.progress.censor(text))
	default:
		return false
	}
	told := s.progress.cacheLost
	s.progress = newProgress(s.progress.emit, s.progress.push, s.progress.secret)
	s.progress.imports, s.progress.cacheLost = len(s.options.CacheImports) > 0, told
	return true
}

// lostBlobs are how a solve fails that needs a part of a cache that cannot be read.
var lostBlobs = []string{"unexpected commit digest", "failed commit on ref", "httpReadSeeker", "failed to copy", "missing provider for blob", "failed to load cache key", "failed size validation"}

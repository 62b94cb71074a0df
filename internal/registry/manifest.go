package registry

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// Media types of manifests, OCI's and Docker's older ones.
// https://github.com/opencontainers/image-spec/blob/main/media-types.md
const (
	mediaOCIIndex       = "application/vnd.oci.image.index.v1+json"
	mediaOCIManifest    = "application/vnd.oci.image.manifest.v1+json"
	mediaDockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
	mediaDockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
)

// acceptedMedia is what ECR is asked for: without the list it gives Docker's manifests only.
var acceptedMedia = []string{mediaOCIManifest, mediaOCIIndex, mediaDockerManifest, mediaDockerList}

// platform is where an image runs.
type platform struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
	Variant      string `json:"variant"`
}

// String is OS/ARCHITECTURE[/VARIANT], as builders take it. arm64 means v8 and goes without.
func (p platform) String() string {
	s := p.OS + "/" + p.Architecture
	if p.Variant == "" || p.Architecture == "arm64" && p.Variant == "v8" {
		return s
	}
	return s + "/" + p.Variant
}

// manifest is what this package reads of a manifest or an index.
type manifest struct {
	MediaType string `json:"mediaType"`
	Config    struct {
		Digest release.Digest `json:"digest"`
		Size   int64          `json:"size"`
	} `json:"config"`
	Layers []struct {
		Size int64 `json:"size"`
	} `json:"layers"`
	Manifests []descriptor `json:"manifests"`
}

// descriptor is one manifest of an index.
type descriptor struct {
	Digest      release.Digest    `json:"digest"`
	Platform    *platform         `json:"platform"`
	Annotations map[string]string `json:"annotations"`
}

// runnable reports whether the descriptor names an image for a platform: not an attestation about one.
// https://docs.docker.com/build/metadata/attestations/attestation-storage/
func (d descriptor) runnable() bool {
	if _, ok := d.Annotations["vnd.docker.reference.type"]; ok {
		return false
	}
	return d.Platform != nil && d.Platform.OS != "unknown"
}

func parseManifest(raw string) (manifest, error) {
	var m manifest
	if err := json.Unmarshal([]byte(raw), &m); err != nil {
		return m, fmt.Errorf("the manifest is not JSON: %w", err)
	}
	for _, d := range m.Manifests {
		if !d.Digest.Valid() {
			return m, fmt.Errorf("the index names a manifest by %q, which is no digest", d.Digest)
		}
	}
	if len(m.Manifests) == 0 && !m.Config.Digest.Valid() {
		return m, fmt.Errorf("the manifest names its config by %q, which is no digest", m.Config.Digest)
	}
	return m, nil
}

// index reports whether the manifest lists others.
func (m manifest) index() bool { return len(m.Manifests) > 0 }

// images are the platform images of an index.
func (m manifest) images() []descriptor {
	return slices.DeleteFunc(slices.Clone(m.Manifests), func(d descriptor) bool { return !d.runnable() })
}

// size is what a puller of the manifest's layers and config moves, in bytes.
func (m manifest) size() int64 {
	total := m.Config.Size
	for _, l := range m.Layers {
		total += l.Size
	}
	return total
}

// imageConfig is what this package reads of an image's config.
// https://github.com/opencontainers/image-spec/blob/main/config.md
type imageConfig struct {
	platform
	Config struct {
		Labels map[string]string `json:"Labels"`
	} `json:"config"`
}

func parseConfig(raw []byte) (imageConfig, error) {
	var c imageConfig
	if err := json.Unmarshal(raw, &c); err != nil {
		return c, fmt.Errorf("the image's config is not JSON: %w", err)
	}
	return c, nil
}

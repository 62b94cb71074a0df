package ecr

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/ecr/blob"
)

// maxManifest is ImageManifest's bound in the service model, in bytes.
const maxManifest = 4194304

// Media types of manifests (OCI image specification, and Docker's image manifest version 2, schema 2).
const (
	ociManifest    = "application/vnd.oci.image.manifest.v1+json"
	ociIndex       = "application/vnd.oci.image.index.v1+json"
	dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	dockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
)

// descriptor points at content.
type descriptor struct {
	MediaType    string            `json:"mediaType"`
	Digest       string            `json:"digest"`
	Size         int64             `json:"size"` // bytes
	URLs         []string          `json:"urls,omitempty"`
	ArtifactType string            `json:"artifactType,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
}

// foreign says that the content need not be in the registry.
func (d descriptor) foreign() bool {
	return strings.Contains(d.MediaType, "nondistributable") || strings.Contains(d.MediaType, "foreign")
}

// manifest is an image manifest or an index, as far as a registry must understand it.
type manifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	ArtifactType  string            `json:"artifactType"`
	Config        *descriptor       `json:"config"`
	Layers        []descriptor      `json:"layers"`
	Manifests     []descriptor      `json:"manifests"`
	Subject       *descriptor       `json:"subject"`
	Annotations   map[string]string `json:"annotations"`
}

// parseManifest reads a manifest. declared is the media type that came with it, if any.
func parseManifest(content []byte, declared string) (manifest, error) {
	var m manifest
	if len(content) > maxManifest {
		return m, invalidParameter("Invalid parameter at 'imageManifest' failed to satisfy constraint: 'must be at most %d bytes'", maxManifest)
	}
	if err := json.Unmarshal(content, &m); err != nil {
		return m, invalidManifest("not JSON: %v", err)
	}
	if m.SchemaVersion != 2 {
		return m, invalidManifest("schemaVersion must be 2, not %d", m.SchemaVersion)
	}
	if err := m.settleMediaType(declared); err != nil {
		return m, err
	}
	if m.index() && (m.Config != nil || m.Layers != nil) || !m.index() && m.Manifests != nil {
		return m, invalidManifest("the members of %s and of another type are mixed", m.MediaType)
	}
	if !m.index() && m.Config == nil {
		return m, invalidManifest("config is missing")
	}
	for _, d := range m.all() {
		if _, err := blob.ParseDigest(d.Digest); err != nil {
			return m, invalidManifest("%v", err)
		}
		if d.Size < 0 {
			return m, invalidManifest("the size of %s is negative", d.Digest)
		}
	}
	return m, nil
}

func (m *manifest) settleMediaType(declared string) error {
	declared, _, _ = strings.Cut(declared, ";")
	declared = strings.TrimSpace(declared)
	switch {
	case m.MediaType == "" && declared != "":
		m.MediaType = declared
	case m.MediaType == "" && m.Manifests != nil:
		m.MediaType = ociIndex
	case m.MediaType == "":
		m.MediaType = ociManifest
	case declared != "" && declared != m.MediaType:
		return invalidManifest("its mediaType is %s, but it was sent as %s", m.MediaType, declared)
	}
	if !slices.Contains([]string{ociManifest, ociIndex, dockerManifest, dockerList}, m.MediaType) {
		return invalidManifest("the media type %q is not supported", m.MediaType)
	}
	return nil
}

func invalidManifest(format string, args ...any) error {
	return invalidParameter("Invalid parameter at 'imageManifest' failed to satisfy constraint: 'Invalid JSON syntax': "+format, args...)
}

func (m *manifest) index() bool { return m.MediaType == ociIndex || m.MediaType == dockerList }

// all are the descriptors that the manifest holds.
func (m *manifest) all() []descriptor {
	all := append(m.content(), m.Manifests...)
	if m.Subject != nil {
		all = append(all, *m.Subject)
	}
	return all
}

// content is the config and the layers.
func (m *manifest) content() []descriptor {
	var all []descriptor
	if m.Config != nil {
		all = append(all, *m.Config)
	}
	return append(all, m.Layers...)
}

// artifactType is what the referrers API shows: an image without one of its own goes by its config.
func (m *manifest) artifactType() string {
	if m.ArtifactType == "" && m.Config != nil {
		return m.Config.MediaType
	}
	return m.ArtifactType
}

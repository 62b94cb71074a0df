package build

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// tag names a manifest whose layers the registry has: one PUT of the manifest's own bytes.
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-manifests
func (b *BuildKit) tag(ctx context.Context, repository, tag string, raw []byte, auth release.Credentials) error {
	var options []name.Option
	if b.plainHTTP(repository) {
		options = append(options, name.Insecure)
	}
	ref, err := name.NewTag(repository+":"+tag, options...)
	if err != nil {
		return fmt.Errorf("tag %s:%s: %w", repository, tag, err)
	}
	m := manifest{Raw: raw}
	if err := json.Unmarshal(raw, &m); err != nil {
		return fmt.Errorf("tag %s:%s: the manifest is not JSON: %w", repository, tag, err)
	}
	basic := &authn.Basic{Username: auth.Username, Password: auth.Password}
	if err := remote.Put(ref, m, remote.WithContext(ctx), remote.WithAuth(basic)); err != nil {
		return explainPush(ref.RegistryStr(), ref.Name()+" ("+digest.FromBytes(raw).String()+")", auth, err)
	}
	return nil
}

// manifest is a manifest or an index as it is stored, for go-containerregistry.
type manifest struct {
	Raw  []byte          `json:"-"`
	Type types.MediaType `json:"mediaType"`
}

// RawManifest implements remote.Taggable.
func (m manifest) RawManifest() ([]byte, error) { return bytes.Clone(m.Raw), nil }

// MediaType tells the registry what is stored.
func (m manifest) MediaType() (types.MediaType, error) { return m.Type, nil }

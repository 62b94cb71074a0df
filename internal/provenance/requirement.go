package provenance

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// Requirement says whose signature an image must bear: a key's, or an identity's.
type Requirement struct {
	// Key is a public key: a path, or env://NAME.
	Key string
	// Identity is whom the certificate must name, with * for any characters, and Issuer who says so.
	Identity, Issuer string
	// TrustedRoot is the path of a trusted_root.json; empty: the public instance's.
	TrustedRoot string
}

// NewVerifier makes a verifier. What is wrong with the requirement is said now, before anything is built or deployed.
func NewVerifier(store Store, r Requirement, env LookupEnv) (*Verifier, error) {
	if r.Key != "" {
		raw, err := readKey(r.Key, env)
		if err != nil {
			return nil, err
		}
		public, err := parsePublic(r.Key, raw)
		if err != nil {
			return nil, err
		}
		wanted, err := newKeyPolicy("key "+nameOf(r.Key), public)
		if err != nil {
			return nil, err
		}
		return &Verifier{store: store, policy: wanted}, nil
	}
	if strings.Trim(r.Identity, "*") == "" || r.Issuer == "" {
		return nil, errors.New("a keyless signature is required of nobody: name an identity and an issuer")
	}
	trusted, err := Instance{TrustedRoot: r.TrustedRoot}.trustedRoot()
	if err != nil {
		return nil, err
	}
	wanted, err := newIdentityPolicy(trusted, glob(r.Identity), r.Identity, r.Issuer)
	if err != nil {
		return nil, fmt.Errorf("the required signature: %w", err)
	}
	return &Verifier{store: store, policy: wanted}, nil
}

// nameOf is how people know a key.
func nameOf(key string) string {
	if strings.HasPrefix(key, InVariable) {
		return key
	}
	return filepath.Base(key)
}

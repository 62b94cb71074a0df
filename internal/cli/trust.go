package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/medusa-deploy/medusa-deploy/internal/config"
	"github.com/medusa-deploy/medusa-deploy/internal/git"
	"github.com/medusa-deploy/medusa-deploy/internal/provenance"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// requiredSignature is what the command line says of whose signature an image must bear.
type requiredSignature struct {
	required bool
	key      string // path of a public key, or env://NAME; it implies required
}

func addRequireSignature(cmd *cobra.Command) *requiredSignature {
	r := &requiredSignature{}
	cmd.Flags().BoolVar(&r.required, "require-signature", false, "deploy only an image that is signed: by whom the target requires, or with the key of image.sign")
	cmd.Flags().StringVar(&r.key, "signature-key", "", "the public key that must have signed it, in place of what the target requires: a file, or env://NAME")
	return r
}

// verifier stands before every change when the target or the command line requires a signature; nil when neither does.
func (s *session) verifier(r *requiredSignature) (release.Verifier, error) {
	wanted, err := s.requirement(r)
	if err != nil || wanted == nil {
		return nil, err
	}
	v, err := provenance.NewVerifier(s.registry, *wanted, s.sys.LookupEnv)
	if err != nil {
		return nil, exit(release.ExitCheck, fmt.Errorf("a signature is required, and cannot be checked; nothing was touched: %w", err))
	}
	return v, nil
}

// requirement is whose signature counts: the command line's key, else what the target says, else the key that signs.
func (s *session) requirement(r *requiredSignature) (*provenance.Requirement, error) {
	written := s.plain.RequireSignature
	switch {
	case r.key != "":
		return &provenance.Requirement{Key: r.key}, nil
	case written != nil:
		return &provenance.Requirement{Key: written.Key, Identity: written.Identity, Issuer: written.Issuer, TrustedRoot: written.TrustedRoot}, nil
	case !r.required:
		return nil, nil
	}
	if public, ok := publicHalf(s.config.Image.Sign); ok {
		return &provenance.Requirement{Key: public}, nil
	}
	return nil, exit(release.ExitUsage, fmt.Errorf(
		"--require-signature: nothing says whose signature counts\n  add to target %s: require_signature: {key: cosign.pub}, or name the key: --signature-key cosign.pub", s.target.Name))
}

// publicHalf is the public key that lies beside a private one, as cosign and keygen write them.
func publicHalf(sign *config.Sign) (string, bool) {
	if sign == nil || sign.Key == "" {
		return "", false
	}
	public := strings.TrimSuffix(sign.Key, filepath.Ext(sign.Key)) + ".pub"
	_, err := os.Stat(public)
	return public, err == nil
}

// attester says of what is built here what is known of it; nil when the config wants nothing attached.
func (s *session) attester(ctx context.Context) (release.Attester, error) {
	image := s.config.Image
	root, err := s.root()
	if errors.Is(err, git.ErrNotRepository) {
		root, err = s.config.Dir, nil // whatever needs a commit says so itself
	}
	if err != nil {
		return nil, err
	}
	c := provenance.Config{
		Provenance: image.Provenance, SBOM: image.SBOM, Root: root, Version: versionOf(debug.ReadBuildInfo()).Version,
		Env: s.sys.LookupEnv, Hide: s.hide,
	}
	if image.Prepare != nil {
		c.Prepare = image.Prepare.Command
	}
	if sign := image.Sign; sign != nil {
		c.Key = sign.Key
		if sign.Key == "" {
			c.Keyless = &provenance.Instance{SigningConfig: sign.SigningConfig, TrustedRoot: sign.TrustedRoot}
		}
		name, _ := strings.CutPrefix(sign.Key, provenance.InVariable)
		s.hide(s.getenv(provenance.PasswordVariable), s.getenv(name))
	}
	if a := provenance.New(s.registry, c); a != nil {
		return a, nil
	}
	return nil, nil
}

// hide keeps secrets from being shown.
func (s *session) hide(secrets ...string) {
	for _, secret := range secrets {
		s.mask.Add("", secret)
	}
}

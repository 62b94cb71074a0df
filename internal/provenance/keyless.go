package provenance

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/sign"
	"github.com/sigstore/sigstore-go/pkg/tuf"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

const (
	// serviceRetries bounds how often a service that answers 5xx or 429 is asked again.
	serviceRetries = 3
	// certificateReserve is how long a certificate must still be good for to be signed with.
	certificateReserve = time.Minute
)

// Instance is a Sigstore instance: which services sign, and what is trusted. Empty paths: the public one, whose
// description is fetched and verified by TUF.
type Instance struct {
	SigningConfig string // path of a signing_config.v0.2.json
	TrustedRoot   string // path of a trusted_root.json
}

// signingConfig tells which services to sign with.
func (i Instance) signingConfig() (*root.SigningConfig, error) {
	if i.SigningConfig == "" {
		config, err := root.FetchSigningConfigWithOptions(tuf.DefaultOptions())
		return config, wrapFetch(err, "which services sign", "signing_config")
	}
	config, err := root.NewSigningConfigFromPath(i.SigningConfig)
	if err != nil {
		return nil, fmt.Errorf("read the signing config %s: %w", i.SigningConfig, err)
	}
	return config, nil
}

// trustedRoot tells whose certificates and logs are trusted.
func (i Instance) trustedRoot() (*root.TrustedRoot, error) {
	if i.TrustedRoot == "" {
		trusted, err := root.FetchTrustedRootWithOptions(tuf.DefaultOptions())
		return trusted, wrapFetch(err, "what is trusted", "trusted_root")
	}
	trusted, err := root.NewTrustedRootFromPath(i.TrustedRoot)
	if err != nil {
		return nil, fmt.Errorf("read the trusted root %s: %w", i.TrustedRoot, err)
	}
	return trusted, nil
}

func wrapFetch(err error, what, key string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("ask the public Sigstore instance %s: %w\n  without a way to it, name the file of an instance of your own: %s", what, err, key)
}

// keylessSigner signs with a key that lives for minutes, under a certificate that names whom an OIDC token names.
type keylessSigner struct {
	instance Instance
	token    tokenSource
	now      func() time.Time

	mu   sync.Mutex
	held *identity
}

// identity is a short-lived key and its certificate.
type identity struct {
	pair    *sign.EphemeralKeypair
	leaf    *x509.Certificate
	trusted *root.TrustedRoot
	logs    []root.Service // transparency logs that take an entry for each signature
	clocks  []root.Service // timestamp authorities that witness each signature
}

// options are how to sign one statement. Each signature has clients of its own: they are not made to be shared.
func (i *identity) options(ctx context.Context) sign.BundleOptions {
	o := sign.BundleOptions{Context: ctx, CertificateProvider: i, TrustedRoot: i.trusted}
	for _, l := range i.logs {
		o.TransparencyLogs = append(o.TransparencyLogs, sign.NewRekor(&sign.RekorOptions{BaseURL: l.URL, Version: l.MajorAPIVersion, Retries: serviceRetries}))
	}
	for _, c := range i.clocks {
		o.TimestampAuthorities = append(o.TimestampAuthorities, sign.NewTimestampAuthority(&sign.TimestampAuthorityOptions{URL: c.URL, Retries: serviceRetries}))
	}
	return o
}

// GetCertificate implements sign.CertificateProvider with the certificate that is there: one is enough for a run.
func (i *identity) GetCertificate(context.Context, sign.Keypair, *sign.CertificateProviderOptions) ([]byte, error) {
	return i.leaf.Raw, nil
}

func (s *keylessSigner) prepare(context.Context) error { return s.token.available() }

func (s *keylessSigner) sign(ctx context.Context, statement []byte) ([]byte, error) {
	id, err := s.identity(ctx)
	if err != nil {
		return nil, err
	}
	sealed, err := seal(statement, id.pair, id.options(ctx))
	if err != nil {
		return nil, fmt.Errorf("sign keyless: %w", err)
	}
	return sealed, nil
}

// own is whoever the certificate of this run names, exactly.
func (s *keylessSigner) own(ctx context.Context) (policy, error) {
	id, err := s.identity(ctx)
	if err != nil {
		return nil, err
	}
	summary, err := certificate.SummarizeCertificate(id.leaf)
	if err != nil {
		return nil, fmt.Errorf("read our own certificate: %w", err)
	}
	return newIdentityPolicy(id.trusted, literal(summary.SubjectAlternativeName), summary.SubjectAlternativeName, summary.Issuer)
}

// identity gives the key and the certificate to sign with, new ones when those of this run are about to end.
func (s *keylessSigner) identity(ctx context.Context) (*identity, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held != nil && s.now().Add(certificateReserve).Before(s.held.leaf.NotAfter) {
		return s.held, nil
	}
	trusted, err := s.instance.trustedRoot()
	if err != nil {
		return nil, err
	}
	id := &identity{trusted: trusted}
	fulcio, err := s.services(id)
	if err != nil {
		return nil, err
	}
	token, err := s.token.token(ctx)
	if err != nil {
		return nil, err
	}
	if id.pair, err = sign.NewEphemeralKeypair(nil); err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	der, err := fulcio.GetCertificate(ctx, id.pair, &sign.CertificateProviderOptions{IDToken: token})
	if err != nil {
		return nil, fmt.Errorf("get a certificate to sign with: %w", hide(err, token))
	}
	if id.leaf, err = x509.ParseCertificate(der); err != nil {
		return nil, fmt.Errorf("get a certificate to sign with: what came is none: %w", err)
	}
	s.held = id
	return id, nil
}

// services finds the services that sign, and notes in id those that vouch for the time.
func (s *keylessSigner) services(id *identity) (*sign.Fulcio, error) {
	config, err := s.instance.signingConfig()
	if err != nil {
		return nil, err
	}
	now := s.now()
	authority, err := root.SelectService(config.FulcioCertificateAuthorityURLs(), sign.FulcioAPIVersions, now)
	if err != nil {
		return nil, fmt.Errorf("the signing config names no certificate authority: %w", err)
	}
	if len(config.RekorLogURLs()) > 0 {
		if id.logs, err = root.SelectServices(config.RekorLogURLs(), config.RekorLogURLsConfig(), sign.RekorAPIVersions, now); err != nil {
			return nil, fmt.Errorf("the signing config names no usable transparency log: %w", err)
		}
	}
	if len(config.TimestampAuthorityURLs()) > 0 {
		if id.clocks, err = root.SelectServices(config.TimestampAuthorityURLs(), config.TimestampAuthorityURLsConfig(), sign.TimestampAuthorityAPIVersions, now); err != nil {
			return nil, fmt.Errorf("the signing config names no usable timestamp authority: %w", err)
		}
	}
	return sign.NewFulcio(&sign.FulcioOptions{BaseURL: authority.URL, Retries: serviceRetries}), nil
}

// hide keeps a token out of an error, should a service repeat it.
func hide(err error, token string) error {
	if token == "" || !strings.Contains(err.Error(), token) {
		return err
	}
	return errors.New(strings.ReplaceAll(err.Error(), token, "(the token)"))
}

// identityPolicy wants a certificate of one identity, made by a trusted authority, at a time that somebody witnessed.
type identityPolicy struct {
	identity string // for people
	pattern  *regexp.Regexp
	issuer   string
	verifier *verify.Verifier
	matches  verify.CertificateIdentity
}

// newIdentityPolicy makes a policy. pattern is anchored; identity is how people write it.
func newIdentityPolicy(trusted root.TrustedMaterial, pattern, identity, issuer string) (*identityPolicy, error) {
	options := []verify.VerifierOption{verify.WithObserverTimestamps(1), verify.WithoutStatementPredicate()}
	// A log that the trusted root names must have seen it. Private instances may do without either log.
	if len(trusted.RekorLogs()) > 0 {
		options = append(options, verify.WithTransparencyLog(1))
	}
	if len(trusted.CTLogs()) > 0 {
		options = append(options, verify.WithSignedCertificateTimestamps(1))
	}
	verifier, err := verify.NewVerifier(trusted, options...)
	if err != nil {
		return nil, fmt.Errorf("make a verifier: %w", err)
	}
	compiled, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("identity %q: %w", identity, err)
	}
	matches, err := verify.NewShortCertificateIdentity(issuer, "", "", pattern)
	if err != nil {
		return nil, fmt.Errorf("identity %q of %q: %w", identity, issuer, err)
	}
	return &identityPolicy{identity: identity, pattern: compiled, issuer: issuer, verifier: verifier, matches: matches}, nil
}

// literal is a regular expression that matches a text and nothing else.
func literal(text string) string { return "^" + regexp.QuoteMeta(text) + "$" }

// glob is a regular expression for a text in which * stands for any characters.
func glob(text string) string {
	parts := strings.Split(text, "*")
	for i, part := range parts {
		parts[i] = regexp.QuoteMeta(part)
	}
	return "^" + strings.Join(parts, ".*") + "$"
}

func (p *identityPolicy) requires() string { return p.identity + " (" + p.issuer + ")" }

func (p *identityPolicy) verify(b *bundle.Bundle, about release.Digest) error {
	content, err := b.VerificationContent()
	if err != nil {
		return err
	}
	leaf := content.Certificate()
	if leaf == nil {
		return fmt.Errorf("it is signed with a %s and not keyless", signerOf(b))
	}
	summary, err := certificate.SummarizeCertificate(leaf)
	if err != nil {
		return fmt.Errorf("its certificate names nobody: %w", err)
	}
	if summary.Issuer != p.issuer || !p.pattern.MatchString(summary.SubjectAlternativeName) {
		return fmt.Errorf("it is signed by another: %s", signerOf(b))
	}
	artifact, err := digestPolicy(about)
	if err != nil {
		return err
	}
	return p.check(b, artifact)
}

// check has Sigstore's own library verify the signature, the certificate, the logs, and once more the identity.
func (p *identityPolicy) check(b *bundle.Bundle, artifact verify.ArtifactPolicyOption) error {
	if _, err := p.verifier.Verify(b, verify.NewPolicy(artifact, verify.WithCertificateIdentity(p.matches))); err != nil {
		return fmt.Errorf("it names the right signer, but it does not hold: %w", err)
	}
	return nil
}

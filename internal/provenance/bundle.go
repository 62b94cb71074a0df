package provenance

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/sign"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// signer signs statements, and knows its own signatures again.
type signer interface {
	// prepare gets ready; an error says why it cannot sign.
	prepare(ctx context.Context) error
	// sign gives a Sigstore bundle around a statement.
	sign(ctx context.Context, statement []byte) ([]byte, error)
	// own is what a signature must satisfy to be this signer's.
	own(ctx context.Context) (policy, error)
}

// policy says whose signatures count.
type policy interface {
	// requires says it for people.
	requires() string
	// verify tells why a bundle is not a good signature, of the right signer, around a statement about a manifest.
	verify(b *bundle.Bundle, about release.Digest) error
}

// seal signs a statement and gives the bundle's JSON.
func seal(statement []byte, keypair sign.Keypair, options sign.BundleOptions) ([]byte, error) {
	sealed, err := sign.Bundle(&sign.DSSEData{Data: statement, PayloadType: bundle.IntotoMediaType}, keypair, options)
	if err != nil {
		return nil, err
	}
	return protojson.Marshal(sealed)
}

// parseBundle reads a bundle and the statement in it. Nothing is verified.
func parseBundle(raw []byte) (*bundle.Bundle, []byte, error) {
	parsed := &protobundle.Bundle{}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(raw, parsed); err != nil {
		return nil, nil, fmt.Errorf("it is no Sigstore bundle: %w", err)
	}
	b, err := bundle.NewBundle(parsed)
	if err != nil {
		return nil, nil, fmt.Errorf("it is no Sigstore bundle: %w", err)
	}
	envelope := parsed.GetDsseEnvelope()
	if envelope == nil {
		return nil, nil, errors.New("it signs a digest and not a statement: sign with cosign v3, or with --new-bundle-format")
	}
	if envelope.GetPayloadType() != bundle.IntotoMediaType {
		return nil, nil, fmt.Errorf("it signs %q and not an in-toto statement", envelope.GetPayloadType())
	}
	return b, envelope.GetPayload(), nil
}

// signerOf is who a bundle says that signed it. Nothing of it is proved.
func signerOf(b *bundle.Bundle) string {
	content, err := b.VerificationContent()
	if err != nil {
		return "an unknown signer"
	}
	if cert := content.Certificate(); cert != nil {
		summary, err := certificate.SummarizeCertificate(cert)
		if err != nil {
			return "a certificate without an identity"
		}
		return shown(summary.SubjectAlternativeName + " (" + summary.Issuer + ")")
	}
	if key := content.PublicKey(); key != nil {
		return nameOfHint(key.Hint())
	}
	return "an unknown signer"
}

// nameOfHint is how a key is shown: by the first digits of the SHA-256 of its DER form, as openssl makes it.
func nameOfHint(hint string) string {
	sum, err := base64.StdEncoding.DecodeString(hint)
	if err != nil || len(sum) != 32 {
		return "a key without a fingerprint"
	}
	return "key sha256:" + hex.EncodeToString(sum)[:12]
}

package provenance

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore-go/pkg/sign"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
)

// PasswordVariable is the environment variable that opens an encrypted private key; cosign reads the same.
const PasswordVariable = "COSIGN_PASSWORD"

// InVariable is how the field names a key that is the value of an environment variable.
const InVariable = "env://"

// LookupEnv reads an environment variable (os.LookupEnv).
type LookupEnv func(name string) (string, bool)

// readKey gives the PEM text that a path or env://NAME leads to. Its errors never show the text.
func readKey(from string, env LookupEnv) ([]byte, error) {
	if name, ok := strings.CutPrefix(from, InVariable); ok {
		value, set := env(name)
		if !set || strings.TrimSpace(value) == "" {
			return nil, fmt.Errorf("environment variable %s is not set: it should hold the key itself, in PEM form", name)
		}
		return []byte(value), nil
	}
	if scheme, _, ok := strings.Cut(from, "://"); ok {
		return nil, fmt.Errorf("keys in %s:// are not supported: name a file, or env://NAME", scheme)
	}
	raw, err := os.ReadFile(from)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("there is no key file %s: make one with `medusa-deploy keygen`, or name an existing one", from)
	}
	if err != nil {
		return nil, fmt.Errorf("read the key: %w", err)
	}
	return raw, nil
}

// parsePrivate reads a private key: cosign's own encrypted form, PKCS#8 (encrypted or not), or an EC or RSA key.
func parsePrivate(from string, raw []byte, env LookupEnv) (crypto.Signer, error) {
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, fmt.Errorf("%s is not a PEM file, it should start with -----BEGIN", from)
	}
	if strings.Contains(block.Type, "PUBLIC KEY") {
		return nil, fmt.Errorf("%s is a public key: to sign takes the private one", from)
	}
	asked := false
	parsed, err := cryptoutils.UnmarshalPEMToPrivateKey(raw, func(bool) ([]byte, error) {
		asked = true
		password, set := env(PasswordVariable)
		if !set {
			return nil, fmt.Errorf("%s is encrypted: set %s to its password", from, PasswordVariable)
		}
		return []byte(password), nil
	})
	if _, set := env(PasswordVariable); err != nil && asked && set {
		return nil, fmt.Errorf("%s cannot be opened: %s is not its password, or the file is damaged", from, PasswordVariable)
	}
	if err != nil && asked {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%s is no private key that can be used: %w", from, err)
	}
	key, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%s holds a %T, which cannot sign", from, parsed)
	}
	return key, nil
}

// parsePublic reads a public key in PEM form.
func parsePublic(from string, raw []byte) (crypto.PublicKey, error) {
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, fmt.Errorf("%s is not a PEM file, it should start with -----BEGIN PUBLIC KEY-----", from)
	}
	if strings.Contains(block.Type, "PRIVATE KEY") {
		return nil, fmt.Errorf("%s is a private key: to check signatures takes the public one, and nobody should have the private one who does not sign", from)
	}
	public, err := cryptoutils.UnmarshalPEMToPublicKey(raw)
	if err != nil {
		return nil, fmt.Errorf("%s is no public key: %w", from, err)
	}
	return public, nil
}

// hintOf is a public key's fingerprint as a bundle has it: base64 of the SHA-256 of its DER form.
func hintOf(public crypto.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return "", fmt.Errorf("make the key's fingerprint: %w", err)
	}
	sum := sha256.Sum256(der)
	return base64.StdEncoding.EncodeToString(sum[:]), nil
}

// keypair is a private key as Sigstore signs with it.
type keypair struct {
	signer  signature.Signer
	public  crypto.PublicKey
	details signature.AlgorithmDetails
	hint    string
}

var _ sign.Keypair = (*keypair)(nil)

// newKeypair chooses the algorithm that goes with the key.
func newKeypair(key crypto.Signer) (*keypair, error) {
	signer, err := signature.LoadDefaultSigner(key)
	if err != nil {
		return nil, fmt.Errorf("this kind of key cannot be used: %w", err)
	}
	details, err := signature.GetDefaultAlgorithmDetails(key.Public())
	if err != nil {
		return nil, fmt.Errorf("this kind of key cannot be used: %w", err)
	}
	hint, err := hintOf(key.Public())
	if err != nil {
		return nil, err
	}
	return &keypair{signer: signer, public: key.Public(), details: details, hint: hint}, nil
}

// GetHashAlgorithm implements sign.Keypair.
func (k *keypair) GetHashAlgorithm() protocommon.HashAlgorithm { return k.details.GetProtoHashType() }

// GetSigningAlgorithm implements sign.Keypair.
func (k *keypair) GetSigningAlgorithm() protocommon.PublicKeyDetails {
	return k.details.GetSignatureAlgorithm()
}

// GetHint implements sign.Keypair.
func (k *keypair) GetHint() []byte { return []byte(k.hint) }

// GetKeyAlgorithm implements sign.Keypair.
func (k *keypair) GetKeyAlgorithm() string {
	switch k.public.(type) {
	case *ecdsa.PublicKey:
		return "ECDSA"
	case *rsa.PublicKey:
		return "RSA"
	case ed25519.PublicKey:
		return "ED25519"
	}
	return ""
}

// GetPublicKey implements sign.Keypair.
func (k *keypair) GetPublicKey() crypto.PublicKey { return k.public }

// GetPublicKeyPem implements sign.Keypair.
func (k *keypair) GetPublicKeyPem() (string, error) {
	raw, err := cryptoutils.MarshalPublicKeyToPEM(k.public)
	return string(raw), err
}

// SignData implements sign.Keypair. The digest of the data is for bare signatures; a statement's bundle has none.
func (k *keypair) SignData(_ context.Context, data []byte) (signed, digest []byte, err error) {
	signed, err = k.signer.SignMessage(bytes.NewReader(data))
	return signed, nil, err
}

// keySigner signs with a key that lies in a file or an environment variable.
type keySigner struct{ load func() (*keypair, error) }

// newKeySigner makes a signer whose key is read when it is first needed: to open an encrypted one takes a while.
func newKeySigner(from string, env LookupEnv) *keySigner {
	return &keySigner{load: sync.OnceValues(func() (*keypair, error) {
		raw, err := readKey(from, env)
		if err != nil {
			return nil, err
		}
		key, err := parsePrivate(from, raw, env)
		if err != nil {
			return nil, err
		}
		return newKeypair(key)
	})}
}

func (s *keySigner) prepare(context.Context) error {
	_, err := s.load()
	return err
}

func (s *keySigner) sign(ctx context.Context, statement []byte) ([]byte, error) {
	pair, err := s.load()
	if err != nil {
		return nil, err
	}
	return seal(statement, pair, sign.BundleOptions{Context: ctx})
}

func (s *keySigner) own(context.Context) (policy, error) {
	pair, err := s.load()
	if err != nil {
		return nil, err
	}
	return newKeyPolicy("our key", pair.public)
}

// GenerateKey makes a key pair as `cosign generate-key-pair` does: ECDSA P-256, the private half encrypted.
func GenerateKey(password string) (private, public []byte, err error) {
	return cryptoutils.GeneratePEMEncodedECDSAKeyPair(elliptic.P256(), cryptoutils.StaticPasswordFunc([]byte(password)))
}

// Fingerprint is how signatures name a public key, given in PEM form.
func Fingerprint(public []byte) (string, error) {
	key, err := parsePublic("the public key", public)
	if err != nil {
		return "", err
	}
	hint, err := hintOf(key)
	if err != nil {
		return "", err
	}
	return nameOfHint(hint), nil
}

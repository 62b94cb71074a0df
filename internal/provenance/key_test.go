package provenance

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
)

// keyFiles are the two halves of a key, in files.
type keyFiles struct{ private, public string }

func newKey(t *testing.T) keyFiles {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return writeKey(t, key)
}

// writeKey writes a key as PKCS#8.
func writeKey(t *testing.T, key crypto.Signer) keyFiles {
	t.Helper()
	private, err := cryptoutils.MarshalPrivateKeyToPEM(key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := cryptoutils.MarshalPublicKeyToPEM(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return writeFiles(t, private, public)
}

func writeFiles(t *testing.T, private, public []byte) keyFiles {
	t.Helper()
	dir := t.TempDir()
	files := keyFiles{filepath.Join(dir, "cosign.key"), filepath.Join(dir, "cosign.pub")}
	if err := os.WriteFile(files.private, private, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(files.public, public, 0o600); err != nil {
		t.Fatal(err)
	}
	return files
}

// TestKindsOfKeys: what signs with a kind of key is verified with its public half.
func TestKindsOfKeys(t *testing.T) {
	curve := func(c elliptic.Curve) func() (crypto.Signer, error) {
		return func() (crypto.Signer, error) { return ecdsa.GenerateKey(c, rand.Reader) }
	}
	for name, generate := range map[string]func() (crypto.Signer, error){
		"P-256":   curve(elliptic.P256()),
		"P-384":   curve(elliptic.P384()),
		"P-521":   curve(elliptic.P521()),
		"RSA":     func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) },
		"Ed25519": func() (crypto.Signer, error) { _, key, err := ed25519.GenerateKey(rand.Reader); return key, err },
	} {
		t.Run(name, func(t *testing.T) {
			key, err := generate()
			if err != nil {
				t.Fatal(err)
			}
			files := writeKey(t, key)
			s := newShelf()
			image := s.addImage("amd64")
			attach(t, attester(t, s, func(c *Config) { c.Key = files.private }), request(image))
			if err := verifyWith(t, s, image, files.public); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestFormsOfKeys: the forms in which keys are kept, and what is said of those that do not fit.
func TestFormsOfKeys(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	encoded := func(kind string, der []byte, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	plain := encoded("PRIVATE KEY", pkcs8, err)
	sec1, err := x509.MarshalECPrivateKey(key)
	ec := encoded("EC PRIVATE KEY", sec1, err)
	cosign, public, err := GenerateKey("canary-right")
	if err != nil {
		t.Fatal(err)
	}
	open, _, err := GenerateKey("")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(cosign), "BEGIN ENCRYPTED SIGSTORE PRIVATE KEY") {
		t.Fatalf("it is not in cosign's form: %s", cosign)
	}
	for name, tc := range map[string]struct {
		content string
		env     []string
		want    string // in the error; empty: none
	}{
		"PKCS#8":                   {plain, nil, ""},
		"EC":                       {ec, nil, ""},
		"cosign's own":             {string(cosign), []string{PasswordVariable, "canary-right"}, ""},
		"cosign's, empty password": {string(open), []string{PasswordVariable, ""}, ""},
		"wrong password":           {string(cosign), []string{PasswordVariable, "canary-wrong"}, "COSIGN_PASSWORD is not its password"},
		"no password":              {string(cosign), nil, "is encrypted: set COSIGN_PASSWORD to its password"},
		"damaged":                  {strings.Replace(string(cosign), "\n", "\nAAAA", 1), []string{PasswordVariable, "canary-right"}, "is not its password, or the file is damaged"},
		"the public half":          {string(public), nil, "is a public key: to sign takes the private one"},
		"not PEM":                  {"canary", nil, "is not a PEM file"},
		"another thing in PEM":     {encoded("CERTIFICATE", []byte("canary"), nil), nil, "is no private key that can be used"},
		"not what its header says": {encoded("PRIVATE KEY", []byte("canary"), nil), nil, "is no private key that can be used"},
	} {
		t.Run(name, func(t *testing.T) {
			for form, from := range map[string]string{"file": writeFiles(t, []byte(tc.content), nil).private, "environment": "env://SIGNING_KEY"} {
				env := environment(append(tc.env, "SIGNING_KEY", tc.content)...)
				err := newKeySigner(from, env).prepare(t.Context())
				switch {
				case tc.want == "" && err != nil:
					t.Errorf("%s: %v", form, err)
				case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), from)):
					t.Errorf("%s: %v, want one that names %s and says %q", form, err, from, tc.want)
				}
				for _, secret := range []string{"canary", "MHc"} {
					if err != nil && strings.Contains(err.Error(), secret) {
						t.Errorf("%s: the error shows a secret: %v", form, err)
					}
				}
			}
		})
	}
}

func TestWhereKeysAre(t *testing.T) {
	for from, want := range map[string]string{
		"/nowhere/cosign.key": "there is no key file /nowhere/cosign.key",
		"env://UNSET":         "environment variable UNSET is not set",
		"env://EMPTY":         "environment variable EMPTY is not set",
		"awskms:///alias/key": "keys in awskms:// are not supported",
	} {
		if _, err := readKey(from, environment("EMPTY", " ")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", from, err, want)
		}
	}
}

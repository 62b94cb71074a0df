package provenance

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/medusa-deploy/medusa-deploy/internal/jobtoken"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// keyless makes an attester that signs as a workflow of GitHub Actions.
func (s *sigstore) keyless(t *testing.T, store Store) (*Attester, *[]string) {
	t.Helper()
	var hidden []string
	return attester(t, store, func(c *Config) {
		c.Keyless, c.Env = s.instance(t), s.environment()
		c.Hide = func(secrets ...string) { hidden = append(hidden, secrets...) }
	}), &hidden
}

// verifyIdentity requires the signature of an identity.
func (s *sigstore) verifyIdentity(t *testing.T, store Store, image release.Image, identity, issuer string) (release.Attestation, error) {
	t.Helper()
	v, err := NewVerifier(store, Requirement{Identity: identity, Issuer: issuer, TrustedRoot: s.instance(t).TrustedRoot}, environment())
	if err != nil {
		t.Fatal(err)
	}
	return v.Verify(t.Context(), repository, image)
}

// TestKeyless walks the whole way: a token of GitHub Actions, a certificate for it, an entry in the log, and back.
func TestKeyless(t *testing.T) {
	instance := newSigstore(t)
	s := newShelf()
	image := s.addImage("amd64")
	a, hidden := instance.keyless(t, s)
	if got := attach(t, a, request(image)); !slices.Equal(got, []release.AttestationKind{release.AttestationProvenance, release.AttestationSignature}) {
		t.Errorf("attached %v", got)
	}
	if instance.issued != 1 || instance.entries != 2 {
		t.Errorf("%d certificates and %d log entries, want one for the run and one for each statement", instance.issued, instance.entries)
	}
	for identity, good := range map[string]bool{
		workflow: true,
		"https://github.com/acme/shop/.github/workflows/deploy.yml@refs/heads/*": true,
		"https://github.com/acme/*":                        true,
		"https://github.com/acme/shop":                     false,
		"https://github.com/acme/other/*":                  false,
		strings.Replace(workflow, ".github", "xgithub", 1): false, // a dot is a dot
	} {
		signature, err := instance.verifyIdentity(t, s, image, identity, actionsIssuer)
		if good && (err != nil || signature.Signer != workflow+" ("+actionsIssuer+")") {
			t.Errorf("%s: %+v, %v", identity, signature, err)
		}
		if !good && (err == nil || !strings.Contains(err.Error(), "it is signed by another: "+workflow)) {
			t.Errorf("%s: %v, want a refusal that names who signed", identity, err)
		}
	}
	if _, err := instance.verifyIdentity(t, s, image, workflow, "https://accounts.example.com"); err == nil {
		t.Error("another issuer counts")
	}
	if err := verifyWith(t, s, image, newKey(t).public); err == nil || !strings.Contains(err.Error(), "it is signed by "+workflow) {
		t.Errorf("where a key is required: %v", err)
	}
	again, _ := instance.keyless(t, s)
	if got := attach(t, again, request(image)); len(got) > 0 {
		t.Errorf("another run of the same workflow attached %v again", got)
	}
	if !slices.Contains(*hidden, "canary-request-token") || !slices.ContainsFunc(*hidden, func(secret string) bool { return strings.Count(secret, ".") == 2 }) {
		t.Errorf("the tokens are not kept from being shown: %v", *hidden)
	}
	for digest, blob := range s.blobs {
		for _, secret := range *hidden {
			if bytes.Contains(blob, []byte(secret)) {
				t.Errorf("%s holds a token", digest)
			}
		}
	}
}

// TestKeylessThatDoesNotHold: a certificate that is not what it should be is found out, by whoever signs and whoever requires.
func TestKeylessThatDoesNotHold(t *testing.T) {
	good := newSigstore(t)
	s := newShelf()
	image := s.addImage("amd64")
	a, _ := good.keyless(t, s)
	attach(t, a, request(image))
	if _, err := newSigstore(t).verifyIdentity(t, s, image, workflow, actionsIssuer); err == nil || !strings.Contains(err.Error(), "it names the right signer, but it does not hold") {
		t.Errorf("another instance's certificate: %v", err)
	}
	unlogged := newSigstore(t)
	unlogged.noSCT = true
	b, _ := unlogged.keyless(t, s)
	if _, err := b.Attach(t.Context(), request(image)); err != nil {
		t.Errorf("to sign takes no log of certificates: %v", err)
	}
	if _, err := unlogged.verifyIdentity(t, s, image, workflow, actionsIssuer); err == nil || !strings.Contains(err.Error(), "certificate timestamp") {
		t.Errorf("a certificate that is in no log: %v", err)
	}
	expired := newSigstore(t)
	expired.life = -time.Minute
	other := s.addImage("arm64")
	c, _ := expired.keyless(t, s)
	if _, err := c.Attach(t.Context(), request(other)); err == nil || !strings.Contains(err.Error(), "outside certificate validity") {
		t.Errorf("a certificate that was over when it was used, to whoever signs: %v", err)
	}
	signer := c.signer.(*keylessSigner)
	signer.now = func() time.Time { return time.Now().Add(-time.Hour) } // it takes the certificate for good, as an attacker would
	id, err := signer.identity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	statement, err := newStatement(uri, other.Digest, predicateSignature, []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	unchecked := id.options(t.Context())
	unchecked.TrustedRoot = nil
	sealed, err := seal(statement, id.pair, unchecked)
	if err != nil {
		t.Fatal(err)
	}
	s.attach(release.Artifact{Subject: other.Digest, ArtifactType: mediaBundle, Content: sealed})
	if _, err := expired.verifyIdentity(t, s, other, workflow, actionsIssuer); err == nil || !strings.Contains(err.Error(), "integrated time outside certificate validity") {
		t.Errorf("a certificate that was over when it was used: %v", err)
	}
}

// TestCertificatesEnd: a build may take longer than a certificate lasts.
func TestCertificatesEnd(t *testing.T) {
	instance := newSigstore(t)
	s := newShelf()
	image := s.addImage("amd64")
	a, _ := instance.keyless(t, s)
	if _, err := a.Missing(t.Context(), repository, image); err != nil {
		t.Fatal(err)
	}
	a.signer.(*keylessSigner).now = func() time.Time { return time.Now().Add(instance.life) }
	if _, err := a.Missing(t.Context(), repository, image); err != nil || instance.issued != 2 {
		t.Errorf("%d certificates, %v; want a second one", instance.issued, err)
	}
}

// TestKeylessFails: what stands in the way is named, and no token is.
func TestKeylessFails(t *testing.T) {
	instance := newSigstore(t)
	s := newShelf()
	image := s.addImage("amd64")
	a, hidden := instance.keyless(t, s)
	instance.refuse = http.StatusUnauthorized
	_, err := a.Attach(t.Context(), request(image))
	if err == nil || !strings.Contains(err.Error(), "get a certificate to sign with: Fulcio returned 401") || !strings.Contains(err.Error(), "(the token)") {
		t.Errorf("a refused token: %v", err)
	}
	for _, secret := range *hidden {
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("the error shows a token: %v", err)
		}
	}
	for name, tc := range map[string]struct {
		env  LookupEnv
		want string
	}{
		"a job that may not":   {environment("GITHUB_ACTIONS", "true"), "give the job the permission `id-token: write`"},
		"on one's own machine": {environment(), "elsewhere sign with a key"},
		"half of it":           {environment(jobtoken.URLVariable, "https://example.com"), "no identity token is to be had"},
	} {
		a := attester(t, s, func(c *Config) { c.Keyless, c.Env = instance.instance(t), tc.env })
		if err := a.Prepare(t.Context()); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
	for path, want := range map[string]string{"": "read the signing config", "{}": "read the signing config", `{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json"}`: "names no certificate authority"} {
		i := instance.instance(t)
		if err := os.WriteFile(i.SigningConfig, []byte(path), 0o600); err != nil {
			t.Fatal(err)
		}
		a := attester(t, s, func(c *Config) { c.Keyless, c.Env = i, instance.environment() })
		if _, err := a.Attach(t.Context(), request(image)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("signing config %q: %v, want %q", path, err, want)
		}
	}
}

// TestPublicInstance verifies what the public instance really signed, with its real trusted root: both come with
// Sigstore's library. It is the provenance of an npm package, made by GitHub Actions.
func TestPublicInstance(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/sigstore/sigstore-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	examples := filepath.Join(strings.TrimSpace(string(out)), "examples")
	trusted, err := root.NewTrustedRootFromPath(filepath.Join(examples, "trusted-root-public-good.json"))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(examples, "bundle-provenance.json"))
	if err != nil {
		t.Fatal(err)
	}
	b, content, err := parseBundle(raw)
	if err != nil {
		t.Fatal(err)
	}
	said, err := parseStatement(content)
	if err != nil || kindOf(said.PredicateType) != release.AttestationProvenance {
		t.Fatalf("%+v, %v", said, err)
	}
	digest, err := hex.DecodeString(said.Subject[0].Digest["sha512"])
	if err != nil {
		t.Fatal(err)
	}
	const identity = "https://github.com/sigstore/sigstore-js/.github/workflows/release.yml@refs/heads/main"
	wanted, err := newIdentityPolicy(trusted, glob(identity), identity, actionsIssuer)
	if err != nil {
		t.Fatal(err)
	}
	if err := wanted.check(b, verify.WithArtifactDigest("sha512", digest)); err != nil {
		t.Error(err)
	}
	digest[0] ^= 1
	if err := wanted.check(b, verify.WithArtifactDigest("sha512", digest)); err == nil {
		t.Error("it counts for another package")
	}
	if signerOf(b) != identity+" ("+actionsIssuer+")" {
		t.Errorf("signed by %s", signerOf(b))
	}
	var refused *release.SignatureError
	if errors.As(wanted.verify(b, digestOf(nil)), &refused) {
		t.Error("a policy says why, a verifier refuses")
	}
}

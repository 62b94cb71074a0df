package provenance

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// verifyWith requires the signature of a public key.
func verifyWith(t *testing.T, s *shelf, image release.Image, public string) error {
	t.Helper()
	v, err := NewVerifier(s, Requirement{Key: public}, environment())
	if err != nil {
		t.Fatal(err)
	}
	signature, err := v.Verify(t.Context(), repository, image)
	if err == nil && (signature.Kind != release.AttestationSignature || signature.Signer == "" || !signature.Digest.Valid()) {
		t.Errorf("it was verified, but what was: %+v", signature)
	}
	return err
}

// signImage attaches a signature alone and gives the artifact, to be tampered with.
func signImage(t *testing.T, s *shelf, image release.Image, private string) release.Artifact {
	t.Helper()
	before := len(s.referrers[image.Digest])
	attach(t, attester(t, s, func(c *Config) { c.Provenance, c.Key = false, private }), request(image))
	r := s.referrers[image.Digest][before]
	content, err := fetch(t.Context(), s, repository, r.Digest)
	if err != nil {
		t.Fatal(err)
	}
	return release.Artifact{Subject: image.Digest, ArtifactType: r.ArtifactType, Annotations: r.Annotations, Content: content}
}

// tamper changes what is in a bundle.
func tamper(t *testing.T, a release.Artifact, change func(bundle map[string]any)) release.Artifact {
	t.Helper()
	var b map[string]any
	if err := json.Unmarshal(a.Content, &b); err != nil {
		t.Fatal(err)
	}
	change(b)
	a.Content = mustJSON(b)
	return a
}

// payload replaces text in the statement that a bundle signs.
func payload(t *testing.T, b map[string]any, old, now string) {
	t.Helper()
	envelope := b["dsseEnvelope"].(map[string]any)
	raw, err := base64.StdEncoding.DecodeString(envelope["payload"].(string))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(raw, []byte(old)) {
		t.Fatalf("%q is not in %s", old, raw)
	}
	envelope["payload"] = base64.StdEncoding.EncodeToString(bytes.ReplaceAll(raw, []byte(old), []byte(now)))
}

// TestVerify: what counts as a signature, and what is said of what does not.
func TestVerify(t *testing.T) {
	ours, theirs := newKey(t), newKey(t)
	replace := func(s *shelf, image release.Image, a ...release.Artifact) {
		s.referrers[image.Digest] = nil
		for _, one := range a {
			s.attach(one)
		}
	}
	for name, tc := range map[string]struct {
		prepare func(t *testing.T, s *shelf, image, other release.Image)
		want    []string // in the error; nil: none
	}{
		"signed": {func(t *testing.T, s *shelf, image, _ release.Image) { signImage(t, s, image, ours.private) }, nil},
		"signed by others as well": {func(t *testing.T, s *shelf, image, _ release.Image) {
			signImage(t, s, image, theirs.private)
			signImage(t, s, image, ours.private)
			signImage(t, s, image, newKey(t).private)
		}, nil},
		"unsigned": {func(*testing.T, *shelf, release.Image, release.Image) {}, []string{"nothing that is attached to it is signed"}},
		"unsigned provenance": {func(t *testing.T, s *shelf, image, _ release.Image) { attach(t, attester(t, s, nil), request(image)) },
			[]string{"provenance ", ": it is not signed"}},
		"another key": {func(t *testing.T, s *shelf, image, _ release.Image) { signImage(t, s, image, theirs.private) },
			[]string{"it is signed with another key sha256:"}},
		"another key that claims to be ours": {func(t *testing.T, s *shelf, image, _ release.Image) {
			hint := hintIn(t, signImage(t, s, image, ours.private))
			a := signImage(t, s, image, theirs.private)
			replace(s, image, tamper(t, a, func(b map[string]any) {
				b["verificationMaterial"].(map[string]any)["publicKey"].(map[string]any)["hint"] = hint
			}))
		}, []string{"it names the right key, but the signature does not fit"}},
		"another image": {func(t *testing.T, s *shelf, image, other release.Image) {
			a := signImage(t, s, other, ours.private)
			a.Subject = image.Digest
			replace(s, image, a)
		}, []string{"it is about sha256:", ", another image"}},
		"another image, payload changed": {func(t *testing.T, s *shelf, image, other release.Image) {
			a := signImage(t, s, other, ours.private)
			a.Subject = image.Digest
			replace(s, image, tamper(t, a, func(b map[string]any) {
				payload(t, b, strings.TrimPrefix(string(other.Digest), "sha256:"), strings.TrimPrefix(string(image.Digest), "sha256:"))
			}))
		}, []string{"it names the right key, but the signature does not fit"}},
		"a signed statement of another kind": {func(t *testing.T, s *shelf, image, _ release.Image) {
			attach(t, attester(t, s, func(c *Config) { c.SBOM, c.Key = true, ours.private }), request(image))
			s.referrers[image.Digest] = slices.DeleteFunc(s.referrers[image.Digest], func(r release.Referrer) bool {
				return r.Annotations[annotationBundlePredicate] == predicateSignature
			})
		}, []string{"sbom ", "provenance ", "it is a signed statement of another kind (https://slsa.dev/provenance/v1)"}},
		"a kind changed after it was signed": {func(t *testing.T, s *shelf, image, _ release.Image) {
			attach(t, attester(t, s, func(c *Config) { c.Key = ours.private }), request(image))
			var a release.Artifact
			for _, f := range s.attached(t, image) {
				if f.Kind == release.AttestationProvenance {
					content, err := fetch(t.Context(), s, repository, f.Digest)
					if err != nil {
						t.Fatal(err)
					}
					a = release.Artifact{Subject: image.Digest, ArtifactType: mediaBundle, Content: content}
				}
			}
			replace(s, image, tamper(t, a, func(b map[string]any) { payload(t, b, predicateProvenance, predicateSignature) }))
		}, []string{"the signature does not fit"}},
		"signature cut out": {func(t *testing.T, s *shelf, image, _ release.Image) {
			replace(s, image, tamper(t, signImage(t, s, image, ours.private), func(b map[string]any) { b["dsseEnvelope"].(map[string]any)["signatures"] = []any{} }))
		}, []string{"the signature does not fit"}},
		"not a bundle": {func(_ *testing.T, s *shelf, image, _ release.Image) {
			replace(s, image, release.Artifact{Subject: image.Digest, ArtifactType: mediaBundle, Content: []byte("{}")})
		}, []string{"unreadable ", "it is no Sigstore bundle"}},
		"a bundle whose layer is gone": {func(t *testing.T, s *shelf, image, _ release.Image) {
			a := signImage(t, s, image, ours.private)
			delete(s.blobs, digestOf(a.Content))
		}, []string{"unreadable ", "the registry does not have its layer"}},
		"attached for something else": {func(_ *testing.T, s *shelf, image, _ release.Image) {
			replace(s, image, release.Artifact{Subject: image.Digest, ArtifactType: "application/x-helm", Content: []byte("chart")})
		}, []string{"nothing that is attached to it is signed"}},
		"signed with cosign v2": {func(_ *testing.T, s *shelf, image, _ release.Image) {
			s.tags[strings.Replace(string(image.Digest), ":", "-", 1)+".sig"] = image.Digest
		}, []string{"there is a signature in the form of cosign v2"}},
		"what it says is shown harmless": {func(t *testing.T, s *shelf, image, other release.Image) {
			a := signImage(t, s, image, ours.private)
			replace(s, image, tamper(t, a, func(b map[string]any) { payload(t, b, predicateSignature, `https://e\u001b[31mvil\u0000`) }))
		}, []string{"https://e\uFFFD[31mvil\uFFFD"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShelf()
			image, other := s.addImage("amd64"), s.addImage("arm64")
			tc.prepare(t, s, image, other)
			err := verifyWith(t, s, image, ours.public)
			var refused *release.SignatureError
			switch {
			case tc.want == nil && err != nil:
				t.Errorf("Verify: %v", err)
			case tc.want != nil && !errors.As(err, &refused):
				t.Errorf("Verify = %v, want a refusal", err)
			}
			for _, want := range append(tc.want, "it has no signature of key cosign.pub (key sha256:") {
				if tc.want != nil && !strings.Contains(err.Error(), want) {
					t.Errorf("Verify = %v, want it to say %q", err, want)
				}
			}
		})
	}
}

func hintIn(t *testing.T, a release.Artifact) string {
	t.Helper()
	var b struct {
		VerificationMaterial struct{ PublicKey struct{ Hint string } }
	}
	if err := json.Unmarshal(a.Content, &b); err != nil || b.VerificationMaterial.PublicKey.Hint == "" {
		t.Fatalf("no hint in %s: %v", a.Content, err)
	}
	return b.VerificationMaterial.PublicKey.Hint
}

// TestEveryBitCounts: no byte of the statement or of the signature can be changed without anybody noticing.
func TestEveryBitCounts(t *testing.T) {
	ours := newKey(t)
	s := newShelf()
	image := s.addImage("amd64")
	a := signImage(t, s, image, ours.private)
	var b map[string]any
	if err := json.Unmarshal(a.Content, &b); err != nil {
		t.Fatal(err)
	}
	envelope := b["dsseEnvelope"].(map[string]any)
	holders := map[string]map[string]any{"payload": envelope, "sig": envelope["signatures"].([]any)[0].(map[string]any)}
	for field, holder := range holders {
		original := holder[field].(string)
		raw, err := base64.StdEncoding.DecodeString(original)
		if err != nil {
			t.Fatal(err)
		}
		for i := range raw {
			raw[i] ^= 0x04
			holder[field] = base64.StdEncoding.EncodeToString(raw)
			s.referrers[image.Digest] = nil
			s.attach(release.Artifact{Subject: image.Digest, ArtifactType: mediaBundle, Content: mustJSON(b)})
			if err := verifyWith(t, s, image, ours.public); err == nil {
				t.Errorf("byte %d of %s was changed and nobody noticed", i, field)
			}
			raw[i] ^= 0x04
		}
		holder[field] = original
	}
}

// TestUnreachable: a registry that does not answer is no unsigned image.
func TestUnreachable(t *testing.T) {
	ours := newKey(t)
	s := newShelf()
	image := s.addImage("amd64")
	signImage(t, s, image, ours.private)
	s.broken = errBroken
	err := verifyWith(t, s, image, ours.public)
	var refused *release.SignatureError
	if !errors.Is(err, errBroken) || errors.As(err, &refused) {
		t.Errorf("Verify = %v", err)
	}
}

func TestImpossibleRequirements(t *testing.T) {
	key := newKey(t)
	for name, tc := range map[string]struct {
		r    Requirement
		want string
	}{
		"a private key":   {Requirement{Key: key.private}, "is a private key: to check signatures takes the public one"},
		"no such file":    {Requirement{Key: key.public + "x"}, "there is no key file"},
		"anybody":         {Requirement{Identity: "*", Issuer: "https://accounts.example.com"}, "required of nobody"},
		"nobody":          {Requirement{}, "required of nobody"},
		"no trusted root": {Requirement{Identity: "a@example.com", Issuer: "https://accounts.example.com", TrustedRoot: "/nowhere.json"}, "read the trusted root /nowhere.json"},
	} {
		if _, err := NewVerifier(newShelf(), tc.r, environment()); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}

// FuzzBundle: whatever somebody attaches, it is read or refused, and never counts.
func FuzzBundle(f *testing.F) {
	f.Add([]byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":"x"}},"dsseEnvelope":{"payload":"e30=","payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"AA=="}]}}`))
	f.Add([]byte(`{"messageSignature":{}}`))
	_, public, err := GenerateKey("")
	if err != nil {
		f.Fatal(err)
	}
	key, err := parsePublic("key", public)
	if err != nil {
		f.Fatal(err)
	}
	wanted, err := newKeyPolicy("key", key)
	if err != nil {
		f.Fatal(err)
	}
	about := digestOf([]byte("image"))
	f.Fuzz(func(t *testing.T, content []byte) {
		one := found{}
		if one.understand(content, true) != nil {
			return
		}
		if judge(one, release.AttestationSignature, about, wanted) == "" || one.Signer == "" {
			t.Errorf("it counts: %s", content)
		}
	})
}

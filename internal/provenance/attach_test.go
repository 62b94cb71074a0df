package provenance

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	slsa "github.com/in-toto/attestation/go/predicates/provenance/v1"
	intoto "github.com/in-toto/attestation/go/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// layer is a layer with one package in it.
func layer(t *testing.T, name, version string) []byte {
	t.Helper()
	var raw bytes.Buffer
	w := tar.NewWriter(&raw)
	content := []byte(`{"name":"` + name + `","version":"` + version + `"}`)
	if err := w.WriteHeader(&tar.Header{Name: "app/node_modules/" + name + "/package.json", Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(content))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return raw.Bytes()
}

// TestNothingIsAttachedTwice: whatever is there already, and ours, stays the only one.
func TestNothingIsAttachedTwice(t *testing.T) {
	for name, tc := range map[string]struct {
		config func(*testing.T, *Config)
		want   []release.AttestationKind
	}{
		"provenance": {func(*testing.T, *Config) {}, []release.AttestationKind{release.AttestationProvenance}},
		"everything, unsigned": {func(_ *testing.T, c *Config) { c.SBOM = true },
			[]release.AttestationKind{release.AttestationProvenance, release.AttestationSBOM}},
		"everything, signed": {func(t *testing.T, c *Config) { c.SBOM, c.Key = true, newKey(t).private },
			[]release.AttestationKind{release.AttestationProvenance, release.AttestationSBOM, release.AttestationSignature}},
		"a signature alone": {func(t *testing.T, c *Config) { c.Provenance, c.Key = false, newKey(t).private },
			[]release.AttestationKind{release.AttestationSignature}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShelf()
			image := s.addImage("amd64", layer(t, "ms", "2.1.3"))
			a := attester(t, s, func(c *Config) { tc.config(t, c) })
			missing, err := a.Missing(t.Context(), repository, image)
			if err != nil || !slices.Equal(missing, tc.want) {
				t.Errorf("missing at first: %v, %v; want %v", missing, err, tc.want)
			}
			if got := attach(t, a, request(image)); !slices.Equal(got, tc.want) {
				t.Errorf("attached %v, want %v", got, tc.want)
			}
			if missing, err = a.Missing(t.Context(), repository, image); err != nil || len(missing) > 0 {
				t.Errorf("missing afterwards: %v, %v", missing, err)
			}
			again := request(image)
			again.Started, again.Finished = again.Started.AddDate(0, 0, 1), again.Finished.AddDate(0, 0, 1) // another run
			if got := attach(t, a, again); len(got) > 0 {
				t.Errorf("attached again: %v", got)
			}
			if got := s.kindsAttached(t, image); len(got) != len(tc.want) {
				t.Errorf("on the image: %v", got)
			}
		})
	}
}

// TestWhatIsThereAndDoesNotCount: another build, another signer, or nobody: ours is attached beside it.
func TestWhatIsThereAndDoesNotCount(t *testing.T) {
	s := newShelf()
	image := s.addImage("amd64")
	attach(t, attester(t, s, nil), request(image))
	other := request(image)
	other.Commit.SHA = strings.Repeat("ab", 20)
	if got := attach(t, attester(t, s, nil), other); len(got) != 1 {
		t.Errorf("the provenance of another commit's build: attached %v", got)
	}
	signing := func(c *Config) { c.Key = newKey(t).private }
	for _, who := range []string{"nobody signed what is there", "somebody else did"} {
		if got := attach(t, attester(t, s, signing), request(image)); len(got) != 2 {
			t.Errorf("%s: attached %v", who, got)
		}
	}
}

// TestIndex: provenance and signature are about the image, an SBOM is about one platform.
func TestIndex(t *testing.T) {
	s := newShelf()
	amd, arm := s.addImage("amd64", layer(t, "on-amd64", "1")), s.addImage("arm64", layer(t, "on-arm64", "1"))
	index := []byte(`{"schemaVersion":2,"manifests":[]}`)
	s.manifests[digestOf(index)] = index
	image := release.Image{Repository: uri, Digest: digestOf(index), Manifests: []release.Digest{amd.Digest, arm.Digest}}
	attach(t, attester(t, s, func(c *Config) { c.SBOM, c.Key = true, newKey(t).private }), request(image))
	if got := s.kindsAttached(t, release.Image{Digest: image.Digest}); !slices.Equal(got, []string{"provenance", "signature"}) {
		t.Errorf("on the index: %v", got)
	}
	for architecture, platform := range map[string]release.Image{"amd64": amd, "arm64": arm} {
		all := s.attached(t, platform)
		if len(all) != 1 || all[0].Kind != release.AttestationSBOM || !all[0].statement.about(platform.Digest) {
			t.Fatalf("on %s: %+v", architecture, all)
		}
		if document := string(all[0].statement.Predicate); !strings.Contains(document, "pkg:npm/on-"+architecture+"@1") || !strings.Contains(document, "arch="+architecture) {
			t.Errorf("%s: %s", architecture, document)
		}
	}
	listed, err := NewReader(s).List(t.Context(), repository, image)
	if err != nil || len(listed) != 4 || listed[0].Subject != image.Digest || listed[3].Subject != arm.Digest {
		t.Errorf("listed %+v, %v", listed, err)
	}
}

// TestAttachFails: what could be attached is told apart from what could not, and nothing is lost on the way.
func TestAttachFails(t *testing.T) {
	s := newShelf()
	image := s.addImage("amd64", []byte("no tar file, and no layer"))
	a := attester(t, s, func(c *Config) { c.SBOM = true })
	got, err := a.Attach(t.Context(), request(image))
	if !slices.Equal(got, []release.AttestationKind{release.AttestationProvenance}) || err == nil || !strings.HasPrefix(err.Error(), "sbom: list what is in ") {
		t.Errorf("a layer that cannot be read: attached %v, %v", got, err)
	}
	s.failing = errBroken
	if got, err := attester(t, s, func(c *Config) { c.Key = newKey(t).private }).Attach(t.Context(), request(image)); len(got) > 0 || !errors.Is(err, errBroken) {
		t.Errorf("a registry that takes nothing: attached %v, %v", got, err)
	}
	s.broken = errBroken
	if _, err := a.Attach(t.Context(), request(image)); !errors.Is(err, errBroken) {
		t.Errorf("a registry that does not answer: %v", err)
	}
	if _, err := a.Missing(t.Context(), repository, image); !errors.Is(err, errBroken) {
		t.Errorf("a registry that does not answer: %v", err)
	}
}

// TestFormats: media types and annotations are those that cosign, oras and BuildKit's tools look for.
func TestFormats(t *testing.T) {
	s := newShelf()
	plain, signed := s.addImage("amd64"), s.addImage("arm64")
	attach(t, attester(t, s, nil), request(plain))
	attach(t, attester(t, s, func(c *Config) { c.Key = newKey(t).private }), request(signed))
	r := s.referrers[plain.Digest][0]
	if r.ArtifactType != "application/vnd.in-toto+json" || r.Annotations["in-toto.io/predicate-type"] != "https://slsa.dev/provenance/v1" || r.Annotations["org.opencontainers.image.created"] == "" {
		t.Errorf("unsigned: %+v", r)
	}
	predicates := []string{}
	for _, r := range s.referrers[signed.Digest] {
		if r.ArtifactType != "application/vnd.dev.sigstore.bundle.v0.3+json" || r.Annotations["dev.sigstore.bundle.content"] != "dsse-envelope" || r.Annotations["org.opencontainers.image.created"] == "" {
			t.Errorf("signed: %+v", r)
		}
		predicates = append(predicates, r.Annotations["dev.sigstore.bundle.predicateType"])
	}
	slices.Sort(predicates)
	if !slices.Equal(predicates, []string{"https://sigstore.dev/cosign/sign/v1", "https://slsa.dev/provenance/v1"}) {
		t.Errorf("predicates %v", predicates)
	}
}

// TestProvenance: the statement is valid by in-toto's own rules, and says what is known.
func TestProvenance(t *testing.T) {
	actions := environment("GITHUB_ACTIONS", "true", "GITHUB_SERVER_URL", "https://github.com", "GITHUB_REPOSITORY", "acme/shop",
		"GITHUB_WORKFLOW_REF", "acme/shop/.github/workflows/deploy.yml@refs/tags/v1", "GITHUB_RUN_ID", "42", "GITHUB_RUN_ATTEMPT", "2",
		"GITHUB_REF", "refs/tags/v1", "GITHUB_SHA", commitSHA)
	for name, tc := range map[string]struct {
		env    LookupEnv
		change func(*release.AttestRequest)
		want   map[string]any // of the predicate, by dotted path
	}{
		"on one's own machine": {environment(), nil, map[string]any{
			"buildDefinition.externalParameters.dockerfile": "docker/Dockerfile", "buildDefinition.externalParameters.context": ".",
			"buildDefinition.externalParameters.stage": "production", "buildDefinition.externalParameters.dirty": false,
			"buildDefinition.externalParameters.platforms": []any{"linux/amd64"}, "buildDefinition.externalParameters.argNames": []any{"COMMIT", "NPM_TOKEN"},
			"buildDefinition.externalParameters.prepare": []any{"npm", "run", "codegen"},
			"buildDefinition.resolvedDependencies": []any{
				map[string]any{"name": "source", "uri": "git+https://example.com/shop.git@refs/heads/main", "digest": map[string]any{"gitCommit": commitSHA}},
				map[string]any{"uri": "docker-image://docker.io/library/node:22", "digest": map[string]any{"sha256": strings.Repeat("0", 63) + "7"}},
			},
			"runDetails.builder.id": localBuilder, "runDetails.metadata.startedOn": "2026-03-04T05:06:07Z", "runDetails.metadata.finishedOn": "2026-03-04T05:06:09Z",
			"runDetails.builder.version": map[string]any{"medusa-deploy": "v1.2.3", "builder": "BuildKit v0.34.2 (the built-in engine)"},
		}},
		"in GitHub Actions": {actions, func(r *release.AttestRequest) { r.Commit.Branch, r.Bases = "", nil }, map[string]any{
			"runDetails.builder.id":            "https://github.com/acme/shop/.github/workflows/deploy.yml@refs/tags/v1",
			"runDetails.metadata.invocationId": "https://github.com/acme/shop/actions/runs/42/attempts/2",
			"buildDefinition.resolvedDependencies": []any{
				map[string]any{"name": "source", "uri": "git+https://example.com/shop.git@refs/tags/v1", "digest": map[string]any{"gitCommit": commitSHA}}},
		}},
		"in GitHub Actions, another commit checked out": {actions, func(r *release.AttestRequest) { r.Commit.SHA, r.Bases = strings.Repeat("ab", 20), nil }, map[string]any{
			"buildDefinition.resolvedDependencies": []any{
				map[string]any{"name": "source", "uri": "git+https://example.com/shop.git@refs/heads/main", "digest": map[string]any{"gitCommit": strings.Repeat("ab", 20)}}},
		}},
		"no remote, dirty, outside of the repository": {environment(), func(r *release.AttestRequest) {
			r.Commit.Remote, r.Commit.Dirty, r.Bases = "", true, nil
			r.Build.Dockerfile, r.Build.Stage = "/somewhere/secret/Dockerfile", ""
		}, map[string]any{
			"buildDefinition.externalParameters.dockerfile": "Dockerfile", "buildDefinition.externalParameters.stage": nil, "buildDefinition.externalParameters.dirty": true,
			"buildDefinition.resolvedDependencies": []any{map[string]any{"name": "source", "digest": map[string]any{"gitCommit": commitSHA}}},
		}},
		"git's short form of SSH": {environment(), func(r *release.AttestRequest) { r.Commit.Remote, r.Bases = "git@github.com:acme/shop.git", nil }, map[string]any{
			"buildDefinition.resolvedDependencies": []any{
				map[string]any{"name": "source", "uri": "git+ssh://git@github.com/acme/shop.git@refs/heads/main", "digest": map[string]any{"gitCommit": commitSHA}}},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShelf()
			image := s.addImage("amd64")
			req := request(image)
			if tc.change != nil {
				tc.change(&req)
			}
			attach(t, attester(t, s, func(c *Config) { c.Env, c.Prepare = tc.env, []string{"npm", "run", "codegen"} }), req)
			predicate := validated(t, s.attached(t, image)[0].statement, image)
			for path, want := range tc.want {
				if diff := cmp.Diff(want, at(predicate, path)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", path, diff)
				}
			}
		})
	}
}

// validated holds a provenance statement to in-toto's rules and gives its predicate.
func validated(t *testing.T, s statement, image release.Image) map[string]any {
	t.Helper()
	var parsed intoto.Statement
	if err := protojson.Unmarshal(mustJSON(s), &parsed); err != nil {
		t.Fatal(err)
	}
	if err := parsed.Validate(); err != nil {
		t.Error(err)
	}
	var predicate slsa.Provenance
	if err := protojson.Unmarshal(s.Predicate, &predicate); err != nil {
		t.Fatal(err)
	}
	if err := predicate.Validate(); err != nil {
		t.Error(err)
	}
	if parsed.PredicateType != "https://slsa.dev/provenance/v1" || parsed.Subject[0].Name != uri || "sha256:"+parsed.Subject[0].Digest["sha256"] != string(image.Digest) {
		t.Errorf("statement %v", &parsed)
	}
	var plain map[string]any
	if err := json.Unmarshal(s.Predicate, &plain); err != nil {
		t.Fatal(err)
	}
	return plain
}

// at gives what a dotted path leads to.
func at(value map[string]any, path string) any {
	first, rest, more := strings.Cut(path, ".")
	if !more {
		return value[first]
	}
	inner, _ := value[first].(map[string]any)
	return at(inner, rest)
}

// TestNoSecretIsAttached: values of build arguments, keys and passwords are in nothing that is pushed.
func TestNoSecretIsAttached(t *testing.T) {
	s := newShelf()
	image := s.addImage("amd64", layer(t, "ms", "1"))
	key := newKey(t)
	attach(t, attester(t, s, func(c *Config) {
		c.SBOM, c.Key = true, key.private
		c.Env = environment("COSIGN_PASSWORD", "canary-password", "SIGSTORE_ID_TOKEN", "canary-token")
	}), request(image))
	for digest, blob := range s.blobs {
		for _, canary := range []string{"canary", "PRIVATE KEY"} {
			if bytes.Contains(blob, []byte(canary)) {
				t.Errorf("%s holds %q: %s", digest, canary, blob)
			}
		}
	}
}

func TestNothingToAttach(t *testing.T) {
	if a := New(newShelf(), Config{}); a != nil {
		t.Errorf("New = %+v, want nil", a)
	}
}

package e2e

import (
	"encoding/base64"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

const keyPassword = "canary-password-of-the-key"

// TestProvenance ships an image with its provenance, an SBOM and a signature, and requires the signature.
func TestProvenance(t *testing.T) {
	t.Setenv("COSIGN_PASSWORD", keyPassword)
	stage := upStage(t)
	must(t, stage, "keygen", "--prefix", "../cosign")
	must(t, stage, "keygen", "--prefix", "../other")
	configure(t, stage, "  sbom: true\n  sign: {key: ../cosign.key}\n")
	shipped := green(t, stage, release.OutcomeSucceeded, "ship")
	if !strings.Contains(shipped.Raw, "provenance, sbom and signature attached") || strings.Contains(shipped.Raw, keyPassword) {
		t.Errorf("ship says:\n%s", shipped.Raw)
	}
	attached := attestations(t, stage, "HEAD")
	aws := newAWS(t, stage)

	t.Run("what is attached", func(t *testing.T) { seeAttached(t, aws, shipped, attached) })
	t.Run("sbom", func(t *testing.T) { readSBOM(t, aws, attached[release.AttestationSBOM]) })
	t.Run("nothing is attached twice", func(t *testing.T) { attachAgain(t, stage, shipped, attached) })
	t.Run("required", func(t *testing.T) { requireSignature(t, stage, shipped) })
	t.Run("base image", func(t *testing.T) { buildOnBase(t, stage, aws, shipped) })
	t.Run("unsigned", func(t *testing.T) { refuseUnsigned(t, stage) })
}

// configure sets the image's keys in the app's config and commits it.
func configure(t *testing.T, stage *rehearsal.Stage, keys string) {
	t.Helper()
	if err := stage.Edit("medusa-deploy.yaml", "targets:\n", keys+"targets:\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := stage.Commit("configure"); err != nil {
		t.Fatal(err)
	}
}

// attestations are what is attached to an image, by kind.
func attestations(t *testing.T, stage *rehearsal.Stage, ref string) map[release.AttestationKind]release.Attestation {
	t.Helper()
	var trace release.Trace
	decode(t, must(t, stage, "trace", ref, "--output", "json"), &trace)
	all := map[release.AttestationKind]release.Attestation{}
	for _, a := range trace.Attestations {
		if _, twice := all[a.Kind]; twice {
			t.Errorf("two of kind %s are attached: %+v", a.Kind, trace.Attestations)
		}
		all[a.Kind] = a
	}
	return all
}

func seeAttached(t *testing.T, aws awsCLI, shipped rehearsal.Result, attached map[release.AttestationKind]release.Attestation) {
	for _, kind := range []release.AttestationKind{release.AttestationProvenance, release.AttestationSBOM, release.AttestationSignature} {
		a := attached[kind]
		if a.Subject != shipped.Digest || !strings.HasPrefix(a.Signer, "key sha256:") || a.Problem != "" || a.Created.IsZero() {
			t.Errorf("%s: %+v", kind, a)
		}
	}
	if !aws.knows("ecr", "list-image-referrers") {
		t.Skip("this AWS CLI is older than ListImageReferrers")
	}
	var listed struct {
		Referrers []struct{ Digest, ArtifactType string }
	}
	decode(t, aws.run("ecr", "list-image-referrers", "--repository-name", "medusa", "--subject-id", "imageDigest="+string(shipped.Digest), "--output", "json"), &listed)
	if len(listed.Referrers) != 3 || len(attached) != 3 {
		t.Errorf("aws lists %+v, trace %+v", listed, attached)
	}
	for _, r := range listed.Referrers {
		if r.ArtifactType != "application/vnd.dev.sigstore.bundle.v0.3+json" {
			t.Errorf("%+v is no bundle", r)
		}
	}
}

// statementOf reads what an attestation says, through ECR's API.
func statementOf(t *testing.T, aws awsCLI, a release.Attestation) string {
	t.Helper()
	var manifest struct{ Layers []struct{ Digest string } }
	decode(t, aws.run("ecr", "batch-get-image", "--repository-name", "medusa", "--image-ids", "imageDigest="+string(a.Digest),
		"--accepted-media-types", "application/vnd.oci.image.manifest.v1+json", "--query", "images[0].imageManifest", "--output", "text"), &manifest)
	url := aws.run("ecr", "get-download-url-for-layer", "--repository-name", "medusa", "--layer-digest", manifest.Layers[0].Digest, "--query", "downloadUrl", "--output", "text")
	bundle, err := rehearsal.Get(t.Context(), http.DefaultClient, url)
	if err != nil {
		t.Fatal(err)
	}
	var signed struct{ DsseEnvelope struct{ Payload string } }
	decode(t, bundle, &signed)
	statement, err := base64.StdEncoding.DecodeString(signed.DsseEnvelope.Payload)
	if err != nil {
		t.Fatal(err)
	}
	return string(statement)
}

// readSBOM: the app is one Go program in an otherwise empty image.
func readSBOM(t *testing.T, aws awsCLI, a release.Attestation) {
	var said struct {
		PredicateType string
		Predicate     struct {
			BomFormat, SpecVersion string
			Components             []struct{ Type, Name, Version, Purl string }
		}
	}
	decode(t, statementOf(t, aws, a), &said)
	if said.PredicateType != "https://cyclonedx.org/bom" || said.Predicate.BomFormat != "CycloneDX" || said.Predicate.SpecVersion != "1.6" {
		t.Errorf("%+v", said)
	}
	version := strings.TrimPrefix(strings.Fields(runtime.Version())[0], "go")
	var found []string
	for _, c := range said.Predicate.Components {
		found = append(found, c.Type+" "+c.Purl)
	}
	if want := []string{"application pkg:golang/hello", "library pkg:golang/stdlib@" + version}; !slices.Equal(found, want) {
		t.Errorf("components %v, want %v", found, want)
	}
}

func attachAgain(t *testing.T, stage *rehearsal.Stage, shipped rehearsal.Result, attached map[release.AttestationKind]release.Attestation) {
	for _, args := range [][]string{{"ship"}, {"ship", "--rebuild"}} {
		again := green(t, stage, release.OutcomeUnchanged, args...)
		if again.Digest != shipped.Digest || strings.Contains(again.Raw, " attached") {
			t.Errorf("%v: %s\n%s", args, again.Digest, again.Raw)
		}
	}
	for kind, a := range attestations(t, stage, "HEAD") { // it fails when there are two of a kind
		if a.Digest != attached[kind].Digest {
			t.Errorf("%s was %s and is %s", kind, attached[kind].Digest, a.Digest)
		}
	}
}

// requireSignature: with the right key the deploy goes on, with another one nothing is touched.
func requireSignature(t *testing.T, stage *rehearsal.Stage, shipped rehearsal.Result) {
	signed := green(t, stage, release.OutcomeUnchanged, "deploy", "--require-signature") // cosign.pub lies beside cosign.key
	if !strings.Contains(signed.Raw, "signed by key sha256:") {
		t.Errorf("deploy does not say who signed:\n%s", signed.Raw)
	}
	before := statusOf(t, stage)
	refused, err := stage.Release(t.Context(), "deploy", "--signature-key", "../other.pub")
	if err != nil {
		t.Fatal(err)
	}
	if refused.Outcome != release.OutcomeRefused || refused.Exit != release.ExitCheck {
		t.Errorf("another key: %s exit %d", refused.Outcome, refused.Exit)
	}
	for _, want := range []string{"no signature of key other.pub", "it is signed with another key sha256:", "nothing was touched"} {
		if !strings.Contains(refused.Error, want) {
			t.Errorf("error %q does not say %q", refused.Error, want)
		}
	}
	after := statusOf(t, stage)
	if after.Tagged != before.Tagged || after.Tagged != shipped.Digest || after.Services[0].Deployment != before.Services[0].Deployment {
		t.Errorf("something was touched: %+v, before %+v", after, before)
	}
}

// buildOnBase: the provenance names the image that the build started from, by digest.
func buildOnBase(t *testing.T, stage *rehearsal.Stage, aws awsCLI, base rehearsal.Result) {
	repository, _, _ := strings.Cut(base.Image, "@")
	from := repository + ":git-" + base.Commit
	edit(t, stage, "Hello from", "Hello on top from")
	if err := stage.Edit("Dockerfile", "FROM scratch", "FROM "+from); err != nil {
		t.Fatal(err)
	}
	sha, err := stage.Commit("on top of the first image")
	if err != nil {
		t.Fatal(err)
	}
	green(t, stage, release.OutcomeSucceeded, "push")
	var said struct {
		Predicate struct {
			BuildDefinition struct {
				ResolvedDependencies []struct {
					Name, URI string
					Digest    map[string]string
				}
			}
		}
	}
	statement := statementOf(t, aws, attestations(t, stage, "HEAD")[release.AttestationProvenance])
	decode(t, statement, &said)
	materials := said.Predicate.BuildDefinition.ResolvedDependencies
	if len(materials) != 2 || materials[0].Digest["gitCommit"] != sha || materials[1].URI != "docker-image://"+from ||
		"sha256:"+materials[1].Digest["sha256"] != string(base.Digest) {
		t.Errorf("materials %+v, want commit %s and %s@%s", materials, sha, from, base.Digest)
	}
	if strings.Contains(statement, stage.Dir) {
		t.Errorf("it tells of this machine: %s", statement)
	}
}

// refuseUnsigned: what the target requires holds without a flag, for ship as well.
func refuseUnsigned(t *testing.T, stage *rehearsal.Stage) {
	for _, change := range []struct{ from, to string }{
		{"  sign: {key: ../cosign.key}\n", ""},
		{"    services: [medusa-service]\n", "    services: [medusa-service]\n    require_signature: {key: ../cosign.pub}\n"},
	} {
		if err := stage.Edit("medusa-deploy.yaml", change.from, change.to); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := stage.Commit("require, and do not sign"); err != nil {
		t.Fatal(err)
	}
	before := statusOf(t, stage)
	refused, err := stage.Release(t.Context(), "ship")
	if err != nil {
		t.Fatal(err)
	}
	if refused.Exit != release.ExitCheck || !strings.Contains(refused.Error, "it has no signature of key cosign.pub") || !strings.Contains(refused.Error, "it is not signed") {
		t.Errorf("exit %d: %s", refused.Exit, refused.Error)
	}
	if after := statusOf(t, stage); after.Tagged != before.Tagged || after.Services[0].Deployment != before.Services[0].Deployment {
		t.Errorf("something was touched: %+v, before %+v", after, before)
	}
	if err := os.Remove(filepath.Join(stage.Dir, "cosign.pub")); err != nil {
		t.Fatal(err)
	}
	out, err := stage.Run(t.Context(), "deploy")
	if err != nil || out.Exit != release.ExitCheck || !strings.Contains(out.Stderr, "there is no key file") {
		t.Errorf("without the key that is required: exit %d, %v: %s", out.Exit, err, out.Stderr)
	}
}

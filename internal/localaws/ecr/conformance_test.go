package ecr_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestOCIConformance runs the distribution specification's own conformance program, when CONFORMANCE names its binary:
//
//	go install github.com/opencontainers/distribution-spec/conformance@v0.0.0-20260831232431-97274622c111
//	CONFORMANCE=$(go env GOPATH)/bin/conformance go test -run OCIConformance -v ./internal/localaws/ecr
//
// CONFORMANCE_RESULTS names a directory for its reports.
func TestOCIConformance(t *testing.T) {
	program := os.Getenv("CONFORMANCE")
	if program == "" {
		t.Skip("CONFORMANCE does not name the conformance program")
	}
	w := newWorld(t)
	w.create("conformance/repo1")
	w.create("conformance/repo2")
	results := os.Getenv("CONFORMANCE_RESULTS")
	if results == "" {
		results = filepath.Join(t.TempDir(), "results")
	}
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "OCI_REGISTRY="+w.host, "OCI_TLS=disabled", "OCI_USERNAME=AWS", "OCI_PASSWORD="+w.password(),
		"OCI_API_BLOBS_UPLOAD_CANCEL=true", "OCI_API_BLOBS_DIGEST_HEADER=true", "OCI_API_MANIFESTS_DIGEST_HEADER=true",
		"OCI_RESULTS_DIR="+results)
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}

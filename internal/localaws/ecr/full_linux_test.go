package ecr_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"
	"golang.org/x/sys/unix"
)

// TestPushToAFullDisk: the client is told so, and nothing half done stays.
func TestPushToAFullDisk(t *testing.T) {
	dir := t.TempDir()
	blobs := filepath.Join(dir, "blobs")
	if err := os.Mkdir(blobs, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", blobs, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("a small file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(blobs, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	w := openWorld(t, dir)
	w.create("app")
	big := strings.Repeat("x", 1<<20)
	a := w.do("POST", "/v2/app/blobs/uploads/?digest="+digestOf(big), w.password(), big)
	if a.status != 507 || a.errorCode() != "DENIED" || !strings.Contains(a.body, "no space left") {
		t.Errorf("%d %s", a.status, a.body)
	}
	begun, err := w.client().InitiateLayerUpload(t.Context(), &sdk.InitiateLayerUploadInput{RepositoryName: app})
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.client().UploadLayerPart(t.Context(), &sdk.UploadLayerPartInput{RepositoryName: app, UploadId: begun.UploadId,
		PartFirstByte: aws.Int64(0), PartLastByte: aws.Int64(1<<20 - 1), LayerPartBlob: []byte(big)})
	wantCode(t, err, "ServerException", "no space left")
	w.pushImage("app", "v1", "small")
	left, err := filepath.Glob(filepath.Join(blobs, "uploads", "*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

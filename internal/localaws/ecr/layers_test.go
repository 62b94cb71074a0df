package ecr_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

var app = aws.String("app")

// TestLayerUpload pushes a layer and an image through the API alone, across a restart.
func TestLayerUpload(t *testing.T) {
	w := newWorld(t)
	w.create("app")
	begun, err := w.client().InitiateLayerUpload(t.Context(), &sdk.InitiateLayerUploadInput{RepositoryName: app})
	if err != nil || *begun.PartSize != 10<<20 {
		t.Fatalf("%+v, %v", begun, err)
	}
	part := bytes.Repeat([]byte("a"), 6<<20)
	upload := func(first int64, data []byte) (*sdk.UploadLayerPartOutput, error) {
		return w.client().UploadLayerPart(t.Context(), &sdk.UploadLayerPartInput{
			RepositoryName: app, UploadId: begun.UploadId, PartFirstByte: aws.Int64(first), PartLastByte: aws.Int64(first + int64(len(data)) - 1), LayerPartBlob: data})
	}
	if out, err := upload(0, part); err != nil || *out.LastByteReceived != 6<<20-1 {
		t.Fatalf("%+v, %v", out, err)
	}
	_, err = upload(5, []byte("x"))
	var invalid *types.InvalidLayerPartException
	if !errors.As(err, &invalid) || aws.ToInt64(invalid.LastValidByteReceived) != 6<<20-1 {
		t.Errorf("a part in the wrong place: %v", err)
	}
	w.close()
	w = openWorld(t, w.dir)
	if _, err := upload(6<<20, []byte("tail")); err != nil {
		t.Fatal(err)
	}
	digest := digestOf(string(part) + "tail")
	complete := func(digest string) error {
		_, err := w.client().CompleteLayerUpload(t.Context(), &sdk.CompleteLayerUploadInput{RepositoryName: app, UploadId: begun.UploadId, LayerDigests: []string{digest}})
		return err
	}
	if err := complete(digest); err != nil {
		t.Fatal(err)
	}
	wantCode(t, complete(digest), "UploadNotFoundException", *begun.UploadId)
	out, err := w.client().BatchCheckLayerAvailability(t.Context(), &sdk.BatchCheckLayerAvailabilityInput{RepositoryName: app, LayerDigests: []string{digest, digestOf("none"), "x"}})
	if err != nil || len(out.Layers) != 2 || out.Layers[0].LayerAvailability != "AVAILABLE" || *out.Layers[0].LayerSize != 6<<20+4 ||
		out.Layers[1].LayerAvailability != "UNAVAILABLE" || len(out.Failures) != 1 || out.Failures[0].FailureCode != "InvalidLayerDigest" {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestLayerUploadRefuses(t *testing.T) {
	w := newWorld(t)
	w.create("app")
	w.pushBlob("app", "there")
	begin := func() *string {
		out, err := w.client().InitiateLayerUpload(t.Context(), &sdk.InitiateLayerUploadInput{RepositoryName: app})
		if err != nil {
			t.Fatal(err)
		}
		return out.UploadId
	}
	fill := func(id *string, text string) error {
		_, err := w.client().UploadLayerPart(t.Context(), &sdk.UploadLayerPartInput{
			RepositoryName: app, UploadId: id, PartFirstByte: aws.Int64(0), PartLastByte: aws.Int64(4), LayerPartBlob: []byte(text)})
		return err
	}
	complete := func(id *string, digests ...string) error {
		_, err := w.client().CompleteLayerUpload(t.Context(), &sdk.CompleteLayerUploadInput{RepositoryName: app, UploadId: id, LayerDigests: digests})
		return err
	}
	wantCode(t, complete(begin(), digestOf("")), "EmptyUploadException", "")
	wantCode(t, fill(begin(), "toolong"), "InvalidParameterException", "bytes 0 to 4 are 5, but the part has 7")
	wantCode(t, fill(aws.String("00000000-0000-0000-0000-000000000000"), "there"), "UploadNotFoundException", "")
	id := begin()
	if err := fill(id, "there"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, complete(id, digestOf("there")), "LayerAlreadyExistsException", digestOf("there"))
	wantCode(t, complete(id, "x"), "InvalidParameterException", "layerDigests")
	wantCode(t, complete(id, digestOf("a"), digestOf("b")), "InvalidParameterException", "exactly one")
	wantCode(t, complete(id, digestOf("else")), "InvalidLayerException", digestOf("else"))
}

func TestDownloadURL(t *testing.T) {
	w := newWorld(t)
	w.create("app")
	digest := w.pushBlob("app", "content")
	w.pushBlob("app", "secret")
	out, err := w.client().GetDownloadUrlForLayer(t.Context(), &sdk.GetDownloadUrlForLayerInput{RepositoryName: app, LayerDigest: &digest})
	if err != nil {
		t.Fatal(err)
	}
	fetch := func(method, url string) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(body)
	}
	if status, body := fetch("GET", *out.DownloadUrl); status != 200 || body != "content" {
		t.Errorf("%d %s", status, body)
	}
	if status, _ := fetch("DELETE", *out.DownloadUrl); status != 401 {
		t.Errorf("the URL deletes: %d", status)
	}
	if status, _ := fetch("GET", strings.Replace(*out.DownloadUrl, digest, digestOf("secret"), 1)); status != 401 {
		t.Errorf("the URL reads another layer: %d", status)
	}
	if status, _ := fetch("GET", w.server.URL+"/v2/?token="+w.password()); status != 401 {
		t.Errorf("a password works in a URL: %d", status)
	}
	_, err = w.client().GetDownloadUrlForLayer(t.Context(), &sdk.GetDownloadUrlForLayerInput{RepositoryName: app, LayerDigest: aws.String(digestOf("none"))})
	wantCode(t, err, "LayersNotFoundException", digestOf("none"))
}

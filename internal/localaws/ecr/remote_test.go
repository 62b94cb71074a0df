package ecr_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// TestRemoteClient pushes, mounts, lists and pulls with a client that others use.
func TestRemoteClient(t *testing.T) {
	w := newWorld(t)
	w.create("app")
	w.create("other")
	options := []remote.Option{remote.WithContext(t.Context()), remote.WithAuth(&authn.Basic{Username: "AWS", Password: w.password()})}
	ref := func(text string) name.Reference {
		t.Helper()
		r, err := name.ParseReference(w.host+"/"+text, name.Insecure)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}

	img, err := random.Image(1<<20, 3)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref("app:v1"), img, options...); err != nil {
		t.Fatal(err)
	}
	pulled, err := remote.Image(ref("app:v1"), options...)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(pulled); err != nil {
		t.Error(err)
	}
	if err := remote.Write(ref("other:v1"), pulled, options...); err != nil { // mounts the layers of app
		t.Fatal(err)
	}

	index, err := random.Index(4096, 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(ref("app:multi"), index, options...); err != nil {
		t.Fatal(err)
	}
	got, err := remote.Index(ref("app:multi"), options...)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(got); err != nil {
		t.Error(err)
	}
	tags, err := remote.List(ref("app").Context(), options...)
	if err != nil || len(tags) != 2 {
		t.Errorf("tags %v, %v", tags, err)
	}
	want, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	details, err := w.client().DescribeImages(t.Context(), &sdk.DescribeImagesInput{RepositoryName: aws.String("other")})
	if err != nil || len(details.ImageDetails) != 1 || *details.ImageDetails[0].ImageDigest != want.String() {
		t.Errorf("%+v, %v; want %s", details, err, want)
	}
	if err := remote.Delete(ref("app:multi"), options...); err != nil {
		t.Error(err)
	}
}

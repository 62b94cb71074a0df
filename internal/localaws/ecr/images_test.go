package ecr_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-cmp/cmp"
)

func id(tag, digest string) types.ImageIdentifier {
	var i types.ImageIdentifier
	if tag != "" {
		i.ImageTag = &tag
	}
	if digest != "" {
		i.ImageDigest = &digest
	}
	return i
}

func (w *world) putImage(tag, manifest string) error {
	_, err := w.client().PutImage(w.ctx(), &sdk.PutImageInput{RepositoryName: aws.String("app"), ImageManifest: &manifest, ImageTag: aws.String(tag)})
	return err
}

// TestRetag moves a tag as medusa-deploy and the AWS guide do: BatchGetImage, then PutImage.
func TestRetag(t *testing.T) {
	w := newWorld(t)
	w.create("app")
	_, one := w.pushImage("app", "git-1", "one")
	two, twoDigest := w.pushImage("app", "git-2", "two")
	_ = w.want(201, w.do("PUT", "/v2/app/manifests/latest", w.password(), manifestOf("{}", "one"), "Content-Type", ociManifest))
	wantTags(t, w, "app", map[string]string{"git-1": one, "git-2": twoDigest, "latest": one})

	got, err := w.client().BatchGetImage(t.Context(), &sdk.BatchGetImageInput{RepositoryName: aws.String("app"), ImageIds: []types.ImageIdentifier{id("git-2", "")}})
	if err != nil || len(got.Images) != 1 || *got.Images[0].ImageManifest != two || *got.Images[0].ImageId.ImageDigest != twoDigest || *got.Images[0].ImageManifestMediaType != ociManifest {
		t.Fatalf("%+v, %v", got, err)
	}
	if err := w.putImage("latest", *got.Images[0].ImageManifest); err != nil {
		t.Fatal(err)
	}
	wantTags(t, w, "app", map[string]string{"git-1": one, "git-2": twoDigest, "latest": twoDigest})
	wantCode(t, w.putImage("latest", two), "ImageAlreadyExistsException",
		"Image with digest '"+twoDigest+"' and tag 'latest' already exists in the repository with name 'app' in registry with id '000000000000'")
}

func TestPutImageRefuses(t *testing.T) {
	w := newWorld(t)
	w.create("app")
	manifest, digest := w.pushImage("app", "v1", "one")
	put := func(in sdk.PutImageInput) error {
		in.RepositoryName = aws.String("app")
		_, err := w.client().PutImage(t.Context(), &in)
		return err
	}
	index := fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":%q,"digest":%q,"size":1}]}`, ociManifest, digestOf("none"))
	tests := []struct {
		name, code, says string
		in               sdk.PutImageInput
	}{
		{"known digest without tag", "ImageAlreadyExistsException", digest, sdk.PutImageInput{ImageManifest: &manifest}},
		{"missing layer", "LayersNotFoundException", digestOf("absent"), sdk.PutImageInput{ImageManifest: aws.String(manifestOf("{}", "absent"))}},
		{"missing image", "ReferencedImagesNotFoundException", digestOf("none"), sdk.PutImageInput{ImageManifest: &index}},
		{"other digest", "ImageDigestDoesNotMatchException", digestOf("x"), sdk.PutImageInput{ImageManifest: &manifest, ImageDigest: aws.String(digestOf("x"))}},
		{"nonsense digest", "ImageDigestDoesNotMatchException", "", sdk.PutImageInput{ImageManifest: &manifest, ImageDigest: aws.String("x")}},
		{"no JSON", "InvalidParameterException", "imageManifest", sdk.PutImageInput{ImageManifest: aws.String("hello")}},
		{"schema 1", "InvalidParameterException", "schemaVersion", sdk.PutImageInput{ImageManifest: aws.String(`{"schemaVersion":1}`)}},
		{"other media type", "InvalidParameterException", "was sent as", sdk.PutImageInput{ImageManifest: &manifest, ImageManifestMediaType: aws.String("application/vnd.oci.image.index.v1+json")}},
		{"bad tag", "InvalidParameterException", "imageTag", sdk.PutImageInput{ImageManifest: &manifest, ImageTag: aws.String("no spaces")}},
		{"too large", "InvalidParameterException", "at most 4194304 bytes", sdk.PutImageInput{ImageManifest: aws.String(strings.Repeat(" ", 4194305))}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { wantCode(t, put(test.in), test.code, test.says) })
	}
	wantTags(t, w, "app", map[string]string{"v1": digest})
}

func TestTagMutability(t *testing.T) {
	tests := []struct {
		mode    types.ImageTagMutability
		filters []string
		movable map[string]bool
	}{
		{"MUTABLE", nil, map[string]bool{"latest": true, "v1": true}},
		{"IMMUTABLE", nil, map[string]bool{"latest": false, "v1": false}},
		{"IMMUTABLE_WITH_EXCLUSION", []string{"latest", "dev-*"}, map[string]bool{"latest": true, "dev-1": true, "v1": false, "latest2": false}},
		{"MUTABLE_WITH_EXCLUSION", []string{"v*"}, map[string]bool{"latest": true, "v1": false}},
	}
	for _, test := range tests {
		t.Run(string(test.mode), func(t *testing.T) {
			w := newWorld(t)
			w.create("app")
			in := &sdk.PutImageTagMutabilityInput{RepositoryName: aws.String("app"), ImageTagMutability: test.mode}
			for _, f := range test.filters {
				in.ImageTagMutabilityExclusionFilters = append(in.ImageTagMutabilityExclusionFilters,
					types.ImageTagMutabilityExclusionFilter{Filter: &f, FilterType: types.ImageTagMutabilityExclusionFilterTypeWildcard})
			}
			if _, err := w.client().PutImageTagMutability(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			one, _ := w.pushImage("app", "one", "one")
			two, _ := w.pushImage("app", "two", "two")
			for tag, movable := range test.movable {
				if err := w.putImage(tag, one); err != nil {
					t.Fatal(err)
				}
				again := w.do("PUT", "/v2/app/manifests/"+tag, w.password(), one, "Content-Type", ociManifest)
				if again.status != 201 {
					t.Errorf("%s: the same image under the same tag is refused: %s", tag, again.body)
				}
				raw := w.do("PUT", "/v2/app/manifests/"+tag, w.password(), two, "Content-Type", ociManifest)
				if movable && raw.status != 201 || !movable && (raw.status != 400 || raw.errorCode() != "TAG_INVALID") {
					t.Errorf("%s: moving it over /v2/ gives %d %s", tag, raw.status, raw.body)
				}
				err := w.putImage(tag, two)
				if movable {
					wantCode(t, err, "ImageAlreadyExistsException", "") // /v2/ has moved it
				} else {
					wantCode(t, err, "ImageTagAlreadyExistsException", "The image tag '"+tag+"' already exists in the 'app' repository and cannot be overwritten")
				}
			}
		})
	}
}

func TestDescribeImages(t *testing.T) {
	w, before := newWorld(t), time.Now().Add(-time.Second)
	w.create("app")
	one, oneDigest := w.pushImage("app", "v1", "one")
	_, twoDigest := w.pushImage("app", "v2", "three")
	if err := w.putImage("latest", one); err != nil {
		t.Fatal(err)
	}
	w.want(202, w.do("DELETE", "/v2/app/manifests/v2", w.password(), ""))
	describe := func(in sdk.DescribeImagesInput) map[string][]string {
		t.Helper()
		in.RepositoryName = aws.String("app")
		out, err := w.client().DescribeImages(t.Context(), &in)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string][]string{}
		for _, d := range out.ImageDetails {
			got[*d.ImageDigest] = d.ImageTags
			if d.ImagePushedAt.Before(before) || *d.ImageManifestMediaType != ociManifest || *d.ArtifactMediaType != "application/vnd.oci.image.config.v1+json" {
				t.Errorf("facts: %+v", d)
			}
			if want := map[string]int64{oneDigest: 5, twoDigest: 7}[*d.ImageDigest]; *d.ImageSizeInBytes != want {
				t.Errorf("size %d, want %d", *d.ImageSizeInBytes, want)
			}
		}
		return got
	}
	both := map[string][]string{oneDigest: {"latest", "v1"}, twoDigest: nil}
	tagged, untagged := map[string][]string{oneDigest: {"latest", "v1"}}, map[string][]string{twoDigest: nil}
	for name, test := range map[string]struct {
		in   sdk.DescribeImagesInput
		want map[string][]string
	}{
		"all":           {sdk.DescribeImagesInput{}, both},
		"tagged":        {sdk.DescribeImagesInput{Filter: &types.DescribeImagesFilter{TagStatus: "TAGGED"}}, tagged},
		"untagged":      {sdk.DescribeImagesInput{Filter: &types.DescribeImagesFilter{TagStatus: "UNTAGGED"}}, untagged},
		"any":           {sdk.DescribeImagesInput{Filter: &types.DescribeImagesFilter{TagStatus: "ANY"}}, both},
		"by tag":        {sdk.DescribeImagesInput{ImageIds: []types.ImageIdentifier{id("latest", ""), id("v1", "")}}, tagged},
		"by digest":     {sdk.DescribeImagesInput{ImageIds: []types.ImageIdentifier{id("", twoDigest)}}, untagged},
		"by both":       {sdk.DescribeImagesInput{ImageIds: []types.ImageIdentifier{id("v1", oneDigest)}}, tagged},
		"all on a page": {sdk.DescribeImagesInput{MaxResults: aws.Int32(2)}, both},
	} {
		if diff := cmp.Diff(test.want, describe(test.in)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for _, missing := range []types.ImageIdentifier{id("v2", ""), id("v1", twoDigest), id("", digestOf("x"))} {
		_, err := w.client().DescribeImages(t.Context(), &sdk.DescribeImagesInput{RepositoryName: aws.String("app"), ImageIds: []types.ImageIdentifier{missing}})
		wantCode(t, err, "ImageNotFoundException", "does not exist within the repository with name 'app' in the registry with id '000000000000'")
	}
}

func TestImagePages(t *testing.T) {
	w := newWorld(t)
	w.create("app")
	want := map[string]bool{}
	for i := range 11 {
		_, digest := w.pushImage("app", fmt.Sprintf("v%d", i), fmt.Sprint(i))
		want[digest] = true
	}
	described, listed := map[string]bool{}, map[string]bool{}
	describe := sdk.NewDescribeImagesPaginator(w.client(), &sdk.DescribeImagesInput{RepositoryName: aws.String("app"), MaxResults: aws.Int32(4)})
	for describe.HasMorePages() {
		page, err := describe.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range page.ImageDetails {
			described[*d.ImageDigest] = true
		}
	}
	list := sdk.NewListImagesPaginator(w.client(), &sdk.ListImagesInput{RepositoryName: aws.String("app"), MaxResults: aws.Int32(4), Filter: &types.ListImagesFilter{TagStatus: "TAGGED"}})
	for list.HasMorePages() {
		page, err := list.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range page.ImageIds {
			listed[*i.ImageDigest] = true
		}
	}
	if diff := cmp.Diff(want, described) + cmp.Diff(want, listed); diff != "" {
		t.Error(diff)
	}
}

func TestBatchGetImageFailures(t *testing.T) {
	w := newWorld(t)
	w.create("app")
	_, digest := w.pushImage("app", "v1", "one")
	w.pushImage("app", "v2", "two")
	out, err := w.client().BatchGetImage(t.Context(), &sdk.BatchGetImageInput{RepositoryName: aws.String("app"), ImageIds: []types.ImageIdentifier{
		id("v1", digest), id("nope", ""), {}, id("v2", digest), id("", "x:y"), id("", digestOf("x")),
	}})
	if err != nil || len(out.Images) != 1 {
		t.Fatalf("%+v, %v", out, err)
	}
	var codes []types.ImageFailureCode
	for _, f := range out.Failures {
		codes = append(codes, f.FailureCode)
	}
	want := []types.ImageFailureCode{"ImageNotFound", "MissingDigestAndTag", "ImageTagDoesNotMatchDigest", "InvalidImageDigest", "ImageNotFound"}
	if diff := cmp.Diff(want, codes); diff != "" {
		t.Error(diff)
	}
	out, err = w.client().BatchGetImage(t.Context(), &sdk.BatchGetImageInput{RepositoryName: aws.String("app"), ImageIds: []types.ImageIdentifier{id("v1", "")},
		AcceptedMediaTypes: []string{"application/vnd.docker.distribution.manifest.v2+json"}})
	if err != nil || len(out.Images) != 0 || len(out.Failures) != 1 {
		t.Errorf("not accepted: %+v, %v", out, err)
	}
}

func TestBatchDeleteImage(t *testing.T) {
	w := newWorld(t)
	w.create("app")
	one, digest := w.pushImage("app", "v1", "one")
	for _, tag := range []string{"v2", "v3"} {
		if err := w.putImage(tag, one); err != nil {
			t.Fatal(err)
		}
	}
	_, other := w.pushImage("app", "other", "two")
	remove := func(ids ...types.ImageIdentifier) *sdk.BatchDeleteImageOutput {
		t.Helper()
		out, err := w.client().BatchDeleteImage(t.Context(), &sdk.BatchDeleteImageInput{RepositoryName: aws.String("app"), ImageIds: ids})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if out := remove(id("v1", ""), id("nope", "")); len(out.ImageIds) != 1 || len(out.Failures) != 1 || out.Failures[0].FailureCode != "ImageNotFound" {
		t.Errorf("%+v", out)
	}
	wantTags(t, w, "app", map[string]string{"v2": digest, "v3": digest, "other": other})
	if out := remove(id("", digest)); len(out.ImageIds) != 2 || len(out.Failures) != 0 {
		t.Errorf("by digest: %+v", out)
	}
	wantTags(t, w, "app", map[string]string{"other": other})
	remove(id("other", "")) // the last tag takes the image along
	wantTags(t, w, "app", map[string]string{})
}

func TestAnImageOfAnIndexIsNotDeleted(t *testing.T) {
	w := newWorld(t)
	w.create("app")
	manifest, digest := w.pushImage("app", "amd64", "one")
	index := fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":%q,"digest":%q,"size":%d}]}`, ociManifest, digest, len(manifest))
	if err := w.putImage("latest", index); err != nil {
		t.Fatal(err)
	}
	out, err := w.client().BatchDeleteImage(t.Context(), &sdk.BatchDeleteImageInput{RepositoryName: aws.String("app"), ImageIds: []types.ImageIdentifier{id("", digest)}})
	if err != nil || len(out.Failures) != 1 || out.Failures[0].FailureCode != "ImageReferencedByManifestList" {
		t.Errorf("%+v, %v", out, err)
	}
	raw := w.do("DELETE", "/v2/app/manifests/"+digest, w.password(), "")
	if raw.status != 403 || raw.errorCode() != "DENIED" {
		t.Errorf("%d %s", raw.status, raw.body)
	}
	details, err := w.client().DescribeImages(t.Context(), &sdk.DescribeImagesInput{RepositoryName: aws.String("app"), ImageIds: []types.ImageIdentifier{id("latest", "")}})
	if err != nil || *details.ImageDetails[0].ImageSizeInBytes != 5 {
		t.Errorf("the index's size is not its largest image's: %+v, %v", details, err)
	}
}

package registry_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient/awstest"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// batchGetImages and describeMany take several images a call, as ECR does: at most a hundred, and DescribeImages all or
// nothing.
func (h *hub) batchGetImages(t *testing.T, in awstest.Body) any {
	var images, failures []any
	for _, id := range ids(t, in) {
		out, ok := h.batchGetImage(awstest.Body{"repositoryName": in["repositoryName"], "imageIds": []any{id}}).(awstest.Body)
		if !ok {
			return awstest.Failure{Status: 400, Code: "RepositoryNotFoundException", Message: "The repository does not exist"}
		}
		found, _ := out["images"].([]any)
		images = append(images, found...)
		failed, _ := out["failures"].([]any)
		failures = append(failures, failed...)
	}
	return awstest.Body{"images": images, "failures": failures}
}

func (h *hub) describeMany(t *testing.T, in awstest.Body) any {
	if in["imageIds"] == nil {
		return h.listing(in)
	}
	var details []any
	for _, id := range ids(t, in) {
		out, ok := h.describeImages(awstest.Body{"imageIds": []any{id}}).(awstest.Body)
		if !ok {
			return awstest.Failure{Status: 400, Code: "ImageNotFoundException", Message: "The image does not exist"}
		}
		details = append(details, out["imageDetails"].([]any)...)
	}
	return awstest.Body{"imageDetails": details}
}

func ids(t *testing.T, in awstest.Body) []any {
	all := in["imageIds"].([]any)
	if len(all) == 0 || len(all) > 100 {
		t.Errorf("a call names %d images, ECR takes 1 to 100", len(all))
	}
	return all
}

// listing answers DescribeImages without names, two images a page.
func (h *hub) listing(in awstest.Body) any {
	if in["repositoryName"] != repository {
		return awstest.Failure{Status: 400, Code: "RepositoryNotFoundException", Message: "The repository does not exist"}
	}
	digests := slices.Sorted(maps.Keys(h.manifests))
	from := 0
	if token, ok := in["nextToken"].(string); ok {
		_, _ = fmt.Sscan(token, &from)
	}
	out := awstest.Body{}
	var details []any
	for n := from; n < min(from+2, len(digests)); n++ {
		var tags []string
		for tag, d := range h.tags {
			if d == digests[n] {
				tags = append(tags, tag)
			}
		}
		media := "application/vnd.oci.image.manifest.v1+json"
		if strings.Contains(h.manifests[digests[n]], `"manifests"`) {
			media = "application/vnd.oci.image.index.v1+json"
		}
		details = append(details, awstest.Body{"imageDigest": digests[n], "imageTags": tags, "imagePushedAt": 1790000000 + n, "imageManifestMediaType": media})
	}
	if from+2 < len(digests) {
		out["nextToken"] = fmt.Sprint(from + 2)
	}
	out["imageDetails"] = details
	return out
}

// addIndex puts a multi-platform image into the hub.
func (h *hub) addIndex(t *testing.T, name string, tags ...string) (index string, manifests []string) {
	var entries []any
	for _, architecture := range []string{"amd64", "arm64"} {
		d := h.addImage(t, map[string]string{"name": name, "for": architecture}, architecture)
		manifests = append(manifests, d)
		entries = append(entries, awstest.Body{"digest": d, "platform": awstest.Body{"os": "linux", "architecture": architecture}})
	}
	return h.add(text(t, awstest.Body{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": entries}), tags...), manifests
}

func calls(h *hub) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return fmt.Sprintf("BatchGetImage %d, DescribeImages %d, configs %d", h.Count("BatchGetImage"), h.Count("DescribeImages"), len(h.asked))
}

// TestImagesAsksForHundredsAtOnce counts what the images of a long history cost.
func TestImagesAsksForHundredsAtOnce(t *testing.T) {
	h := newHub(t)
	var digests []release.Digest
	for n := range 150 {
		digests = append(digests, release.Digest(h.addImage(t, map[string]string{"n": fmt.Sprint(n)}, "amd64", fmt.Sprint("git-", n))))
	}
	for n := range 30 {
		index, _ := h.addIndex(t, fmt.Sprint("index ", n), fmt.Sprint("multi-", n))
		digests = append(digests, release.Digest(index))
	}
	r := h.registry(t)
	got, err := r.Images(t.Context(), repository, slices.Concat(digests, digests, []release.Digest{"", "nonsense"}))
	if err != nil || len(got) != 180 {
		t.Fatalf("%d images, %v", len(got), err)
	}
	t.Logf("180 images, 30 of them for two platforms: %s", calls(h))
	if want := "BatchGetImage 4, DescribeImages 2, configs 180"; calls(h) != want {
		t.Errorf("asked %s, want %s", calls(h), want)
	}
	one, multi := got[digests[7]], got[digests[170]]
	if one.Labels["n"] != "7" || !slices.Equal(one.Tags, []string{"git-7"}) || !slices.Equal(one.Platforms, []string{"linux/amd64"}) || one.SizeBytes != 1234 || one.Repository != host+"/"+repository {
		t.Errorf("an image = %+v", one)
	}
	if len(multi.Manifests) != 2 || !slices.Equal(multi.Platforms, []string{"linux/amd64", "linux/arm64"}) || multi.Labels["name"] != "index 20" {
		t.Errorf("an index = %+v", multi)
	}
	if alone, err := r.Image(t.Context(), repository, string(digests[170])); err != nil || cmp.Diff(alone, multi) != "" {
		t.Errorf("together and alone differ: %v %s", err, cmp.Diff(alone, multi))
	}
	before := h.Count("BatchGetImage")
	if again, err := r.Images(t.Context(), repository, digests); err != nil || cmp.Diff(got, again) != "" || h.Count("BatchGetImage") != before {
		t.Errorf("again: %v, %d more calls of BatchGetImage", err, h.Count("BatchGetImage")-before)
	}
}

func TestImagesThatAreGone(t *testing.T) {
	h := newHub(t)
	kept, gone := h.addImage(t, nil, "amd64", "kept"), h.addImage(t, map[string]string{"a": "b"}, "amd64")
	r := h.registry(t)
	wanted := []release.Digest{release.Digest(kept), release.Digest(gone), release.Digest(digestOf("never"))}
	if got, err := r.Images(t.Context(), repository, wanted); err != nil || len(got) != 2 {
		t.Fatalf("got %v, %v", got, err)
	}
	delete(h.manifests, gone) // what was remembered is gone since
	got, err := r.Images(t.Context(), repository, wanted)
	if err != nil || len(got) != 1 || got[release.Digest(kept)].Digest == "" {
		t.Errorf("got %v, %v, want only the one that is left", got, err)
	}
	if got, err = r.Images(t.Context(), "nowhere", wanted); err != nil || len(got) != 0 {
		t.Errorf("a repository that does not exist: %v, %v", got, err)
	}
	if got, err = r.Images(t.Context(), repository, nil); err != nil || len(got) != 0 {
		t.Errorf("nothing: %v, %v", got, err)
	}
}

func TestImagesThatVanishWhileTheyAreLookedAt(t *testing.T) {
	h := newHub(t)
	kept := h.addImage(t, nil, "amd64", "kept")
	vanishing := 0
	describe := awstest.Body{"imageDetails": []any{awstest.Body{"imageDigest": kept, "imageTags": []string{"kept"}}}}
	h.On("DescribeImages", func(awstest.Body) any {
		if vanishing++; vanishing < 3 {
			return awstest.Failure{Status: 400, Code: "ImageNotFoundException", Message: "no such image"}
		}
		return describe
	})
	got, err := h.registry(t).Images(t.Context(), repository, []release.Digest{release.Digest(kept)})
	if err != nil || len(got) != 1 {
		t.Errorf("got %v, %v", got, err)
	}
	h.On("DescribeImages", awstest.Always(awstest.Failure{Status: 400, Code: "ImageNotFoundException", Message: "no such image"}))
	if _, err = h.registry(t).Images(t.Context(), repository, []release.Digest{release.Digest(kept)}); !errors.Is(err, release.ErrNotFound) {
		t.Errorf("an ECR that contradicts itself: %v", err)
	}
}

func TestImagesTellsWhatFailed(t *testing.T) {
	tests := map[string]struct {
		plant func(h *hub)
		says  string
	}{
		"refused": {func(h *hub) {
			h.On("BatchGetImage", awstest.Always(awstest.Failure{Status: 400, Code: "AccessDeniedException", Message: "not authorized to perform: ecr:BatchGetImage on resource: x"}))
		}, "look up 1 images of medusa"},
		"a broken image": {func(h *hub) {
			h.On("BatchGetImage", awstest.Always(awstest.Body{"failures": []any{awstest.Body{"failureCode": "UnableToAccessImageLayers", "failureReason": "broken"}}}))
		}, "broken (UnableToAccessImageLayers)"},
		"not a manifest": {func(h *hub) { h.manifests[digestOf("x")] = "{" }, "image medusa@" + digestOf("x")},
		"a child missing": {func(h *hub) {
			h.manifests[digestOf("x")] = `{"manifests":[{"digest":"` + digestOf("child") + `","platform":{"os":"linux","architecture":"arm64"}}]}`
		}, "platform linux/arm64"},
		"not described": {func(h *hub) {
			h.On("DescribeImages", awstest.Always(awstest.Failure{Status: 400, Code: "InvalidParameterException", Message: "no"}))
		}, "look up 1 images"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHub(t)
			config := text(t, awstest.Body{"os": "linux"})
			h.blobs[digestOf(config)] = config
			h.manifests[digestOf("x")] = `{"config":{"digest":"` + digestOf(config) + `"}}`
			tt.plant(h)
			_, err := h.registry(t).Images(t.Context(), repository, []release.Digest{release.Digest(digestOf("x"))})
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("err = %v, want it to say %q", err, tt.says)
			}
		})
	}
}

// TestListLeavesOutWhatIsAttached: a signature is no image, though ECR lists it as one.
func TestListLeavesOutWhatIsAttached(t *testing.T) {
	h := newHub(t)
	image, signature := digestOf("image"), digestOf("signature")
	h.On("DescribeImages", awstest.Always(awstest.Body{"imageDetails": []any{
		awstest.Body{"imageDigest": image, "imagePushedAt": 1790000000},
		awstest.Body{"imageDigest": signature, "imagePushedAt": 1790000001, "subjectManifestDigest": image, "artifactMediaType": "application/vnd.dev.sigstore.bundle.v0.3+json"},
	}}))
	got, err := h.registry(t).List(t.Context(), repository)
	if err != nil || len(got) != 1 || string(got[0].Digest) != image {
		t.Errorf("List = %v, %v", got, err)
	}
}

func TestList(t *testing.T) {
	h := newHub(t)
	h.addImage(t, map[string]string{"a": "1"}, "amd64", "latest", "a")
	h.addImage(t, map[string]string{"a": "2"}, "amd64")
	index, _ := h.addIndex(t, "multi", "multi")
	got, err := h.registry(t).List(t.Context(), repository)
	if err != nil || len(got) != 5 || h.Count("DescribeImages") != 3 {
		t.Fatalf("%d of %d pages, %v", len(got), h.Count("DescribeImages"), err)
	}
	if !slices.IsSortedFunc(got, func(a, b release.Held) int { return b.PushedAt.Compare(a.PushedAt) }) || got[0].PushedAt.Location() != time.UTC {
		t.Errorf("not the newest first: %v", got)
	}
	for _, one := range got {
		if one.Index != (string(one.Digest) == index) {
			t.Errorf("%s is an index: %v", one.Digest, one.Index)
		}
		if len(one.Tags) == 2 && !slices.Equal(one.Tags, []string{"a", "latest"}) {
			t.Errorf("tags = %v", one.Tags)
		}
	}
	if _, err := h.registry(t).List(t.Context(), "nowhere"); !errors.Is(err, release.ErrNotFound) {
		t.Errorf("a repository that does not exist: %v", err)
	}
}

package ecr_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"
)

// TestPushesAtOnce pushes the same and different images to two repositories at once, and moves one tag all the while.
func TestPushesAtOnce(t *testing.T) {
	w := newWorld(t)
	w.create("one")
	w.create("two")
	var wait sync.WaitGroup
	for i := range 8 {
		for _, repository := range []string{"one", "two"} {
			wait.Go(func() {
				layer := fmt.Sprintf("layer %d", i/2) // two of each
				w.pushImage(repository, fmt.Sprintf("v%d", i), layer)
				w.want(201, w.do("PUT", "/v2/"+repository+"/manifests/latest", w.password(), manifestOf("{}", layer), "Content-Type", ociManifest))
			})
		}
	}
	wait.Wait()
	for _, repository := range []string{"one", "two"} {
		tags := w.tags(repository)
		if len(tags) != 9 {
			t.Errorf("%s: %v", repository, tags)
		}
		for tag, digest := range tags {
			if tag == "latest" {
				continue
			}
			var i int
			if _, err := fmt.Sscanf(tag, "v%d", &i); err != nil || digest != digestOf(manifestOf("{}", fmt.Sprintf("layer %d", i/2))) {
				t.Errorf("%s:%s is %s, %v", repository, tag, digest, err)
			}
		}
		images, err := w.client().DescribeImages(t.Context(), &sdk.DescribeImagesInput{RepositoryName: aws.String(repository)})
		if err != nil || len(images.ImageDetails) != 4 {
			t.Errorf("%s: %d images, %v", repository, len(images.ImageDetails), err)
		}
	}
}

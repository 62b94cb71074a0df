package build_test

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// TestReproducibleOnAnotherBuilder builds one commit on two builders, each with a cold cache, from two directories, at two
// times. With a step that writes files, only a reproducible build gives the same digest, with either compression.
func TestReproducibleOnAnotherBuilder(t *testing.T) {
	one := &workshop{registry: startRegistry(t), program: compile(t)}
	two := &workshop{registry: one.registry, program: one.program}
	one.builder, two.builder = mustNew(t, startBuildKit(t)), mustNew(t, startBuildKit(t))
	files := map[string]string{
		"Dockerfile": "FROM scratch\nARG COMMIT\nWORKDIR /srv\nCOPY . ./\nCOPY program /new/dir/p\nRUN [\"/new/dir/p\", \"write\"]\nENV COMMIT=$COMMIT\n", "sub/page.html": "page",
	}
	for name, with := range map[string]release.BuildRequest{
		"gzip": {Reproducible: true}, "zstd": {Reproducible: true, Compression: release.CompressionZstd}, "not asked for": {},
	} {
		t.Run(name, func(t *testing.T) {
			digest := func(w *workshop) release.Digest {
				req := w.request(t, "reproducible", files)
				w.withProgram(t, req)
				req.Reproducible, req.Compression, req.Args, req.NoCache = with.Reproducible, with.Compression, map[string]string{"COMMIT": "abc"}, true
				image, _ := w.build(t, req)
				return image.Digest
			}
			first := digest(one)
			// Layers keep whole seconds: within one, two builds would agree by luck.
			<-time.After(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
			if second := digest(two); (first == second) != with.Reproducible {
				t.Errorf("%s on one builder, %s on the other", first, second)
			}
		})
	}
}

// testOnlyWhatIsMissing: of an image that changed in its last layer, a push sends that one alone, and nothing when the
// registry has it all.
func testOnlyWhatIsMissing(t *testing.T, w *workshop) {
	req := w.request(t, "missing-only", map[string]string{"Dockerfile": "FROM scratch\nCOPY big /\nCOPY small /\n", "big": strings.Repeat("big", 1000), "small": "one"})
	image, _ := w.build(t, req)
	w.push(t, req, image, "one")
	before := w.registry.sent()
	w.push(t, req, image, "again")
	if sent := w.registry.sent() - before; sent != 0 {
		t.Errorf("%d blobs were sent of an image that was there", sent)
	}
	write(t, filepath.Join(req.ContextDir, "small"), "two")
	image, _ = w.build(t, req)
	before = w.registry.sent()
	w.push(t, req, image, "two")
	if sent := w.registry.sent() - before; sent != 2 { // the layer and the configuration
		t.Errorf("%d blobs were sent for one layer that changed", sent)
	}
}

// testParallelPush: the layers of an image are sent side by side.
func testParallelPush(t *testing.T, w *workshop) {
	req := w.request(t, "parallel", map[string]string{"Dockerfile": "FROM scratch\nCOPY a /\nCOPY b /\nCOPY c /\n", "a": "parallel a", "b": "parallel b", "c": "parallel c"})
	image, _ := w.build(t, req)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	met := w.registry.meet(ctx, 2) // uploads wait for each other: one at a time would never end
	defer w.registry.meet(ctx, 0)
	w.push(t, req, image, "tag")
	select {
	case <-met:
	default:
		t.Error("no two layers were on their way at once")
	}
}

// testImmutableTag: a tag that may not move and names another image is said to be just that; one that names this image
// is success.
func testImmutableTag(t *testing.T, w *workshop) {
	req := w.request(t, "immutable", hello)
	image, _ := w.build(t, req)
	w.push(t, req, image, "git-abc")
	w.registry.freeze(true)
	defer w.registry.freeze(false)
	w.push(t, req, image, "git-abc")
	write(t, filepath.Join(req.ContextDir, "index.html"), "something else")
	other, _ := w.build(t, req)
	err := w.builder.Push(t.Context(), req, other.Digest, "git-abc", w.registry.credentials(), (&events{}).emit)
	if err == nil {
		t.Fatal("an immutable tag moved")
	}
	contains(t, err.Error(), "git-abc", "immutable", string(other.Digest))
	if digest, _ := w.registry.get(t, "immutable", "git-abc"); digest != image.Digest {
		t.Errorf("the tag names %s", digest)
	}
}

// frozen answers as ECR does for an immutable tag.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-tag-mutability.html
func frozen(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest)
	_, _ = w.Write([]byte(`{"errors":[{"code":"TAG_INVALID","message":"The image tag already exists in the repository and cannot be overwritten because the repository is immutable."}]}`))
}

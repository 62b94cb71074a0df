package ecr

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/ecr/blob"
)

// layerOf finds a blob that the repository may use.
func (g *registry) layerOf(at place, ref string) (layer, error) {
	digest, err := blob.ParseDigest(ref)
	if err != nil {
		return layer{}, err
	}
	l, ok, err := g.backend.layers.Get(at.child(string(digest)))
	if err == nil && !ok {
		err = fmt.Errorf("%s: %w", digest, blob.ErrNotFound)
	}
	return l, err
}

// getBlob answers GET and HEAD; http.ServeContent does ranges and conditions.
func (g *registry) getBlob(v visit) error {
	l, err := g.layerOf(v.at, v.ref)
	if err != nil {
		return err
	}
	f, _, err := g.backend.blobs.Open(blob.Digest(l.Digest))
	if err != nil {
		return err
	}
	defer f.Close()
	header := v.w.Header()
	header.Set("Content-Type", "application/octet-stream")
	header.Set("Docker-Content-Digest", l.Digest)
	header.Set("Etag", strconv.Quote(l.Digest))
	http.ServeContent(copying{v.w}, v.r, "", time.Time{}, f)
	return nil
}

// deleteBlob takes a blob away from the repository, unless an image there needs it. Other repositories keep it.
func (g *registry) deleteBlob(v visit) error {
	b := g.backend
	b.mu.Lock()
	defer b.mu.Unlock()
	l, err := g.layerOf(v.at, v.ref)
	if err != nil {
		return err
	}
	err = b.images.Each(v.at.child(""), func(_ string, i image) error {
		if slices.Contains(i.Layers, l.Digest) {
			return &ociError{http.StatusForbidden, "DENIED", "the blob is needed by the image " + i.Digest + ": delete that first"}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := b.layers.Delete(v.at.child(l.Digest)); err != nil {
		return err
	}
	v.w.WriteHeader(http.StatusAccepted)
	return nil
}

// startUpload begins an upload, mounts a blob of another repository, or takes a whole blob in one request.
func (g *registry) startUpload(v visit) error {
	query := v.r.URL.Query()
	if mount, from := query.Get("mount"), query.Get("from"); mount != "" && from != "" {
		mounted, err := g.mount(v, mount, place{region: v.at.region, name: from})
		if err != nil || mounted {
			return err
		}
	}
	id, err := g.backend.blobs.Begin(v.at.String())
	if err != nil {
		return err
	}
	if query.Get("digest") != "" {
		v.ref = id
		return g.putUpload(v)
	}
	v.progress(id, 0, http.StatusAccepted)
	return nil
}

// mount links a blob that another repository of the region has. When it is not there, the client uploads it.
func (g *registry) mount(v visit, ref string, from place) (bool, error) {
	b := g.backend
	b.mu.RLock()
	defer b.mu.RUnlock()
	l, err := g.layerOf(from, ref)
	if errors.Is(err, blob.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := b.link(v.at, blob.Digest(l.Digest), l.Size); err != nil {
		return false, err
	}
	v.created("blobs", l.Digest)
	return true, nil
}

func (g *registry) uploadStatus(v visit) error {
	size, err := g.backend.blobs.UploadSize(v.at.String(), v.ref)
	if err != nil {
		return err
	}
	v.progress(v.ref, size, http.StatusNoContent)
	return nil
}

// patchUpload appends a chunk: at the place that Content-Range says, or a stream at the end.
func (g *registry) patchUpload(v visit) error {
	size, err := g.receive(v)
	if err != nil {
		return err
	}
	v.progress(v.ref, size, http.StatusAccepted)
	return nil
}

// putUpload appends what the request has and turns the upload into a blob.
func (g *registry) putUpload(v visit) error {
	digest, err := blob.ParseDigest(v.r.URL.Query().Get("digest"))
	if err != nil {
		return err
	}
	if _, err := g.receive(v); err != nil {
		return err
	}
	if err := g.backend.finish(v.at, v.ref, digest); err != nil {
		return err
	}
	v.created("blobs", string(digest))
	return nil
}

// receive appends the request's body and gives the upload's size. A wrong place is told with where to go on.
func (g *registry) receive(v visit) (int64, error) {
	offset, err := offsetOf(v.r)
	if err != nil {
		return 0, err
	}
	size, err := g.backend.blobs.Append(v.at.String(), v.ref, offset, v.r.Body)
	if errors.Is(err, blob.ErrOffset) {
		v.position(v.ref, size)
	}
	return size, err
}

// offsetOf reads Content-Range: START-END in bytes, END included.
func offsetOf(r *http.Request) (int64, error) {
	header := r.Header.Get("Content-Range")
	if header == "" {
		return blob.AnyOffset, nil
	}
	left, right, _ := strings.Cut(strings.TrimPrefix(header, "bytes "), "-")
	right, _, _ = strings.Cut(right, "/")
	start, err := strconv.ParseInt(left, 10, 64)
	end, endErr := strconv.ParseInt(right, 10, 64)
	if err != nil || endErr != nil || start < 0 || end < start-1 {
		return 0, &ociError{http.StatusRequestedRangeNotSatisfiable, "BLOB_UPLOAD_INVALID", fmt.Sprintf("Content-Range %q is not START-END", header)}
	}
	if r.ContentLength >= 0 && r.ContentLength != end-start+1 {
		return 0, &ociError{http.StatusBadRequest, "SIZE_INVALID", fmt.Sprintf("Content-Range %q does not fit Content-Length %d", header, r.ContentLength)}
	}
	return start, nil
}

func (g *registry) cancelUpload(v visit) error {
	if err := g.backend.blobs.Cancel(v.at.String(), v.ref); err != nil {
		return err
	}
	v.w.WriteHeader(http.StatusNoContent)
	return nil
}

// progress answers with where an upload stands.
func (v visit) progress(id string, size int64, status int) {
	v.position(id, size)
	v.w.WriteHeader(status)
}

func (v visit) position(id string, size int64) {
	header := v.w.Header()
	header.Set("Location", fmt.Sprintf("/v2/%s/blobs/uploads/%s", v.at.name, id))
	header.Set("Range", fmt.Sprintf("0-%d", max(size-1, 0)))
	header.Set("Docker-Upload-Uuid", id)
}

// created answers that a blob or a manifest is now in the repository.
func (v visit) created(kind, digest string) {
	v.w.Header().Set("Location", fmt.Sprintf("/v2/%s/%s/%s", v.at.name, kind, digest))
	v.w.Header().Set("Docker-Content-Digest", digest)
	v.w.WriteHeader(http.StatusCreated)
}

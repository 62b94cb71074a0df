package ecr

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/ecr/blob"
)

// tagOrDigest says what the last part of a manifest's path is.
func tagOrDigest(ref string) (tagName, digest string, err error) {
	if !strings.Contains(ref, ":") {
		if !tagPattern.MatchString(ref) {
			return "", "", &ociError{http.StatusBadRequest, "TAG_INVALID", fmt.Sprintf("the tag %q does not match %s", ref, tagPattern)}
		}
		return ref, "", nil
	}
	d, err := blob.ParseDigest(ref)
	return "", string(d), err
}

// imageOf finds the image of a manifest request.
func (g *registry) imageOf(v visit) (img image, tagName string, err error) {
	tagName, digest, err := tagOrDigest(v.ref)
	if err != nil {
		return img, "", err
	}
	img, ok, err := g.backend.lookup(v.at, tagName, digest)
	if err == nil && !ok {
		err = &ociError{http.StatusNotFound, "MANIFEST_UNKNOWN", "Requested image not found"}
	}
	return img, tagName, err
}

// getManifest answers GET and HEAD.
func (g *registry) getManifest(v visit) error {
	img, _, err := g.imageOf(v)
	if err != nil {
		return err
	}
	content, err := g.backend.blobs.Read(blob.Digest(img.Digest))
	if err != nil {
		return err
	}
	header := v.w.Header()
	header.Set("Content-Type", img.MediaType)
	header.Set("Content-Length", strconv.Itoa(len(content)))
	header.Set("Docker-Content-Digest", img.Digest)
	header.Set("Etag", strconv.Quote(img.Digest))
	v.w.WriteHeader(http.StatusOK)
	if v.r.Method == http.MethodGet {
		_, _ = v.w.Write(content) // a client that went away needs no answer
	}
	return nil
}

// putManifest stores a manifest under a tag or its digest.
func (g *registry) putManifest(v visit) error {
	tagName, digest, err := tagOrDigest(v.ref)
	if err != nil {
		return err
	}
	content, err := io.ReadAll(io.LimitReader(v.r.Body, maxManifest+1))
	if err != nil {
		return &ociError{http.StatusBadRequest, "MANIFEST_INVALID", "the manifest could not be read: " + err.Error()}
	}
	if len(content) > maxManifest {
		return &ociError{http.StatusRequestEntityTooLarge, "MANIFEST_INVALID", fmt.Sprintf("the manifest is larger than %d bytes", maxManifest)}
	}
	img, _, err := g.backend.put(v.at, push{content: content, mediaType: v.r.Header.Get("Content-Type"), digest: digest, tag: tagName})
	if err != nil {
		return err
	}
	if img.Subject != "" {
		v.w.Header().Set("Oci-Subject", img.Subject)
	}
	v.created("manifests", img.Digest)
	return nil
}

// deleteManifest removes a tag, or an image with all its tags.
func (g *registry) deleteManifest(v visit) error {
	b := g.backend
	b.mu.Lock()
	defer b.mu.Unlock()
	img, tagName, err := g.imageOf(v)
	if err != nil {
		return err
	}
	if tagName != "" {
		err = b.tags.Delete(v.at.child(tagName))
	} else {
		_, err = b.remove(v.at, img.Digest)
	}
	if err != nil {
		return err
	}
	v.w.WriteHeader(http.StatusAccepted)
	return nil
}

// listTags gives the tags in order, n at a time, after last.
func (g *registry) listTags(v visit) error {
	query := v.r.URL.Query()
	n := maxPage
	if text := query.Get("n"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 0 {
			return &ociError{http.StatusBadRequest, "UNSUPPORTED", fmt.Sprintf("n must be a number that is not negative, not %q", text)}
		}
		n = min(n, maxPage)
	}
	names := []string{}
	err := g.backend.tags.Each(v.at.child(""), func(_ string, t tag) error {
		if t.Name > query.Get("last") {
			names = append(names, t.Name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(names) > n {
		names = names[:n]
		if n > 0 {
			next := url.Values{"n": {strconv.Itoa(n)}, "last": {names[n-1]}}
			v.w.Header().Set("Link", fmt.Sprintf(`</v2/%s/tags/list?%s>; rel="next"`, v.at.name, next.Encode()))
		}
	}
	writeJSON(v.w, http.StatusOK, "application/json", struct {
		Name string   `json:"name"`
		Tags []string `json:"tags"`
	}{v.at.name, names})
	return nil
}

// listReferrers gives the images whose subject is the digest, as an index.
func (g *registry) listReferrers(v visit) error {
	subject, err := blob.ParseDigest(v.ref)
	if err != nil {
		return err
	}
	wanted := v.r.URL.Query()["artifactType"]
	images, err := g.backend.referrers(v.at, string(subject), wanted)
	if err != nil {
		return err
	}
	found := []descriptor{}
	for _, i := range images {
		found = append(found, descriptor{
			MediaType: i.MediaType, Digest: i.Digest, Size: i.ManifestSize, ArtifactType: i.ArtifactType, Annotations: i.Annotations,
		})
	}
	if len(wanted) > 0 {
		v.w.Header().Set("Oci-Filters-Applied", "artifactType")
	}
	writeJSON(v.w, http.StatusOK, ociIndex, struct {
		SchemaVersion int          `json:"schemaVersion"`
		MediaType     string       `json:"mediaType"`
		Manifests     []descriptor `json:"manifests"`
	}{2, ociIndex, found})
	return nil
}

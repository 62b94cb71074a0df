package build

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// resumeFrom is how large a blob is, in bytes, whose upload is gone on with in its middle. A smaller one is sent again sooner
// than it is asked for.
const resumeFrom = 8 << 20

// uploads remember where blobs are on their way to, so that a push that was cut off or killed goes on in the middle of one.
// It is a memory and no record: without it, or where the registry knows nothing of the upload, the blob is sent from its
// start.
type uploads struct{ dir string } // empty: nothing is remembered

func (u uploads) file(to name.Repository, of digest.Digest) string {
	return filepath.Join(u.dir, digest.FromString(to.Name()+"@"+of.String()).Encoded())
}

// recall gives where an upload was begun; nil: none is known.
func (u uploads) recall(to name.Repository, blob ocispec.Descriptor) *url.URL {
	if u.dir == "" || blob.Size < resumeFrom {
		return nil
	}
	raw, err := os.ReadFile(u.file(to, blob.Digest))
	if err != nil {
		return nil
	}
	at, err := url.Parse(string(raw))
	if err != nil || at.Host != to.RegistryStr() || at.Scheme != to.Scheme() {
		return nil
	}
	return at
}

// remember keeps where an upload was begun.
func (u uploads) remember(to name.Repository, blob ocispec.Descriptor, at *url.URL) error {
	if u.dir == "" || blob.Size < resumeFrom {
		return nil
	}
	return keep(u.file(to, blob.Digest), []byte(at.String()))
}

// forget is for an upload that is over. What stays is asked for once more, and then not found.
func (u uploads) forget(to name.Repository, of digest.Digest) {
	if u.dir != "" {
		_ = os.Remove(u.file(to, of))
	}
}

// interrupted asks how far an upload has come that was begun before; nil: there is none to go on with.
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-a-blob-in-chunks
func (u *uploader) interrupted(ctx context.Context, blob ocispec.Descriptor) (at *url.URL, offset int64) {
	begun := u.uploads.recall(u.to, blob)
	if begun == nil {
		return nil, 0
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, begun.String(), nil)
	if err != nil {
		return nil, 0
	}
	answer, err := u.do(request, http.StatusNoContent)
	if err != nil {
		return nil, 0
	}
	_, end, ok := strings.Cut(strings.TrimPrefix(answer.received, "bytes="), "-")
	last, err := strconv.ParseInt(end, 10, 64)
	if !ok || err != nil || last <= 0 || last >= blob.Size { // 0-0 is also said of nothing
		return nil, 0
	}
	if answer.at != nil {
		begun = answer.at
	}
	return begun, last + 1
}

// resume goes on with an upload where there is one. done is false when the blob has to be sent from its start.
func (u *uploader) resume(ctx context.Context, blob ocispec.Descriptor, open opener) (done bool, err error) {
	at, offset := u.interrupted(ctx, blob)
	if at == nil {
		return false, nil
	}
	err = u.finish(ctx, at, blob, offset, open)
	var answered *transport.Error
	if errors.As(err, &answered) && troubleOf(err) == troubleLasting { // it has changed its mind, or what it has is not ours
		u.uploads.forget(u.to, blob.Digest)
		return false, nil
	}
	return true, err
}

// contentRange says what part of a blob a request has, as the specification writes it: without a unit, the end included.
func contentRange(offset, size int64) string { return fmt.Sprintf("%d-%d", offset, size-1) }

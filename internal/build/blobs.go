package build

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// sourceLabel begins the labels of a blob that say from where it was pulled or to where it was pushed: the registry's host
// follows, and the value is its repositories, with commas between them.
// https://github.com/containerd/containerd/blob/main/pkg/labels/labels.go
const sourceLabel = "containerd.io/distribution.source."

// readAhead is how much of a blob the builder is asked for at once, which is the most that it answers at once.
const readAhead = 1 << 20

// blobs are what a builder stores.
type blobs struct {
	store content.Store
	dir   string // of the blobs' files, when they can be read without the builder; empty: they cannot
}

// find looks a blob up; nil: the builder does not have it, as a layer of a base image that it never needed.
func (b blobs) find(ctx context.Context, of digest.Digest) (*content.Info, error) {
	info, err := b.store.Info(ctx, of)
	if errdefs.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for %s in the builder: %w", of, err)
	}
	return &info, nil
}

// repositories of a registry that have a blob, as far as the builder knows. Labels name the host without its port, so that
// another registry may be meant: what names a repository that does not have the blob is answered as if it named none.
func repositories(info *content.Info, host string) []string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	known := info.Labels[sourceLabel+host]
	if known == "" {
		return nil
	}
	return strings.Split(known, ",")
}

// open gives the bytes of a blob from an offset on: from its file, or through the builder.
func (b blobs) open(ctx context.Context, of ocispec.Descriptor, offset int64) (io.ReadCloser, error) {
	if b.dir != "" {
		if file, err := os.Open(filepath.Join(b.dir, of.Digest.Algorithm().String(), of.Digest.Encoded())); err == nil {
			if _, err := file.Seek(offset, io.SeekStart); err != nil {
				return nil, errors.Join(err, file.Close())
			}
			return file, nil // a registry takes nothing whose digest is not right
		}
	}
	at, err := b.store.ReaderAt(ctx, of)
	if err != nil {
		return nil, fmt.Errorf("read %s from the builder: %w", of.Digest, err)
	}
	return struct {
		io.Reader
		io.Closer
	}{bufio.NewReaderSize(io.NewSectionReader(at, offset, at.Size()-offset), readAhead), at}, nil
}

package build

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/containerd/containerd/v2/core/content"
	contentlocal "github.com/containerd/containerd/v2/plugins/content/local"
	"github.com/distribution/reference"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/client/ociindex"
	"github.com/opencontainers/go-digest"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// namedContext is one named context, understood.
type namedContext struct {
	name   string // as the frontend looks it up
	source string // what goes to the frontend as it is; empty: dir or layout says
	dir    string // a directory that is sent
	layout string // the directory of an OCI layout
	image  digest.Digest
}

const layoutScheme = "oci-layout://"

// parseContext understands a named context, and says when what it names is not there.
func parseContext(name, source string) (namedContext, error) {
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return namedContext{}, fmt.Errorf("named context %q: %w\n  expected a name, or the image that a FROM names", name, err)
	}
	// The frontend knows images by their shortest name.
	c := namedContext{name: strings.TrimSuffix(reference.FamiliarString(named), ":latest")}
	switch layout, isLayout := strings.CutPrefix(source, layoutScheme); {
	case isLayout:
		c.layout, c.image, err = parseLayout(layout)
	case strings.Contains(source, "://") || strings.HasPrefix(source, "git@"):
		c.source = source
	default:
		c.dir = source
		err = checkDirectory(source)
	}
	if err != nil {
		return namedContext{}, fmt.Errorf("named context %q: %w", name, err)
	}
	return c, nil
}

// parseLayout understands DIRECTORY, DIRECTORY:TAG and DIRECTORY@DIGEST. The frontend itself takes a digest only.
func parseLayout(layout string) (dir string, image digest.Digest, err error) {
	dir, written, byDigest := strings.Cut(layout, "@")
	tag := "latest"
	if !byDigest {
		if i := strings.LastIndexByte(dir, ':'); i > strings.LastIndexByte(dir, filepath.Separator) {
			dir, tag = dir[:i], dir[i+1:]
		}
	}
	if err := checkDirectory(dir); err != nil {
		return "", "", err
	}
	if byDigest {
		if image, err = digest.Parse(written); err != nil {
			return "", "", fmt.Errorf("%q is no digest: %w", written, err)
		}
		return dir, image, nil
	}
	found, err := ociindex.NewStoreIndex(dir).Get(tag)
	switch {
	case err != nil:
		return "", "", fmt.Errorf("%s is no OCI layout: %w", dir, err)
	case found == nil:
		return "", "", fmt.Errorf("the OCI layout %s has no image %q: write the digest, %s%s@sha256:…", dir, tag, layoutScheme, dir)
	}
	return dir, found.Digest, nil
}

func checkDirectory(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no directory %s\n  have image.contexts name one, or docker-image://IMAGE", dir)
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is not a directory", dir)
	}
	return nil
}

// nameContexts puts the request's named contexts into the options of a solve.
func nameContexts(req release.BuildRequest, options *client.SolveOpt) error {
	for name, source := range req.Contexts {
		c, err := parseContext(name, source)
		if err != nil {
			return err
		}
		mount := "named-" + c.name // "context" and "dockerfile" are taken
		switch {
		case c.dir != "":
			if options.LocalMounts[mount], err = directory(c.dir, req.Epoch); err != nil {
				return fmt.Errorf("named context %q: %w", name, err)
			}
			c.source = "local:" + mount
		case c.layout != "":
			store, err := contentlocal.NewStore(c.layout)
			if err != nil {
				return fmt.Errorf("named context %q: %w", name, err)
			}
			id := fmt.Sprintf("layout%d", len(options.OCIStores))
			if options.OCIStores == nil {
				options.OCIStores = map[string]content.Store{}
			}
			options.OCIStores[id] = store
			c.source = layoutScheme + id + "@" + c.image.String()
		}
		options.FrontendAttrs["context:"+c.name] = c.source
	}
	return nil
}

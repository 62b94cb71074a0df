package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/distribution/reference"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/exporter/containerimage/exptypes"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// Loader is a builder that can leave an image in the local engine.
type Loader = release.Loader

// LoadedImage is an image that the local engine has.
type LoadedImage = release.LoadedImage

// ErrNotLoaded says that the engine does not have an image that it was given.
var ErrNotLoaded = errors.New("the image is not in the local engine")

var _, _ release.Loader = (*BuildKit)(nil), (*Buildx)(nil)

// Load implements Loader. With Config.Docker the image goes to that Docker Engine; without, it is named in the store of a
// builder whose images a local engine runs, as the built-in one's are.
func (b *BuildKit) Load(ctx context.Context, req release.BuildRequest, want release.Digest, names []string, emit release.Emit) (LoadedImage, error) {
	req.NoCache = false // see Push
	var loaded LoadedImage
	err := b.connected(ctx, func(c *client.Client) (err error) {
		if len(b.config.Docker) == 0 {
			loaded, err = b.store(ctx, c, req, want, names, emit)
			return err
		}
		e := BuildxConfig{Docker: b.config.Docker}.engineOf("")
		defer e.close()
		loaded, err = b.loadInto(ctx, c, e, req, want, names, emit)
		return err
	})
	return loaded, err
}

// Load implements Loader.
func (b *Buildx) Load(ctx context.Context, req release.BuildRequest, want release.Digest, names []string, emit release.Emit) (LoadedImage, error) {
	req.NoCache = false // see Push
	platform := onlyPlatform(req)
	if spreads, err := b.spreads(ctx, req); err != nil {
		return LoadedImage{}, err
	} else if spreads { // no node has more than its own platform
		if req, want, platform, err = b.narrow(ctx, req, emit); err != nil {
			return LoadedImage{}, err
		}
	}
	var loaded LoadedImage
	err := b.connected(ctx, platform, emit, func(kit *BuildKit, c *client.Client, lives habitat) error {
		if lives == inEngineOfOldStore {
			var err error
			loaded, err = b.engineLoad(ctx, kit, c, req, want, names, emit)
			return err
		}
		if lives == inEngine { // what it builds is in its store already
			info, err := b.inspect(ctx)
			if err != nil {
				return err
			}
			e := b.config.engineOf(info.Nodes[0].Endpoint)
			defer e.close()
			loaded, err = kit.nameIn(ctx, c, e, req, want, names, emit)
			return err
		}
		e := b.config.engineOf("")
		defer e.close()
		var err error
		loaded, err = kit.loadInto(ctx, c, e, req, want, names, emit)
		return err
	})
	return loaded, err
}

// narrow leaves the platform that the current engine runs. The digest of its manifest is not known.
func (b *Buildx) narrow(ctx context.Context, req release.BuildRequest, emit release.Emit) (release.BuildRequest, release.Digest, string, error) {
	e := b.config.engineOf("")
	defer e.close()
	about, err := e.info(ctx)
	if err != nil {
		return req, "", "", err
	}
	platform, err := about.narrow(&req, emit)
	return req, "", platform, err
}

// narrow leaves the platform of a request that the engine runs.
func (i engineInfo) narrow(req *release.BuildRequest, emit release.Emit) (string, error) {
	platform, err := i.oneOf(req.Platforms)
	if err != nil {
		return "", err
	}
	emit(release.Notice{Level: "info", Text: fmt.Sprintf("loading %s alone: %s takes one platform of this image", platform, i)})
	req.Platforms = []string{platform}
	return platform, nil
}

// loadInto sends the image from the builder to a Docker Engine; want is empty for one platform of an image of several.
func (b *BuildKit) loadInto(ctx context.Context, c *client.Client, e *engine, req release.BuildRequest, want release.Digest, names []string, emit release.Emit) (LoadedImage, error) {
	about, err := e.info(ctx)
	if err != nil {
		return LoadedImage{}, err
	}
	platform, kind := "", client.ExporterDocker
	switch {
	case want == "":
		platform = onlyPlatform(req)
	case len(req.Platforms) > 1 && about.containerdStore():
		kind = client.ExporterOCI
	case len(req.Platforms) > 1:
		want = ""
		if platform, err = about.narrow(&req, emit); err != nil {
			return LoadedImage{}, err
		}
	}
	s, err := b.prepare(req, false, release.Credentials{}, emit)
	if err != nil {
		return LoadedImage{}, err
	}
	s.progress.push = true // the steps were reported when it was built
	reader, writer := io.Pipe()
	s.options.CacheExports = nil
	s.options.Exports = []client.ExportEntry{{
		Type: kind, Attrs: b.exportAttrs(req, false),
		Output: func(map[string]string) (io.WriteCloser, error) { return writer, nil },
	}}
	s.options.Exports[0].Attrs[string(exptypes.OptKeyName)] = strings.Join(names, ",")
	sent := make(chan error, 1)
	go func() {
		err := e.load(ctx, reader)
		_ = reader.CloseWithError(orEOF(err)) // so that a builder that still sends does not wait for ever
		sent <- err
	}()
	defer s.done(ctx, c)
	response, err := b.respond(ctx, c, s)
	select {
	case loadErr := <-sent:
		if loadErr != nil { // before the end of what is sent: it is why the builder failed
			err = loadErr
		}
	default:
		_ = writer.CloseWithError(orEOF(err))
		if loadErr := <-sent; err == nil {
			err = loadErr
		}
	}
	if err != nil {
		return LoadedImage{}, err
	}
	got := release.Digest(response[exptypes.ExporterImageDigestKey])
	if want != "" && got != want {
		return LoadedImage{}, otherDigest(req, names[0], got, want)
	}
	return e.verify(ctx, about, names, platform, got, release.Digest(response[exptypes.ExporterImageConfigDigestKey]))
}

// nameIn names an image in the engine that built it.
func (b *BuildKit) nameIn(ctx context.Context, c *client.Client, e *engine, req release.BuildRequest, want release.Digest, names []string, emit release.Emit) (LoadedImage, error) {
	about, err := e.info(ctx)
	if err != nil {
		return LoadedImage{}, err
	}
	if err := b.name(ctx, c, exporterMoby, req, want, names, emit); err != nil {
		return LoadedImage{}, err
	}
	return e.verify(ctx, about, names, "", want)
}

// name solves once more with an exporter that names the image in the builder's own store.
func (b *BuildKit) name(ctx context.Context, c *client.Client, exporter string, req release.BuildRequest, want release.Digest, names []string, emit release.Emit) error {
	s, err := b.prepare(req, false, release.Credentials{}, emit)
	if err != nil {
		return err
	}
	s.progress.push = true // the steps were reported when it was built
	s.options.CacheExports = nil
	full, err := fullNames(names)
	if err != nil {
		return err
	}
	s.options.Exports[0].Type = exporter
	s.options.Exports[0].Attrs[string(exptypes.OptKeyName)] = full
	defer s.done(ctx, c)
	got, err := b.solve(ctx, c, s)
	if err != nil {
		return err
	}
	if got != want {
		return otherDigest(req, names[0], got, want)
	}
	return nil
}

// fullNames gives names as stores have them, with docker.io/library and latest where they are left out.
func fullNames(names []string) (string, error) {
	full := make([]string, len(names))
	for i, name := range names {
		ref, err := reference.ParseNormalizedNamed(name)
		if err != nil {
			return "", fmt.Errorf("the name %q of an image: %w", name, err)
		}
		full[i] = reference.TagNameOnly(ref).String()
	}
	return strings.Join(full, ","), nil
}

func orEOF(err error) error {
	if err == nil {
		return io.EOF
	}
	return err
}

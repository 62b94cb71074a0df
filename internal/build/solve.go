package build

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	controlapi "github.com/moby/buildkit/api/services/control"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/exporter/containerimage/exptypes"
	"github.com/moby/buildkit/identity"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// layerEpoch is the SOURCE_DATE_EPOCH that the Dockerfile sees: one and the same for every commit. BuildKit makes it part
// of each WORKDIR, so that the commit's own time there would have every step after it run again with every commit. The
// price is an image configuration that says 1970; the commit's time is in the label org.opencontainers.image.created.
const layerEpoch = "0"

// statusBuffer lets the daemon run ahead of a face that is slow to draw.
const statusBuffer = 64

// solving is one request to the daemon and what listens to it.
type solving struct {
	req      release.BuildRequest
	auth     release.Credentials
	options  client.SolveOpt
	progress *progress
}

// prepare makes the request.
func (b *BuildKit) prepare(req release.BuildRequest, push bool, auth release.Credentials, emit release.Emit) (*solving, error) {
	mounts, err := sources(req)
	if err != nil {
		return nil, err
	}
	session, err := b.attachables(req, auth)
	if err != nil {
		return nil, err
	}
	options := client.SolveOpt{
		Frontend:      "dockerfile.v0",
		FrontendAttrs: frontendAttrs(req),
		LocalMounts:   mounts,
		// The same directory keeps its place in the daemon, so that only changed files are sent.
		SharedKey: req.ContextDir,
		Exports:   []client.ExportEntry{{Type: client.ExporterImage, Attrs: b.exportAttrs(req, push)}},
		Session:   session,
	}
	if !push { // a push sees the same context once more
		scales := newWeight(emit)
		options.LocalMounts[contextMount] = weighed{mounts[contextMount], scales}
		options.LocalFilterOpt = scales.filter()
	}
	if err := nameContexts(req, &options); err != nil {
		return nil, err
	}
	options.CacheImports, options.CacheExports = b.caches(req, push, emit)
	progress := newProgress(emit, push, auth.Password)
	progress.imports = len(options.CacheImports) > 0
	return &solving{req: req, auth: auth, options: options, progress: progress}, nil
}

// frontendAttrs are the Dockerfile frontend's options.
// https://github.com/moby/buildkit/blob/master/frontend/dockerui/config.go
func frontendAttrs(req release.BuildRequest) map[string]string {
	attrs := map[string]string{"filename": filepath.Base(req.Dockerfile)}
	if req.Stage != "" {
		attrs["target"] = req.Stage
	}
	if len(req.Platforms) > 0 {
		attrs["platform"] = strings.Join(req.Platforms, ",")
	}
	if len(req.Platforms) > 1 {
		attrs["multi-platform"] = "true"
	}
	if req.NoCache {
		attrs["no-cache"] = ""
	}
	if !req.Epoch.IsZero() {
		attrs["build-arg:SOURCE_DATE_EPOCH"] = layerEpoch
	}
	for name, value := range req.Args {
		attrs["build-arg:"+name] = value
	}
	for name, value := range req.Labels {
		attrs["label:"+name] = value
	}
	return attrs
}

// exportAttrs are the image exporter's options. No attestation is asked for, so that one platform gives a plain manifest.
// A push names no tag: see Push.
// https://github.com/moby/buildkit#imageregistry
func (b *BuildKit) exportAttrs(req release.BuildRequest, push bool) map[string]string {
	attrs := map[string]string{
		string(exptypes.OptKeyName):             req.Repository,
		string(exptypes.OptKeyOCITypes):         "true",
		string(exptypes.OptKeyLayerCompression): orElse(req.Compression, release.CompressionGzip),
	}
	if !req.Epoch.IsZero() {
		attrs[string(exptypes.OptKeySourceDateEpoch)] = strconv.FormatInt(req.Epoch.Unix(), 10)
	}
	if !req.Epoch.IsZero() && req.Reproducible {
		attrs[string(exptypes.OptKeyRewriteTimestamp)] = "true"
	}
	if push {
		attrs[string(exptypes.OptKeyPush)] = "true"
		attrs[string(exptypes.OptKeyPushByDigest)] = "true"
		if b.plainHTTP(req.Repository) {
			attrs[string(exptypes.OptKeyInsecure)] = "true"
		}
	}
	return attrs
}

func (b *BuildKit) plainHTTP(reference string) bool {
	host, _, _ := strings.Cut(reference, "/")
	return slices.Contains(b.config.PlainHTTP, host)
}

// solve runs the request to its end and gives the digest of what it exported.
func (b *BuildKit) solve(ctx context.Context, c *client.Client, s *solving) (release.Digest, error) {
	response, err := b.respond(ctx, c, s)
	if err != nil {
		return "", err
	}
	digest := release.Digest(response[exptypes.ExporterImageDigestKey])
	if !digest.Valid() {
		return "", fmt.Errorf("%s reported no image digest (%q): it needs BuildKit 0.12 or newer", b.Name(), digest)
	}
	return digest, nil
}

// respond runs the request to its end and gives what the exporter says. Caches that fail it are left out.
func (b *BuildKit) respond(ctx context.Context, c *client.Client, s *solving) (map[string]string, error) {
	response, err := s.run(ctx, c)
	if err != nil && ctx.Err() == nil && s.withoutBrokenCache(err) {
		s.done(ctx, c)
		response, err = s.run(ctx, c)
	}
	if err != nil {
		return nil, b.explain(ctx, s, err)
	}
	return response.ExporterResponse, nil
}

func (s *solving) run(ctx context.Context, c *client.Client) (response *client.SolveResponse, err error) {
	s.options.Ref = identity.NewID()
	statuses := make(chan *client.SolveStatus, statusBuffer)
	var both errgroup.Group
	both.Go(func() (err error) {
		response, err = c.Solve(ctx, nil, s.options, statuses)
		return err
	})
	for status := range statuses {
		s.progress.observe(status)
	}
	err = both.Wait()
	s.progress.end()
	return response, err
}

// forgetTimeout is what removing a record from the daemon's history may take, also after an interrupt.
const forgetTimeout = 10 * time.Second

// done removes a build with secrets from the daemon's history: with it the daemon keeps what steps printed, which nobody
// masked. A daemon without a store of images keeps what was built with the record alone, so that whoever reads what was
// built does that first.
func (s *solving) done(ctx context.Context, c *client.Client) {
	if len(s.req.Secrets) == 0 || s.options.Ref == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), forgetTimeout)
	defer cancel()
	_, err := c.ControlClient().UpdateBuildHistory(ctx, &controlapi.UpdateBuildHistoryRequest{Ref: s.options.Ref, Delete: true})
	// One that keeps no history says that something else is not found.
	if err != nil && !strings.Contains(err.Error(), "not found") && status.Code(err) != codes.Unimplemented {
		s.progress.emit(release.Notice{Level: "warning", Text: "the builder may keep in its history what the build printed, secrets included: " + err.Error()})
	}
}

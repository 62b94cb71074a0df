package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// uploader speaks the OCI distribution specification with one repository. A blob is one POST and one PUT with its length
// known, where go-containerregistry takes a third request and sends it in chunks.
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-blobs
type uploader struct {
	to      name.Repository
	client  http.Client
	uploads uploads
	log     *slog.Logger
}

// opener gives the bytes of a blob from an offset on.
type opener func(offset int64) (io.ReadCloser, error)

// uploader logs in to the registry of a repository. close ends its connections.
func (b *BuildKit) uploader(ctx context.Context, repository string, auth release.Credentials) (u *uploader, closeIdle func(), err error) {
	to, err := b.repository(repository)
	if err != nil {
		return nil, nil, err
	}
	base := remote.DefaultTransport.(*http.Transport).Clone()
	base.MaxIdleConnsPerHost = headJobs
	basic := &authn.Basic{Username: auth.Username, Password: auth.Password}
	trip, err := transport.NewWithContext(ctx, to.Registry, basic, base, []string{to.Scope(transport.PushScope)})
	if err != nil {
		base.CloseIdleConnections()
		return nil, nil, err
	}
	return &uploader{to: to, client: http.Client{Transport: trip}, uploads: uploads{b.config.Uploads}, log: b.log}, base.CloseIdleConnections, nil
}

// repository is a repository as go-containerregistry names it.
func (b *BuildKit) repository(of string) (name.Repository, error) {
	var options []name.Option
	if b.plainHTTP(of) {
		options = append(options, name.Insecure)
	}
	to, err := name.NewRepository(of, options...)
	if err != nil {
		return name.Repository{}, fmt.Errorf("push to %s: %w", of, err)
	}
	return to, nil
}

// has says whether the repository has a manifest or a blob; kind is "manifests" or "blobs".
func (u *uploader) has(ctx context.Context, kind string, of digest.Digest) (bool, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, u.url(kind, of.String(), nil), nil)
	if err != nil {
		return false, err
	}
	request.Header.Set("Accept", ocispec.MediaTypeImageManifest+","+ocispec.MediaTypeImageIndex)
	answer, err := u.do(request, http.StatusOK, http.StatusNotFound)
	return err == nil && answer.status == http.StatusOK, err
}

// send uploads a blob, or the rest of one. With from, the name of another repository of the registry, it is only named
// where it is, if the registry does that.
func (u *uploader) send(ctx context.Context, blob ocispec.Descriptor, from string, open opener) error {
	if done, err := u.resume(ctx, blob, open); done || err != nil {
		return err
	}
	query := url.Values{}
	if from != "" {
		query.Set("mount", blob.Digest.String())
		query.Set("from", from)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, u.url("blobs", "uploads/", query), nil)
	if err != nil {
		return err
	}
	answer, err := u.do(request, http.StatusAccepted, http.StatusCreated)
	if err != nil || answer.status == http.StatusCreated {
		return err
	}
	if answer.at == nil {
		return fmt.Errorf("the registry began an upload of %s and did not say where", blob.Digest)
	}
	if err := u.uploads.remember(u.to, blob, answer.at); err != nil {
		u.log.Debug("an upload is not remembered", "digest", blob.Digest, "error", err)
	}
	return u.finish(ctx, answer.at, blob, 0, open)
}

// finish sends what an upload lacks from offset on, and ends it.
func (u *uploader) finish(ctx context.Context, at *url.URL, blob ocispec.Descriptor, offset int64, open opener) error {
	end := *at
	query := end.Query()
	query.Set("digest", blob.Digest.String())
	end.RawQuery = query.Encode()
	body, err := open(offset)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, end.String(), body) // closes the body
	if err != nil {
		return err
	}
	request.ContentLength = blob.Size - offset
	request.Header.Set("Content-Type", "application/octet-stream")
	if offset > 0 {
		request.Header.Set("Content-Range", contentRange(offset, blob.Size))
	}
	if _, err = u.do(request, http.StatusCreated); err == nil {
		u.uploads.forget(u.to, blob.Digest)
	}
	return err
}

func (u *uploader) url(kind, what string, query url.Values) string {
	at := url.URL{
		Scheme: u.to.Scheme(), Host: u.to.RegistryStr(),
		Path: "/v2/" + u.to.RepositoryStr() + "/" + kind + "/" + what, RawQuery: query.Encode(),
	}
	return at.String()
}

// answer is what matters of a registry's answer.
type answer struct {
	status   int
	at       *url.URL // where it points to; nil: nowhere
	received string   // its Range: of an upload, what has arrived
}

// do sends a request whose answer's status is one of the expected ones.
func (u *uploader) do(request *http.Request, expected ...int) (answer, error) {
	response, err := u.client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	if err := transport.CheckError(response, expected...); err != nil {
		return answer{}, err
	}
	if _, err := io.Copy(io.Discard, response.Body); err != nil { // so that the connection is used again
		return answer{}, err
	}
	at, err := response.Location() // relative to the request, as the specification allows
	if err != nil && !errors.Is(err, http.ErrNoLocation) {
		return answer{}, err
	}
	return answer{status: response.StatusCode, at: at, received: response.Header.Get("Range")}, nil
}

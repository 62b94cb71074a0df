package build

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	to     name.Repository
	client http.Client
}

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
	return &uploader{to: to, client: http.Client{Transport: trip}}, base.CloseIdleConnections, nil
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
	status, _, err := u.do(request, http.StatusOK, http.StatusNotFound)
	return err == nil && status == http.StatusOK, err
}

// send uploads a blob. With from, the name of another repository of the registry, it is only named where it is, if the
// registry does that.
func (u *uploader) send(ctx context.Context, blob ocispec.Descriptor, from string, open func() (io.ReadCloser, error)) error {
	query := url.Values{}
	if from != "" {
		query.Set("mount", blob.Digest.String())
		query.Set("from", from)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, u.url("blobs", "uploads/", query), nil)
	if err != nil {
		return err
	}
	status, at, err := u.do(request, http.StatusAccepted, http.StatusCreated)
	if err != nil || status == http.StatusCreated {
		return err
	}
	if at == nil {
		return fmt.Errorf("the registry began an upload of %s and did not say where", blob.Digest)
	}
	query = at.Query()
	query.Set("digest", blob.Digest.String())
	at.RawQuery = query.Encode()
	body, err := open()
	if err != nil {
		return err
	}
	request, err = http.NewRequestWithContext(ctx, http.MethodPut, at.String(), body) // closes the body
	if err != nil {
		return err
	}
	request.ContentLength = blob.Size
	request.Header.Set("Content-Type", "application/octet-stream")
	_, _, err = u.do(request, http.StatusCreated)
	return err
}

func (u *uploader) url(kind, what string, query url.Values) string {
	at := url.URL{
		Scheme: u.to.Scheme(), Host: u.to.RegistryStr(),
		Path: "/v2/" + u.to.RepositoryStr() + "/" + kind + "/" + what, RawQuery: query.Encode(),
	}
	return at.String()
}

// do sends a request whose answer's status is one of the expected ones, and gives that and where the answer points to, if
// it does.
func (u *uploader) do(request *http.Request, expected ...int) (status int, at *url.URL, err error) {
	answer, err := u.client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	if err := transport.CheckError(answer, expected...); err != nil {
		return 0, nil, err
	}
	if _, err := io.Copy(io.Discard, answer.Body); err != nil { // so that the connection is used again
		return 0, nil, err
	}
	at, err = answer.Location() // relative to the request, as the specification allows
	if errors.Is(err, http.ErrNoLocation) {
		err = nil
	}
	return answer.StatusCode, at, err
}

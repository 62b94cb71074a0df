package build

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// engine is the Docker Engine of a context, over its own API. The Docker client makes the connection (docker system
// dial-stdio), so that every kind of context works: a socket, TLS, SSH.
// https://docs.docker.com/reference/api/engine/
type engine struct {
	http    *http.Client
	dialler *dialler
}

// engineOf is the engine of a context; empty: of the current one. It does not connect.
func (c BuildxConfig) engineOf(dockerContext string) *engine {
	argv := slices.Clone(c.docker())
	switch {
	case strings.Contains(dockerContext, "://"):
		argv = append(argv, "--host", dockerContext)
	case dockerContext != "":
		argv = append(argv, "--context", dockerContext)
	}
	d := &dialler{config: c, argv: append(argv, "system", "dial-stdio"), emit: func(release.Event) {}}
	dial := d.dial
	if c.pluginOnly() {
		dial = dialSocket
	}
	return &engine{
		dialler: d,
		http: &http.Client{Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
		}},
	}
}

// dialSocket is for a buildx that is run without the Docker client.
func dialSocket(ctx context.Context) (net.Conn, error) {
	path, isSocket := strings.CutPrefix(orElse(os.Getenv("DOCKER_HOST"), "unix:///var/run/docker.sock"), "unix://")
	if !isSocket {
		return nil, errors.New("without the Docker client, only a Docker Engine behind a socket is reached")
	}
	return (&net.Dialer{}).DialContext(ctx, "unix", path)
}

// close ends the connections.
func (e *engine) close() { e.http.CloseIdleConnections() }

// engineInfo is what GET /info says.
type engineInfo struct {
	ServerVersion string
	OSType        string
	Architecture  string
	DriverStatus  [][2]string
}

// containerdStore says whether images are in containerd's store.
func (i engineInfo) containerdStore() bool {
	return slices.ContainsFunc(i.DriverStatus, func(pair [2]string) bool { return strings.HasPrefix(pair[1], "io.containerd.snapshotter.") })
}

// String names the engine for people.
func (i engineInfo) String() string { return "Docker Engine " + i.ServerVersion }

func (e *engine) info(ctx context.Context) (engineInfo, error) {
	var info engineInfo
	return info, e.get(ctx, "/info", &info)
}

// engineImage is what GET /images/NAME/json says.
type engineImage struct {
	ID           string `json:"Id"`
	OS           string `json:"Os"`
	Architecture string
	Variant      string
	RootFS       struct{ Layers []string }
}

// errNoImage says that the engine has no such image.
var errNoImage = errors.New("no such image")

// image gives an image by its name or ID.
func (e *engine) image(ctx context.Context, name string) (engineImage, error) {
	var image engineImage
	return image, e.get(ctx, "/images/"+name+"/json", &image)
}

// tag gives an image a name.
func (e *engine) tag(ctx context.Context, id, name string) error {
	repository, tag := splitName(name)
	resp, err := e.do(ctx, http.MethodPost, "/images/"+id+"/tag?"+url.Values{"repo": {repository}, "tag": {tag}}.Encode(), nil)
	if err != nil {
		return err
	}
	return resp.Close()
}

// save gives an image as an archive of its configuration and layers.
func (e *engine) save(ctx context.Context, id string) (io.ReadCloser, error) {
	return e.do(ctx, http.MethodGet, "/images/"+id+"/get", nil)
}

// load takes an archive as save gives it, or an OCI layout.
func (e *engine) load(ctx context.Context, archive io.Reader) error {
	body, err := e.do(ctx, http.MethodPost, "/images/load?quiet=1", archive)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	for messages := json.NewDecoder(body); ; {
		var message struct {
			Error string `json:"error"`
		}
		err := messages.Decode(&message)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("load the image into the Docker Engine: %w", err)
		case message.Error != "":
			return fmt.Errorf("the Docker Engine cannot load the image: %s", message.Error)
		}
	}
}

func (e *engine) get(ctx context.Context, path string, into any) error {
	body, err := e.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	if err := json.NewDecoder(body).Decode(into); err != nil {
		return fmt.Errorf("the Docker Engine's answer to GET %s: %w", path, err)
	}
	// What follows the value is read, so that the connection can be used again.
	_, err = io.Copy(io.Discard, body)
	return err
}

// do gives the body of an answer that is a success.
func (e *engine) do(ctx context.Context, method, path string, body io.Reader) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://docker"+path, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/x-tar")
	}
	resp, err := e.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, e.dialler.explain(err)
	}
	if resp.StatusCode < http.StatusBadRequest {
		return resp.Body, nil
	}
	defer func() { _ = resp.Body.Close() }()
	said, _ := io.ReadAll(io.LimitReader(resp.Body, lastWordsMax)) // what could be read says what it says
	var message struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(said, &message) != nil {
		message.Message = string(bytes.TrimSpace(said))
	}
	err = fmt.Errorf("the Docker Engine refuses %s %s: %s: %s", method, req.URL.Path, resp.Status, message.Message)
	if resp.StatusCode == http.StatusNotFound {
		err = fmt.Errorf("%w: %w", errNoImage, err)
	}
	return nil, err
}

// splitName splits REPOSITORY:TAG.
func splitName(name string) (repository, tag string) {
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		return name[:i], name[i+1:]
	}
	return name, "latest"
}

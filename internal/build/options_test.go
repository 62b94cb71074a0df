package build_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	controlapi "github.com/moby/buildkit/api/services/control"
	"github.com/moby/buildkit/client"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// testSecrets: a step reads a secret from the environment and one from a file. A new value rebuilds nothing.
func testSecrets(t *testing.T, w *workshop) {
	req := w.request(t, "secrets", map[string]string{"Dockerfile": `FROM scratch
COPY program /p
RUN --mount=type=secret,id=token --mount=type=secret,id=file,target=/elsewhere ["/p", "show", "/run/secrets/token", "/elsewhere"]
RUN --mount=type=secret,id=token,env=TOKEN ["/p", "env", "TOKEN"]
`})
	w.withProgram(t, req)
	file := filepath.Join(t.TempDir(), "secret")
	write(t, file, "from-a-file")
	t.Setenv("BUILD_TOKEN", "from-the-environment")
	req.Secrets = []release.BuildSecret{{ID: "token", Env: "BUILD_TOKEN"}, {ID: "file", File: file}}
	image, e := w.build(t, req)
	contains(t, e.text(t), `"line":"from-the-environment"`, `"line":"from-a-file"`, `"line":"TOKEN=from-the-environment"`)
	w.push(t, req, image, "tag")
	if kept := w.history(t, req.Repository); kept > 0 {
		t.Errorf("%d builds are in the daemon's history, with what they printed", kept)
	}
	t.Setenv("BUILD_TOKEN", "another")
	again, e := w.build(t, req)
	if again.Digest != image.Digest || strings.Contains(e.text(t), `"state":"done"`) {
		t.Errorf("another value of a secret gave %s after %s: %s", again.Digest, image.Digest, e.text(t))
	}
}

// history counts the builds of a repository that the daemon remembers.
func (w *workshop) history(t *testing.T, repository string) int {
	t.Helper()
	c, err := client.New(t.Context(), w.config.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	records, err := c.ControlClient().ListenBuildHistory(t.Context(), &controlapi.BuildHistoryRequest{EarlyExit: true})
	if err != nil {
		t.Fatal(err)
	}
	for found := 0; ; {
		event, err := records.Recv()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range event.GetRecord().GetExporters() {
			if e.GetAttrs()["name"] == repository {
				found++
			}
		}
	}
}

// testMissingSecret: a step that requires a secret that nobody gave says which.
func testMissingSecret(t *testing.T, w *workshop) {
	req := w.request(t, "nosecret", map[string]string{
		"Dockerfile": "FROM scratch\nCOPY program /p\nRUN --mount=type=secret,id=token,required=true [\"/p\", \"show\", \"/run/secrets/token\"]\n",
	})
	w.withProgram(t, req)
	failed, _ := w.fails(t, req)
	if failed.Line != 3 {
		t.Errorf("line %d: %v", failed.Line, failed)
	}
	contains(t, failed.Error(), "token: not found", "image.secrets")
}

// testSSH: a step reaches the user's agent, and a key that is served as one.
func testSSH(t *testing.T, w *workshop) {
	req := w.request(t, "ssh", map[string]string{"Dockerfile": "FROM scratch\nCOPY program /p\nRUN --mount=type=ssh,required=true [\"/p\", \"agent\"]\n"})
	w.withProgram(t, req)
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	of, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	fingerprint := of.Type()
	t.Setenv("SSH_AUTH_SOCK", serveAgent(t, private))
	req.SSH = []release.BuildSSH{{ID: "default"}}
	_, e := w.build(t, req)
	contains(t, e.text(t), "identities: 1 "+fingerprint)

	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(t.TempDir(), "key")
	write(t, key, string(pem.EncodeToMemory(block)))
	req.SSH, req.NoCache = []release.BuildSSH{{ID: "default", Paths: []string{key}}}, true
	_, e = w.build(t, req)
	contains(t, e.text(t), "identities: 1 "+fingerprint)

	req.SSH = nil
	failed, _ := w.fails(t, req)
	contains(t, failed.Error(), "image.ssh")
}

// serveAgent serves an SSH agent with one key until the test ends, and gives its socket.
func serveAgent(t *testing.T, key ed25519.PrivateKey) string {
	t.Helper()
	keys := agent.NewKeyring()
	if err := keys.Add(agent.AddedKey{PrivateKey: key}); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(shortDir(t), "agent")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed
			}
			go func() {
				_ = agent.ServeAgent(keys, conn) // ends with the connection
				_ = conn.Close()
			}()
		}
	}()
	return socket
}

// testContexts: a directory, an image in a registry, and an OCI layout stand for names in the Dockerfile.
func testContexts(t *testing.T, w *workshop) {
	base := w.request(t, "contexts/base", map[string]string{"Dockerfile": "FROM scratch\nCOPY from /from-image\n", "from": "the image"})
	image, _ := w.build(t, base)
	w.push(t, base, image, "v1")

	req := w.request(t, "contexts/app", map[string]string{
		"Dockerfile": `FROM node:22 AS one
FROM layout AS two
FROM scratch
COPY program /p
COPY --from=assets page.html /
COPY --from=one /from-image /one
COPY --from=two /from-image /two
RUN ["/p", "show", "/page.html", "/one", "/two"]
`,
	})
	w.withProgram(t, req)
	assets := t.TempDir()
	write(t, filepath.Join(assets, "page.html"), "a page")
	write(t, filepath.Join(assets, "ignored"), strings.Repeat("x", 1000))
	write(t, filepath.Join(assets, ".dockerignore"), "ignored\n")
	req.Contexts = map[string]string{
		"assets": assets, "node:22": "docker-image://" + base.Repository + "@" + string(image.Digest),
		"layout": "oci-layout://" + w.layout(t, base.Repository+":v1") + "@" + string(image.Digest),
	}
	first, e := w.build(t, req)
	contains(t, e.text(t), `"line":"a page"`, `"line":"the image"`)
	w.push(t, req, first, "tag")

	req.Contexts["layout"] = strings.Split(req.Contexts["layout"], "@")[0] + ":v1"
	if again, _ := w.build(t, req); again.Digest != first.Digest {
		t.Errorf("by tag %s, by digest %s", again.Digest, first.Digest)
	}
}

// layout copies an image of the registry into an OCI layout, under the tag v1.
func (w *workshop) layout(t *testing.T, image string) string {
	t.Helper()
	dir := t.TempDir()
	into, err := layout.Write(dir, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	if err := into.AppendImage(w.pull(t, image), layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": "v1"})); err != nil {
		t.Fatal(err)
	}
	return dir
}

// testDockerfileIgnore: the ignore file beside a Dockerfile goes before the context's, also when both lie elsewhere.
func testDockerfileIgnore(t *testing.T, w *workshop) {
	req := w.request(t, "own-ignore", map[string]string{
		"a": "a", "b": "b", ".dockerignore": "a\n",
		"docker/App.dockerfile": "FROM scratch\nCOPY . /\n", "docker/App.dockerfile.dockerignore": "b\ndocker\n.dockerignore\n",
	})
	req.Dockerfile = filepath.Join(req.ContextDir, "docker/App.dockerfile")
	image, _ := w.build(t, req)
	w.push(t, req, image, "tag")
	if got := w.files(t, req.Repository+":tag"); strings.Join(got, " ") != "a" {
		t.Errorf("the image has %q", got)
	}
	outside := filepath.Join(t.TempDir(), "App.dockerfile")
	write(t, outside, "FROM scratch\nCOPY . /\n")
	write(t, outside+".dockerignore", "a\ndocker\n.dockerignore\n")
	req.Dockerfile = outside
	image, _ = w.build(t, req)
	w.push(t, req, image, "outside")
	if got := w.files(t, req.Repository+":outside"); strings.Join(got, " ") != "b" {
		t.Errorf("the image has %q", got)
	}
}

// testCompression: layers are zstd when asked for, and the base image's stay as they are.
func testCompression(t *testing.T, w *workshop) {
	base := w.request(t, "compression/base", map[string]string{"Dockerfile": "FROM scratch\nCOPY base /base\n", "base": "below"})
	image, _ := w.build(t, base)
	w.push(t, base, image, "v1")
	req := w.request(t, "compression/app", map[string]string{"Dockerfile": "FROM " + base.Repository + "@" + string(image.Digest) + "\nCOPY own /own\n", "own": "zstd"})
	req.Compression = release.CompressionZstd
	image, _ = w.build(t, req)
	w.push(t, req, image, "tag")
	_, raw := w.registry.get(t, "compression/app", "tag")
	contains(t, string(raw), "application/vnd.oci.image.layer.v1.tar+gzip", "application/vnd.oci.image.layer.v1.tar+zstd")
	if got := w.files(t, req.Repository+":tag"); strings.Join(got, " ") != "base own" {
		t.Errorf("the image has %q", got)
	}
}

func TestInputsThatAreNotThere(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "empty"), "")
	write(t, filepath.Join(dir, "large"), strings.Repeat("x", 600<<10))
	write(t, filepath.Join(dir, "no-key"), "not a key")
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	locked, err := ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte("pass"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "locked"), string(pem.EncodeToMemory(locked)))
	t.Setenv("EMPTY", "")
	t.Setenv("SSH_AUTH_SOCK", "")
	write(t, filepath.Join(dir, "Dockerfile"), "FROM scratch\n")
	b := mustNew(t, "unix://"+filepath.Join(dir, "none.sock"))
	req := release.BuildRequest{
		ContextDir: dir, Dockerfile: filepath.Join(dir, "Dockerfile"), Repository: "h/app",
		Secrets: []release.BuildSecret{
			{ID: "unset", Env: "NO_SUCH_VARIABLE"}, {ID: "empty", Env: "EMPTY"}, {ID: "missing", File: filepath.Join(dir, "none")},
			{ID: "directory", File: dir}, {ID: "large", File: filepath.Join(dir, "large")}, {ID: "nothing", File: filepath.Join(dir, "empty")},
		},
		SSH: []release.BuildSSH{
			{ID: "default"}, {ID: "key", Paths: []string{filepath.Join(dir, "none")}}, {ID: "other", Paths: []string{filepath.Join(dir, "no-key")}},
			{ID: "locked", Paths: []string{filepath.Join(dir, "locked")}},
		},
		Contexts: map[string]string{"gone": filepath.Join(dir, "none"), "file": filepath.Join(dir, "empty"), "no-layout": "oci-layout://" + dir, "UPPER": dir},
	}
	_, err = b.Build(t.Context(), req, (&events{}).emit)
	if err == nil {
		t.Fatal("no error")
	}
	contains(t, err.Error(),
		`build secret "unset": the environment variable NO_SUCH_VARIABLE is not set`, `build secret "empty": the environment variable EMPTY is empty`,
		`build secret "missing": there is no file `+dir+"/none", `build secret "directory": `+dir+" is a directory", `build secret "large"`, `build secret "nothing"`,
		`SSH agent "default": none runs: SSH_AUTH_SOCK is not set`, `SSH agent "key"`, `SSH agent "other": `+dir+"/no-key is no private key", `SSH agent "locked": the key `+dir+"/locked has a passphrase",
		`named context "gone": there is no directory `+dir+"/none", `named context "file"`, `named context "no-layout"`, `named context "UPPER"`)
	if _, err := os.Stat(filepath.Join(dir, "ingest")); err == nil {
		t.Error("a directory that is no layout was made one")
	}
}

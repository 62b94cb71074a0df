package build_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/build"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// intercept lets do see every request before it is answered; nil ends that.
func (g *guarded) intercept(do func(http.ResponseWriter, *http.Request) bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.before = do
}

// random is text that nothing compresses to less than n bytes.
func random(seed string, n int) string {
	var b strings.Builder
	for i := 0; b.Len() < 2*n; i++ {
		fmt.Fprintf(&b, "%x", sha256.Sum256(fmt.Appendf(nil, "%s%d", seed, i)))
	}
	return b.String()
}

// stack is a request for an image of n layers.
func (w *workshop) stack(t *testing.T, repository string, n int) release.BuildRequest {
	t.Helper()
	files := map[string]string{}
	dockerfile := "FROM scratch\n"
	for i := range n {
		files[fmt.Sprint("f", i)] = random(fmt.Sprint(repository, i), 10<<10)
		dockerfile += fmt.Sprintf("COPY f%d /\n", i)
	}
	files["Dockerfile"] = dockerfile
	return w.request(t, repository, files)
}

// testCutPush cuts every connection once half of the layers have arrived: the same push goes on by itself, and nothing
// that had arrived is sent again.
func testCutPush(t *testing.T, w *workshop) {
	const layers = 12
	req := w.stack(t, "cut", layers)
	image, _ := w.build(t, req)
	var begun atomic.Int32
	w.registry.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		if !sends(r) || begun.Add(1) != layers/2 {
			return false
		}
		conn, _, err := rw.(http.Hijacker).Hijack()
		if err == nil {
			err = conn.Close() // in the middle of a layer
		}
		if err != nil {
			t.Error(err)
		}
		return true
	})
	defer w.registry.intercept(nil)
	before := w.registry.sent()
	pushed := w.push(t, req, image, "tag")
	if sent := w.registry.sent() - before; sent != layers+1 { // and the configuration
		t.Errorf("%d blobs arrived, of an image of %d", sent, layers+1)
	}
	contains(t, pushed.text(t), "trying again")
	if digest, _ := w.registry.get(t, "cut", "tag"); digest != image.Digest {
		t.Errorf("the tag names %s", digest)
	}
}

// testExpiredPush lets the credentials expire when half of the layers have arrived: new ones are asked for once, and
// what had arrived is not sent again.
func testExpiredPush(t *testing.T, w *workshop) {
	const layers = 12
	const fresh = "another-Token-of-the-Registry"
	c := w.config
	var renewals atomic.Int32
	c.Renew = func(context.Context, string) (release.Credentials, error) {
		renewals.Add(1)
		return release.Credentials{Host: w.registry.host, Username: "AWS", Password: fresh}, nil
	}
	builder, err := build.New(c)
	if err != nil {
		t.Fatal(err)
	}
	req := w.stack(t, "expired", layers)
	image, _ := w.build(t, req)
	var begun atomic.Int32
	w.registry.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		if sends(r) {
			begun.Add(1)
		}
		user, password, _ := r.BasicAuth()
		switch {
		case password == fresh:
			r.SetBasicAuth(user, secret)
		case password == secret && begun.Load() > layers/2:
			http.Error(rw, "denied: Your authorization token has expired. Reauthenticate and try again.", http.StatusForbidden)
			return true
		}
		return false
	})
	defer w.registry.intercept(nil)
	before := w.registry.sent()
	if err := builder.Push(t.Context(), req, image.Digest, "tag", w.registry.credentials(), (&events{}).emit); err != nil {
		t.Fatal(err)
	}
	if sent := w.registry.sent() - before; sent != layers+1 || renewals.Load() != 1 {
		t.Errorf("%d blobs arrived of an image of %d, with %d renewals", sent, layers+1, renewals.Load())
	}
	w.registry.intercept(nil)
	if digest, _ := w.registry.get(t, "expired", "tag"); digest != image.Digest {
		t.Errorf("the tag names %s", digest)
	}
}

// testMount pushes a layer that the daemon has sent to another repository before, and says so in a label: it is named
// there, not sent.
func testMount(t *testing.T, w *workshop) {
	files := map[string]string{"Dockerfile": "FROM scratch\nCOPY big /\n", "big": random("mount", 2<<20)}
	far := w.far(t, startWire(t, w.config.Address))
	first := far.request(t, "mount-from", files)
	image, _ := far.build(t, first)
	far.push(t, first, image, "tag")
	req := w.request(t, "mount-to", files)
	image, _ = w.build(t, req)
	var mu sync.Mutex
	var mounts []string
	w.registry.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if from := r.URL.Query().Get("from"); from != "" {
			mu.Lock()
			defer mu.Unlock()
			mounts = append(mounts, from+" "+r.URL.Query().Get("mount"))
		}
		return false
	})
	defer w.registry.intercept(nil)
	w.push(t, req, image, "tag")
	if of := layers(t, w, "mount-to", "tag"); !slices.Contains(mounts, "mount-from "+of[0]) {
		t.Errorf("the registry was asked to mount %v, and not %s", mounts, of[0])
	}
}

// testBlobFiles: layers are taken from the files of the daemon's store, and one whose file is not there comes through the
// daemon. A file that is not what its name says is not taken by the registry.
func testBlobFiles(t *testing.T, w *workshop) {
	req := w.stack(t, "files", 4)
	image, _ := w.build(t, req)
	c := w.config
	c.Blobs = t.TempDir()
	builder, err := build.New(c)
	if err != nil {
		t.Fatal(err)
	}
	store := filepath.Join(filepath.Dir(strings.TrimPrefix(c.Address, "unix://")), "root/io.containerd.content.v1.content/blobs/sha256")
	files, err := os.ReadDir(store)
	if err != nil || os.Mkdir(filepath.Join(c.Blobs, "sha256"), 0o700) != nil {
		t.Fatal(err)
	}
	push := func() error {
		return builder.Push(t.Context(), req, image.Digest, "tag", w.registry.credentials(), (&events{}).emit)
	}
	for _, file := range files {
		info, err := file.Info()
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(c.Blobs, "sha256", file.Name()), strings.Repeat("x", int(info.Size())))
	}
	if err := push(); err == nil || w.registry.has(t, "files", "tag") {
		t.Errorf("pushed what is not what it is named by: %v", err)
	}
	for i, file := range files {
		to := filepath.Join(c.Blobs, "sha256", file.Name())
		if err := os.Remove(to); err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			write(t, to, string(read(t, filepath.Join(store, file.Name()))))
		}
	}
	if err := push(); err != nil || !w.registry.has(t, "files", "tag") {
		t.Errorf("half of the layers are files: %v", err)
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// testFarPush reaches the daemon over TCP: a large image is sent by the daemon itself, and crosses that connection not
// at all; of an image that the registry has but for a little, that little is carried.
func testFarPush(t *testing.T, w *workshop) {
	wire := startWire(t, w.config.Address)
	far := w.far(t, wire)
	req := far.request(t, "far", map[string]string{"Dockerfile": "FROM scratch\nCOPY big /\nCOPY small /\n", "big": random("far", 4<<20), "small": "one"})
	image, _ := far.build(t, req)
	before := wire.received.Load()
	contains(t, far.push(t, req, image, "one").text(t), "pushing manifest for") // BuildKit's own words
	if got := wire.received.Load() - before; got > 2<<20 {
		t.Errorf("%d bytes came from the builder", got)
	}
	write(t, filepath.Join(req.ContextDir, "small"), "two")
	image, _ = far.build(t, req)
	if text := far.push(t, req, image, "two").text(t); strings.Contains(text, "pushing manifest for") {
		t.Errorf("the build was solved again for a few bytes: %s", text)
	}
	if digest, _ := w.registry.get(t, "far", "two"); digest != image.Digest {
		t.Errorf("the tag names %s", digest)
	}
}

// far is the workshop with its daemon behind a wire.
func (w *workshop) far(t *testing.T, wire *wire) *workshop {
	t.Helper()
	c := w.config
	c.Address = "tcp://" + wire.listener.Addr().String()
	builder, err := build.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return &workshop{config: c, builder: builder, registry: w.registry}
}

// wire is a TCP address of a Unix socket, which counts what comes from there.
type wire struct {
	listener net.Listener
	received atomic.Int64
}

func startWire(t *testing.T, address string) *wire {
	t.Helper()
	socket := strings.TrimPrefix(address, "unix://")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{listener: listener}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return // closed
			}
			all.Go(func() { w.join(near, socket) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close() // it may be closed
		all.Wait()
	})
	return w
}

// join copies both ways until either end closes.
func (w *wire) join(near net.Conn, socket string) {
	defer func() { _ = near.Close() }()
	far, err := net.Dial("unix", socket)
	if err != nil {
		return
	}
	defer func() { _ = far.Close() }()
	go func() {
		_, _ = io.Copy(far, near) // ends with the connection
		_ = far.Close()
	}()
	_, _ = io.Copy(counted{near, &w.received}, far) // ends with the connection
}

type counted struct {
	io.Writer
	n *atomic.Int64
}

func (c counted) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.n.Add(int64(n))
	return n, err
}

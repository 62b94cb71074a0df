package build_test

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/medusa-deploy/medusa-deploy/internal/build"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// workshop is a builder with a registry, for tests that share one pair of daemons.
type workshop struct {
	config   build.Config
	builder  *build.BuildKit
	registry *guarded
	program  string // a static program: see runner
}

func TestBuildKit(t *testing.T) {
	address := startBuildKit(t)
	w := &workshop{registry: startRegistry(t), program: compile(t)}
	var err error
	w.config = build.Config{
		Address: address, Reason: "the test", PlainHTTP: []string{w.registry.host},
		Credentials: func(_ context.Context, host string) (release.Credentials, bool, error) {
			return w.registry.credentials(), host == w.registry.host, nil
		},
	}
	w.builder, err = build.New(w.config)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]func(*testing.T, *workshop){
		"digest is the same in build, push and registry": testDigest,
		"same input from two directories":                testReproducible,
		"same digest for what a step writes":             testRewritten,
		"an edit that keeps the size is seen":            testSameSizeEdit,
		"layers keep their digest across commits":        testLayersAcrossCommits,
		"two platforms make an index":                    testIndex,
		"second build is cached":                         testCached,
		"rebuild without cache can be pushed":            testNoCache,
		"dockerignore and a Dockerfile outside":          testDockerignore,
		"build args reach the build":                     testArgs,
		"a missing file has its line":                    testMissingFile,
		"a failing program has its log":                  testFailingRun,
		"a Dockerfile that cannot be read":               testSyntaxError,
		"a frontend that cannot be downloaded":           testFrontend,
		"a stage that does not exist":                    testStage,
		"another processor's program":                    testForeignProgram,
		"wrong credentials name the registry":            testWrongCredentials,
		"a push that is not what was built":              testOtherDigest,
		"registry cache":                                 testCache,
		"a cache that cannot be stored":                  testBrokenCache,
		"an interrupt":                                   testInterrupt,
		"secrets from the environment and a file":        testSecrets,
		"a secret that nobody gave":                      testMissingSecret,
		"SSH agents and keys":                            testSSH,
		"named contexts":                                 testContexts,
		"the ignore file of a Dockerfile":                testDockerfileIgnore,
		"zstd on a gzip base":                            testCompression,
		"a push sends only what is missing":              testOnlyWhatIsMissing,
		"a push sends layers side by side":               testParallelPush,
		"an immutable tag":                               testImmutableTag,
		"a push that is cut":                             testCutPush,
		"credentials that expire in a push":              testExpiredPush,
		"a layer that another repository has":            testMount,
		"layers from their files":                        testBlobFiles,
		"a builder on another machine pushes by itself":  testFarPush,
		"directory cache":                                testDirectoryCache,
		"a directory cache that is broken":               testBrokenDirectoryCache,
		"a registry cache that is broken":                testBrokenRegistryCache,
		"a registry cache that is out of reach":          testUnreachableCache,
		"GitHub's cache without GitHub":                  testGitHubCacheElsewhere,
	} {
		t.Run(name, func(t *testing.T) { test(t, w) })
	}
}

// runner is what images are made from: it prints, fails or writes as it is told.
const runner = `package main
import ("encoding/binary"; "fmt"; "io"; "net"; "os"; "strings"; "time")
func main() {
	switch os.Args[1] {
	case "fail":
		for i := range 30 { fmt.Println("line", i) }
		fmt.Fprint(os.Stderr, "cannot find the thing")
		os.Exit(3)
	case "say":
		fmt.Println(strings.Join(os.Args[2:], " "))
	case "time":
		if err := os.WriteFile("/time", []byte(time.Now().Format(time.RFC3339Nano)), 0o644); err != nil { panic(err) }
	case "write":
		if err := os.WriteFile("/written", []byte("always the same"), 0o644); err != nil { panic(err) }
	case "show":
		for _, path := range os.Args[2:] {
			text, err := os.ReadFile(path)
			if err != nil { panic(err) }
			fmt.Println(string(text))
		}
	case "env":
		fmt.Println(os.Args[2] + "=" + os.Getenv(os.Args[2]))
	case "agent":
		conn, err := net.Dial("unix", os.Getenv("SSH_AUTH_SOCK"))
		if err != nil { panic(err) }
		if _, err := conn.Write([]byte{0, 0, 0, 1, 11}); err != nil { panic(err) } // SSH_AGENTC_REQUEST_IDENTITIES
		answer := make([]byte, 13) // length, type, number of keys, length of the first
		if _, err := io.ReadFull(conn, answer); err != nil { panic(err) }
		first := make([]byte, binary.BigEndian.Uint32(answer[9:]))
		if _, err := io.ReadFull(conn, first); err != nil { panic(err) }
		fmt.Println("identities:", binary.BigEndian.Uint32(answer[5:]), string(first[4:4+binary.BigEndian.Uint32(first)]))
	case "hang":
		fmt.Println("hanging")
		select {}
	}
}
`

func compile(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	source, program := filepath.Join(dir, "main.go"), filepath.Join(dir, "program")
	if err := os.WriteFile(source, []byte(runner), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", program, source)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=mod")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// events keeps what a builder emits.
type events struct {
	mu   sync.Mutex
	all  []release.Event
	more chan struct{} // closed at the next one; nil: nobody waits
}

func (e *events) emit(event release.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, event)
	if e.more != nil {
		close(e.more)
		e.more = nil
	}
}

// await waits until an event has a text in it.
func (e *events) await(t *testing.T, text string) {
	t.Helper()
	patience := time.NewTimer(time.Minute)
	defer patience.Stop()
	for {
		e.mu.Lock()
		if e.more == nil {
			e.more = make(chan struct{})
		}
		more := e.more
		e.mu.Unlock()
		if strings.Contains(e.text(t), text) {
			return
		}
		select {
		case <-more:
		case <-patience.C:
			t.Fatalf("%q is missing in: %s", text, e.text(t))
		}
	}
}

// states are the steps with the state that each ended in.
func (e *events) states() map[string]string {
	e.mu.Lock()
	defer e.mu.Unlock()
	ended := map[string]string{}
	for _, event := range e.all {
		if step, ok := event.(release.BuildStep); ok {
			ended[step.Name] = step.State
		}
	}
	return ended
}

func (e *events) text(t *testing.T) string {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	raw, err := json.Marshal(e.all)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

var commitTime = time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC)

// request is a build of files in a directory of its own.
func (w *workshop) request(t *testing.T, repository string, files map[string]string) release.BuildRequest {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		write(t, filepath.Join(dir, name), text)
	}
	return release.BuildRequest{
		ContextDir: dir, Dockerfile: filepath.Join(dir, "Dockerfile"), Epoch: commitTime,
		Repository: w.registry.host + "/" + repository, Labels: map[string]string{release.LabelRevision: "abc"},
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// withProgram adds the runner to the build context.
func (w *workshop) withProgram(t *testing.T, req release.BuildRequest) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "cp", w.program, filepath.Join(req.ContextDir, "program")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func (w *workshop) build(t *testing.T, req release.BuildRequest) (release.Image, *events) {
	t.Helper()
	e := &events{}
	image, err := w.builder.Build(t.Context(), req, e.emit)
	if err != nil {
		t.Fatal(err)
	}
	return image, e
}

func (w *workshop) push(t *testing.T, req release.BuildRequest, image release.Image, tag string) *events {
	t.Helper()
	e := &events{}
	if err := w.builder.Push(t.Context(), req, image.Digest, tag, w.registry.credentials(), e.emit); err != nil {
		t.Fatal(err)
	}
	return e
}

// fails builds and gives the error, which must be a BuildError.
func (w *workshop) fails(t *testing.T, req release.BuildRequest) (*release.BuildError, *events) {
	t.Helper()
	e := &events{}
	_, err := w.builder.Build(t.Context(), req, e.emit)
	var failed *release.BuildError
	if !errors.As(err, &failed) {
		t.Fatalf("got %v, want a BuildError", err)
	}
	return failed, e
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is missing in: %s", part, text)
		}
	}
}

func readAll(t *testing.T, r io.Reader) []byte {
	t.Helper()
	raw, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

var hello = map[string]string{"Dockerfile": "FROM scratch\nLABEL own=yes\nCOPY index.html /\n", "index.html": "hello"}

func testDigest(t *testing.T, w *workshop) {
	req := w.request(t, "digest", hello)
	before := w.registry.uploads()
	image, _ := w.build(t, req)
	if w.registry.uploads() != before {
		t.Error("the build pushed something")
	}
	pushed := w.push(t, req, image, "git-abc")
	digest, raw := w.registry.get(t, "digest", "git-abc")
	if digest != image.Digest {
		t.Errorf("registry has %s, built was %s", digest, image.Digest)
	}
	contains(t, string(raw), `"mediaType": "application/vnd.oci.image.manifest.v1+json"`, "tar+gzip")
	wantLabels := map[string]string{release.LabelRevision: "abc", "own": "yes"}
	if diff := cmp.Diff(wantLabels, image.Labels); diff != "" {
		t.Error(diff)
	}
	if len(image.Platforms) != 1 || len(image.Manifests) != 0 || image.SizeBytes == 0 || image.Repository != req.Repository {
		t.Errorf("%+v", image)
	}
	text := pushed.text(t)
	contains(t, text, "pushing layers", `"done":true`)
	if strings.Contains(text, secret) || strings.Contains(text, `"state"`) {
		t.Errorf("a push tells of transfers only, and of no secret: %s", text)
	}
}

// testReproducible builds one input in two directories, at different times and with different file times.
func testReproducible(t *testing.T, w *workshop) {
	files := map[string]string{
		"Dockerfile": "FROM scratch\nWORKDIR /srv\nCOPY program /program\nCOPY index.html /\n", "index.html": "hello",
	}
	w.buildTwice(t, files, func(*release.BuildRequest) {})
}

func testRewritten(t *testing.T, w *workshop) {
	files := map[string]string{
		"Dockerfile": "FROM scratch\nWORKDIR /srv\nCOPY . ./\nCOPY program /new/dir/p\nRUN [\"/new/dir/p\", \"write\"]\n", "sub/page.html": "page",
	}
	w.buildTwice(t, files, func(req *release.BuildRequest) { req.Reproducible = true })
}

func (w *workshop) buildTwice(t *testing.T, files map[string]string, with func(*release.BuildRequest)) {
	t.Helper()
	one, two := w.request(t, "same", files), w.request(t, "same", files)
	with(&one)
	with(&two)
	w.withProgram(t, one)
	w.withProgram(t, two)
	past := commitTime.Add(-240 * time.Hour)
	if err := os.Chtimes(filepath.Join(two.ContextDir, "program"), past, past); err != nil {
		t.Fatal(err)
	}
	one.NoCache, two.NoCache = true, true
	first, _ := w.build(t, one)
	w.push(t, one, first, "one")
	// Layers keep whole seconds: within one, two builds would agree by luck.
	<-time.After(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
	second, _ := w.build(t, two)
	w.push(t, two, second, "two")
	if first.Digest != second.Digest {
		t.Errorf("%s and %s from the same input: layers\n%v and\n%v", first.Digest, second.Digest, layers(t, w, "same", "one"), layers(t, w, "same", "two"))
	}
}

func testSameSizeEdit(t *testing.T, w *workshop) {
	req := w.request(t, "edit", hello)
	first, _ := w.build(t, req)
	write(t, filepath.Join(req.ContextDir, "index.html"), "HELLO")
	second, _ := w.build(t, req)
	if first.Digest == second.Digest {
		t.Error("the edit was missed")
	}
}

func testLayersAcrossCommits(t *testing.T, w *workshop) {
	files := map[string]string{
		"Dockerfile": "FROM scratch\nWORKDIR /app\nCOPY big /big/\nCOPY program /p\nRUN [\"/p\", \"time\"]\nCOPY index.html ./\n", "big": "big and unchanged", "index.html": "one",
	}
	req := w.request(t, "commits", files)
	w.withProgram(t, req)
	first, _ := w.build(t, req)
	w.push(t, req, first, "one")
	write(t, filepath.Join(req.ContextDir, "index.html"), "two")
	req.Epoch = commitTime.Add(time.Hour)
	second, _ := w.build(t, req)
	w.push(t, req, second, "two")
	one, two := layers(t, w, "commits", "one"), layers(t, w, "commits", "two")
	if last := len(one) - 1; !slices.Equal(one[:last], two[:last]) || one[last] == two[last] {
		t.Errorf("only the last layer changed, but from\n%v it went to\n%v", one, two)
	}
}

func layers(t *testing.T, w *workshop, repository, tag string) []string {
	t.Helper()
	_, raw := w.registry.get(t, repository, tag)
	var manifest struct{ Layers []struct{ Digest string } }
	if err := json.Unmarshal(raw, &manifest); err != nil {
		t.Fatal(err)
	}
	var digests []string
	for _, layer := range manifest.Layers {
		digests = append(digests, layer.Digest)
	}
	return digests
}

func testIndex(t *testing.T, w *workshop) {
	req := w.request(t, "index", hello)
	req.Platforms = []string{"linux/amd64", "linux/arm64"}
	image, _ := w.build(t, req)
	w.push(t, req, image, "both")
	digest, raw := w.registry.get(t, "index", "both")
	if digest != image.Digest {
		t.Errorf("registry has %s, built was %s", digest, image.Digest)
	}
	if diff := cmp.Diff(req.Platforms, image.Platforms); diff != "" {
		t.Error(diff)
	}
	if len(image.Manifests) != 2 || image.Labels["own"] != "yes" {
		t.Errorf("%+v", image)
	}
	if strings.Contains(string(raw), "attestation") {
		t.Errorf("an attestation was added: %s", raw)
	}
	for _, manifest := range image.Manifests {
		contains(t, string(raw), string(manifest))
	}
}

func testCached(t *testing.T, w *workshop) {
	files := map[string]string{"Dockerfile": "FROM scratch\nCOPY a /a\nCOPY b /b\n", "a": "cached a", "b": "cached b"}
	req := w.request(t, "cached", files)
	first, cold := w.build(t, req)
	second, warm := w.build(t, req)
	if first.Digest != second.Digest {
		t.Errorf("%s, then %s", first.Digest, second.Digest)
	}
	if diff := cmp.Diff(map[string]string{"[1/2] COPY a /a": "done", "[2/2] COPY b /b": "done"}, cold.states()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"[1/2] COPY a /a": "cached", "[2/2] COPY b /b": "cached"}, warm.states()); diff != "" {
		t.Error(diff)
	}
}

func testNoCache(t *testing.T, w *workshop) {
	req := w.request(t, "nocache", map[string]string{"Dockerfile": "FROM scratch\nCOPY program /p\nRUN [\"/p\", \"time\"]\n"})
	w.withProgram(t, req)
	before, _ := w.build(t, req)
	req.NoCache = true
	image, _ := w.build(t, req)
	if image.Digest == before.Digest {
		t.Error("the cache was used")
	}
	w.push(t, req, image, "rebuilt")
}

func testDockerignore(t *testing.T, w *workshop) {
	req := w.request(t, "ignore", map[string]string{"kept": "k", "ignored": "i", ".dockerignore": "ignored\n"})
	req.Dockerfile = filepath.Join(t.TempDir(), "Other.dockerfile")
	write(t, req.Dockerfile, "FROM scratch\nCOPY ignored /\n")
	failed, _ := w.fails(t, req)
	contains(t, failed.Error(), req.Dockerfile+":2: ", ".dockerignore")
	write(t, req.Dockerfile, "FROM scratch\nCOPY kept /\n")
	w.build(t, req)
}

func testArgs(t *testing.T, w *workshop) {
	req := w.request(t, "args", map[string]string{"Dockerfile": "FROM scratch\nARG COMMIT\nCOPY program /p\nRUN [\"/p\", \"say\", \"spoken\"]\nLABEL of=$COMMIT\n"})
	w.withProgram(t, req)
	req.Args = map[string]string{"COMMIT": "c0ffee"}
	image, e := w.build(t, req)
	if image.Labels["of"] != "c0ffee" {
		t.Errorf("labels: %v", image.Labels)
	}
	contains(t, e.text(t), `"line":"spoken"`)
}

func testMissingFile(t *testing.T, w *workshop) {
	req := w.request(t, "missing", map[string]string{"Dockerfile": "FROM scratch\n\nCOPY nowhere /\n"})
	failed, e := w.fails(t, req)
	if failed.Line != 3 || failed.Dockerfile != req.Dockerfile || failed.Step != "[1/1] COPY nowhere /" {
		t.Errorf("%+v", failed)
	}
	contains(t, failed.Error(), "/nowhere", "not found", req.ContextDir)
	if e.states()["[1/1] COPY nowhere /"] != "failed" {
		t.Errorf("states: %v", e.states())
	}
}

func testFailingRun(t *testing.T, w *workshop) {
	req := w.request(t, "failing", map[string]string{"Dockerfile": "FROM scratch\nCOPY program /p\nRUN [\"/p\", \"fail\"]\n"})
	w.withProgram(t, req)
	failed, _ := w.fails(t, req)
	if failed.Line != 3 || len(failed.Log) != 20 {
		t.Fatalf("line %d, %d log lines: %v", failed.Line, len(failed.Log), failed)
	}
	if !slices.Contains(failed.Log, "line 29") || !slices.Contains(failed.Log, "cannot find the thing") {
		t.Errorf("log: %q", failed.Log)
	}
	contains(t, failed.Step, "RUN [\"/p\", \"fail\"]")
	if diff := cmp.Diff([]string{"     1  FROM scratch", "     2  COPY program /p", ">    3  RUN [\"/p\", \"fail\"]"}, failed.Excerpt); diff != "" {
		t.Error(diff)
	}
	contains(t, failed.Error(), "exit code: 3")
}

func testSyntaxError(t *testing.T, w *workshop) {
	failed, _ := w.fails(t, w.request(t, "syntax", map[string]string{"Dockerfile": "FROM scratch\nCOPPY a b\n"}))
	if failed.Line != 2 {
		t.Errorf("line %d", failed.Line)
	}
	contains(t, failed.Error(), "COPPY")
}

func testFrontend(t *testing.T, w *workshop) {
	req := w.request(t, "frontend", map[string]string{"Dockerfile": "# syntax=127.0.0.1:1/docker/dockerfile:1\nFROM scratch\n"})
	failed, _ := w.fails(t, req)
	if failed.Line != 1 || failed.Step != "# syntax=127.0.0.1:1/docker/dockerfile:1" {
		t.Errorf("%+v", failed)
	}
	contains(t, failed.Error(), "remove the line")
}

func testStage(t *testing.T, w *workshop) {
	req := w.request(t, "stage", hello)
	req.Stage = "nonesuch"
	failed, _ := w.fails(t, req)
	contains(t, failed.Error(), "nonesuch")
}

func testForeignProgram(t *testing.T, w *workshop) {
	req := w.request(t, "foreign", map[string]string{
		"Dockerfile": "FROM scratch\nCOPY --chmod=755 program /p\nRUN [\"/p\"]\n", "program": "\x7fELF not of this machine",
	})
	failed, _ := w.fails(t, req)
	contains(t, strings.Join(failed.Log, "\n"), "exec format error")
	contains(t, failed.Error(), "another processor")
}

func testWrongCredentials(t *testing.T, w *workshop) {
	req := w.request(t, "wrong", hello)
	image, _ := w.build(t, req)
	e := &events{}
	wrong := release.Credentials{Host: w.registry.host, Username: "AWS", Password: "not-the-password"}
	err := w.builder.Push(t.Context(), req, image.Digest, "tag", wrong, e.emit)
	if err == nil {
		t.Fatal("pushed with wrong credentials")
	}
	contains(t, err.Error(), w.registry.host, "refused the credentials", `"AWS"`)
	if all := e.text(t) + err.Error(); strings.Contains(all, wrong.Password) {
		t.Errorf("the password shows: %s", all)
	}
}

// testOtherDigest: a push sends what was built, whatever has become of its sources, and nothing else.
func testOtherDigest(t *testing.T, w *workshop) {
	req := w.request(t, "other", hello)
	image, _ := w.build(t, req)
	write(t, filepath.Join(req.ContextDir, "index.html"), "changed in between")
	w.push(t, req, image, "built")
	if digest, _ := w.registry.get(t, "other", "built"); digest != image.Digest {
		t.Errorf("%s was built, and %s is in the registry", image.Digest, digest)
	}
	never := release.Digest("sha256:" + strings.Repeat("0", 64)) // as if the builder had forgotten it: it is built once more
	err := w.builder.Push(t.Context(), req, never, "tag", w.registry.credentials(), (&events{}).emit)
	if err == nil {
		t.Fatal("pushed what was not built")
	}
	contains(t, err.Error(), string(never), "changed in between")
	if w.registry.has(t, "other", "tag") {
		t.Error("the tag names what was not built")
	}
}

func testCache(t *testing.T, w *workshop) {
	files := map[string]string{"Dockerfile": "FROM scratch\nCOPY index.html /\n", "index.html": "for the cache"}
	req := w.request(t, "kept", files)
	req.Cache = release.BuildCache{Kind: release.CacheRegistry, Ref: "cache"}
	image, e := w.build(t, req) // there is no cache yet
	if strings.Contains(e.text(t), "warning") {
		t.Errorf("a missing cache is no matter: %s", e.text(t))
	}
	w.push(t, req, image, "tag")
	_, raw := w.registry.get(t, "kept", "cache")
	contains(t, string(raw), "application/vnd.oci.image.manifest.v1+json", "buildkit.cacheconfig")
	if again, _ := w.build(t, req); again.Digest != image.Digest {
		t.Errorf("%s with the cache, %s without", again.Digest, image.Digest)
	}
}

func testBrokenCache(t *testing.T, w *workshop) {
	req := w.request(t, "broken", hello)
	req.Cache = release.BuildCache{Kind: release.CacheRegistry, Ref: w.registry.host + "/forbidden:cache"}
	image, _ := w.build(t, req)
	w.registry.denyWrites("forbidden")
	defer w.registry.denyWrites("")
	e := w.push(t, req, image, "tag")
	contains(t, e.text(t), `"level":"warning"`, "build cache could not be stored")
	if digest, _ := w.registry.get(t, "broken", "tag"); digest != image.Digest {
		t.Errorf("registry has %s", digest)
	}
}

func testInterrupt(t *testing.T, w *workshop) {
	req := w.request(t, "hang", map[string]string{"Dockerfile": "FROM scratch\nCOPY program /p\nRUN [\"/p\", \"hang\"]\n"})
	w.withProgram(t, req)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := w.builder.Build(ctx, req, func(event release.Event) {
		if line, ok := event.(release.BuildLog); ok && line.Line == "hanging" {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

func mustNew(t *testing.T, address string) *build.BuildKit {
	t.Helper()
	b, err := build.New(build.Config{Address: address, Reason: "the test"})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// pull gives an image of the registry.
func (w *workshop) pull(t *testing.T, image string) v1.Image {
	t.Helper()
	ref, err := name.ParseReference(image, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	pulled, err := remote.Image(ref, remote.WithAuth(w.registry.authenticator()))
	if err != nil {
		t.Fatal(err)
	}
	return pulled
}

// files are the names of the files in an image of the registry, in order.
func (w *workshop) files(t *testing.T, image string) []string {
	t.Helper()
	content := mutate.Extract(w.pull(t, image))
	defer func() { _ = content.Close() }()
	var files []string
	for reader := tar.NewReader(content); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.Typeflag == tar.TypeReg {
			files = append(files, header.Name)
		}
	}
	slices.Sort(files)
	return files
}

func ExampleBuildKit_Name() {
	b, err := build.New(build.Config{Address: "unix:///run/buildkit/buildkitd.sock", Reason: "BUILDKIT_HOST"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(b.Name())
	// Output: BuildKit (BUILDKIT_HOST)
}

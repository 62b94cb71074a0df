//go:build linux

package build_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/medusa-deploy/medusa-deploy/internal/build"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// dock is a BuildKit and a Docker Engine with builders on both, and a registry.
type dock struct {
	*workshop
	*docking
	memory string // what Buildx remembers
}

func TestBuildx(t *testing.T) {
	docker := startDocker(t)
	address := startBuildKit(t)
	w := &workshop{registry: startRegistry(t), program: compile(t)}
	w.config = build.Config{Address: address, Reason: "the test", PlainHTTP: []string{w.registry.host}, Docker: []string{"docker"}}
	var err error
	if w.builder, err = build.New(w.config); err != nil {
		t.Fatal(err)
	}
	docker.makeBuilders(t, address)
	d := &dock{workshop: w, docking: docker, memory: t.TempDir()}
	for _, test := range []struct {
		name string
		test func(*testing.T, *dock)
	}{
		{"a stopped builder is started", testStarted},
		{"every builder gives the same digest", testSameDigest},
		{"what a builder is is told", testInspect},
		{"a builder is looked at where its connection does not tell all", testOpen},
		{"a push by every builder", testPushes},
		{"several platforms", testBuildxPlatforms},
		{"several platforms on several nodes", testSpread},
		{"loaded into the engine", testLoad},
		{"loaded into the store of the built-in engine", testStore},
		{"loaded by an engine without manifests", testLegacyLoad},
		{"an engine without manifests builds, and pushes what is missing", testLegacy},
		{"what a request asks for", testRequest},
		{"secrets and named contexts", testBuildxSecrets},
		{"the same steps are told", testSteps},
		{"a failing step", testFailingStep},
		{"wrong credentials", testRefused},
		{"what is missing has its cure", testCures},
		{"nothing is left running", testNothingRuns},
	} {
		t.Run(test.name, func(t *testing.T) { test.test(t, d) })
	}
}

// on is Buildx on a builder; empty: the current one, which is the engine's own.
func (d *dock) on(t *testing.T, name string) *build.Buildx {
	t.Helper()
	return open(t, build.BuildxConfig{Builder: name, PlainHTTP: d.config.PlainHTTP, CacheDir: d.memory})
}

// open gives a Buildx that keeps no connection beyond the test.
func open(t *testing.T, c build.BuildxConfig) *build.Buildx {
	t.Helper()
	b, err := build.NewBuildx(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func buildOn(t *testing.T, b release.Builder, req release.BuildRequest) (release.Image, *events) {
	t.Helper()
	e := &events{}
	image, err := b.Build(t.Context(), req, e.emit)
	if err != nil {
		t.Fatalf("%s: %v", b.Name(), err)
	}
	return image, e
}

func (d *dock) pushOn(t *testing.T, b release.Builder, req release.BuildRequest, image release.Image, tag string) *events {
	t.Helper()
	e := &events{}
	if err := b.Push(t.Context(), req, image.Digest, tag, d.registry.credentials(), e.emit); err != nil {
		t.Fatalf("%s: %v", b.Name(), err)
	}
	return e
}

// page is an image whose every layer is the same whoever builds it.
func (d *dock) page(t *testing.T, repository string) release.BuildRequest {
	t.Helper()
	req := d.request(t, repository, map[string]string{
		"Dockerfile": "FROM scratch\nWORKDIR /srv\nENV A=b\nCOPY program index.html /\nCMD [\"/program\", \"say\", \"hello\"]\n",
		"index.html": repository,
	})
	d.withProgram(t, req)
	req.Platforms = []string{"linux/amd64"}
	return req
}

func testStarted(t *testing.T, d *dock) {
	info, err := build.InspectBuildx(t.Context(), build.BuildxConfig{Builder: containerBuilder})
	if err != nil || info.Nodes[0].Status != "inactive" {
		t.Fatalf("%+v, %v", info, err)
	}
	for _, before := range [][]string{nil, {"stop", "buildx_buildkit_cont0"}} {
		if before != nil {
			d.run(t, before...)
		}
		_, e := buildOn(t, d.on(t, containerBuilder), d.page(t, "started"))
		e.await(t, "starting the builder: docker buildx cont") // buildx says so a little later than it does so
	}
}

func testSameDigest(t *testing.T, d *dock) {
	req := d.page(t, "same")
	want, _ := buildOn(t, d.builder, req)
	for _, name := range []string{containerBuilder, remoteBuilder} {
		got, e := buildOn(t, d.on(t, name), req)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if strings.Contains(e.text(t), "starting the builder") {
			t.Errorf("%s runs already", name)
		}
	}
}

func testInspect(t *testing.T, _ *dock) {
	for name, want := range map[string]build.BuildxInfo{
		containerBuilder: {Name: containerBuilder, Driver: build.DriverContainer, Nodes: []build.BuildxNode{{Name: "cont0", Endpoint: os.Getenv("DOCKER_HOST"), Status: "running"}}},
		remoteBuilder:    {Name: remoteBuilder, Driver: build.DriverRemote, Nodes: []build.BuildxNode{{Name: "rem0", Status: "running"}}},
		"":               {Name: "default", Driver: build.DriverDocker, Nodes: []build.BuildxNode{{Name: "default", Endpoint: "default", Status: "running"}}},
	} {
		got, err := build.InspectBuildx(t.Context(), build.BuildxConfig{Builder: name})
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Nodes) != 1 || !slices.Contains(got.Nodes[0].Platforms, "linux/amd64") || got.Nodes[0].Version == "" || (got.Engine == "") != (want.Driver != build.DriverDocker) {
			t.Errorf("%+v", got)
			continue
		}
		if strings.Contains(got.Nodes[0].Options, `network="host"`) != (name == containerBuilder) || got.OwnLoopback() {
			t.Errorf("%s has a loopback of its own, its options are %s", name, got.Nodes[0].Options)
		}
		got.Nodes[0].Options = "" // in no certain order
		got.Engine, got.ContainerdStore, got.Nodes[0].Platforms, got.Nodes[0].Version = "", false, nil, ""
		if name == remoteBuilder {
			got.Nodes[0].Endpoint = ""
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func testOpen(t *testing.T, d *dock) {
	one, two := []string{"linux/amd64"}, []string{"linux/amd64", "linux/arm64"}
	for _, c := range []struct {
		name      string
		platforms []string
		driver    string
		needless  bool // the connection tells all; on a slow machine the builder is looked at all the same
	}{
		{containerBuilder, one, build.DriverContainer, true}, {remoteBuilder, one, build.DriverRemote, true},
		{containerBuilder, two, build.DriverContainer, false}, {"default", one, build.DriverDocker, false}, {"", one, build.DriverDocker, false},
	} {
		got, err := d.on(t, c.name).Open(t.Context(), c.platforms, true, (&events{}).emit)
		if err != nil || got.Driver != c.driver && (got.Driver != "" || !c.needless) {
			t.Errorf("%q: %+v, %v, want the driver %s", c.name, got, err, c.driver)
			continue
		}
		if got.Name == "" || len(got.Nodes) != 1 || !slices.Contains(got.Nodes[0].Platforms, "linux/amd64") || got.Nodes[0].Version == "" {
			t.Errorf("%q: %+v", c.name, got)
		}
	}
	if _, err := d.on(t, "nobody-made").Open(t.Context(), one, true, (&events{}).emit); !errors.Is(err, build.ErrNoBuilder) {
		t.Errorf("a builder that is not there: %v", err)
	}
}

func testPushes(t *testing.T, d *dock) {
	for _, name := range []string{containerBuilder, remoteBuilder} {
		req, b := d.page(t, "push-"+name), d.on(t, name)
		image, _ := buildOn(t, b, req)
		d.pushOn(t, b, req, image, "git-abc")
		if got, _ := d.registry.get(t, "push-"+name, "git-abc"); got != image.Digest {
			t.Errorf("%s: the registry has %s, built was %s", name, got, image.Digest)
		}
		write(t, filepath.Join(req.ContextDir, "index.html"), "changed")
		d.pushOn(t, b, req, image, "changed")
		if got, _ := d.registry.get(t, "push-"+name, "changed"); got != image.Digest {
			t.Errorf("%s: what was built is %s, pushed was %s", name, image.Digest, got)
		}
	}
}

func testBuildxPlatforms(t *testing.T, d *dock) {
	req := d.page(t, "platforms")
	req.Platforms = []string{"linux/amd64", "linux/arm64"}
	want, _ := buildOn(t, d.builder, req)
	b := d.on(t, containerBuilder)
	got, _ := buildOn(t, b, req)
	if diff := cmp.Diff(want, got); diff != "" || !slices.Equal(got.Platforms, req.Platforms) {
		t.Errorf("%s %v", diff, got.Platforms)
	}
	d.pushOn(t, b, req, got, "both")
	if digest, raw := d.registry.get(t, "platforms", "both"); digest != want.Digest || strings.Count(string(raw), `"architecture"`) != 2 {
		t.Errorf("the registry has %s %s", digest, raw)
	}
	loaded, err := b.Load(t.Context(), req, got.Digest, []string{"platforms:both"}, (&events{}).emit)
	if err != nil || loaded.Platform != "linux/amd64" || d.id(t, "platforms:both") != string(loaded.ID) {
		t.Errorf("loaded %+v, %v", loaded, err)
	}
	_, err = d.on(t, "").Build(t.Context(), req, (&events{}).emit)
	if err == nil {
		t.Fatal("an engine without manifests built an index")
	}
	contains(t, err.Error(), "cannot build linux/amd64 and linux/arm64 at once", "docker buildx create --use")
}

// testSpread has two nodes, one a platform: what they give together is what one node gives.
func testSpread(t *testing.T, d *dock) {
	const name = "two"
	d.run(t, "buildx", "create", "--name", name, "--driver", "remote", "--platform", "linux/amd64", d.config.Address)
	d.run(t, "buildx", "create", "--name", name, "--append", "--platform", "linux/arm64", "docker-container://buildx_buildkit_cont0")
	req := d.page(t, "spread")
	req.Platforms = []string{"linux/amd64", "linux/arm64"}
	want, _ := buildOn(t, d.builder, req)
	b := d.on(t, name)
	got, e := buildOn(t, b, req)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	steps := e.states()
	for _, step := range []string{"[linux/amd64 2/2] COPY program index.html /", "[linux/arm64 2/2] COPY program index.html /"} {
		if steps[step] == "" {
			t.Errorf("the step %s is missing in %v", step, steps)
		}
	}
	d.pushOn(t, b, req, got, "both")
	if digest, raw := d.registry.get(t, "spread", "both"); digest != want.Digest {
		t.Errorf("the registry has %s %s", digest, raw)
	}
	for _, manifest := range got.Manifests {
		if !d.registry.has(t, "spread", string(manifest)) {
			t.Errorf("the registry lacks %s", manifest)
		}
	}
	loaded, err := b.Load(t.Context(), req, got.Digest, []string{"spread:both"}, (&events{}).emit)
	if err != nil || loaded.Platform != "linux/amd64" || d.id(t, "spread:both") != string(loaded.ID) {
		t.Errorf("loaded %+v, %v", loaded, err)
	}
	write(t, filepath.Join(req.ContextDir, "index.html"), "changed")
	err = b.Push(t.Context(), req, got.Digest, "changed", d.registry.credentials(), (&events{}).emit)
	if err == nil || !strings.Contains(err.Error(), "something that the image is made from changed") || d.registry.has(t, "spread", "changed") {
		t.Errorf("another image was pushed: %v", err)
	}
}

func testRequest(t *testing.T, d *dock) {
	for _, name := range []string{containerBuilder, ""} {
		req := d.request(t, "request", map[string]string{
			"else/Other": "ARG base=nothing\nFROM ${base} AS wanted\nARG word\nLABEL word=$word\nCOPY page /\nFROM scratch\nLABEL word=unwanted\nCOPY missing /\n",
			"page":       "hello", ".dockerignore": "missing", "missing": "",
		})
		req.Dockerfile = filepath.Join(req.ContextDir, "else/Other")
		req.Stage, req.Args = "wanted", map[string]string{"base": "scratch", "word": "two words; $(echo no shell)"}
		image, _ := buildOn(t, d.on(t, name), req)
		if image.Labels["word"] != req.Args["word"] || image.Labels[release.LabelRevision] != "abc" {
			t.Errorf("%q: %v", name, image.Labels)
		}
		req.NoCache = true
		_, e := buildOn(t, d.on(t, name), req)
		if strings.Contains(e.text(t), `"state":"cached"`) {
			t.Errorf("%q: something is cached: %s", name, e.text(t))
		}
	}
}

func testSteps(t *testing.T, d *dock) {
	req := d.page(t, "steps")
	write(t, req.Dockerfile, "FROM scratch\nCOPY program /program\nRUN [\"/program\", \"say\", \"two words\"]\n")
	_, e := buildOn(t, d.builder, req)
	want := e.states()
	for _, name := range []string{containerBuilder, remoteBuilder, ""} {
		_, e := buildOn(t, d.on(t, name), req)
		got := e.states()
		for step := range want {
			if _, ok := got[step]; !ok {
				t.Errorf("%q: the step %q is missing in %v", name, step, got)
			}
		}
		if name != remoteBuilder { // its BuildKit has the step in its cache
			contains(t, e.text(t), "two words")
		}
	}
}

func testFailingStep(t *testing.T, d *dock) {
	for _, name := range []string{containerBuilder, ""} {
		req := d.page(t, "failing")
		write(t, req.Dockerfile, "FROM scratch\nCOPY program /program\nRUN [\"/program\", \"fail\"]\n")
		_, err := d.on(t, name).Build(t.Context(), req, (&events{}).emit)
		var failed *release.BuildError
		if !errors.As(err, &failed) {
			t.Fatalf("%q: %v", name, err)
		}
		if !strings.Contains(failed.Step, `RUN ["/program", "fail"]`) && !strings.Contains(failed.Step, "RUN [/program fail]") || !slices.Contains(failed.Log, "cannot find the thing") {
			t.Errorf("%q: %+v", name, failed)
		}
	}
}

func testRefused(t *testing.T, d *dock) {
	for _, name := range []string{containerBuilder, ""} {
		req, b := d.page(t, "refused"), d.on(t, name)
		image, _ := buildOn(t, b, req)
		wrong := release.Credentials{Host: d.registry.host, Username: "AWS", Password: "wrong-" + secret}
		err := b.Push(t.Context(), req, image.Digest, "x", wrong, (&events{}).emit)
		if err == nil {
			t.Fatal("pushed with a wrong password")
		}
		contains(t, err.Error(), "refused the credentials", d.registry.host)
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the password is in %v", err)
		}
	}
}

// testNothingRuns: a connection is a process, and is gone with the build, also when that is interrupted.
func testNothingRuns(t *testing.T, d *dock) {
	req := d.page(t, "hanging")
	write(t, req.Dockerfile, "FROM scratch\nCOPY program /program\nRUN [\"/program\", \"hang\"]\n")
	done := d.on(t, containerBuilder)
	buildOn(t, done, d.page(t, "done"))
	if len(d.connections(t)) == 0 {
		t.Error("no connection is seen while there is one: to see none later means nothing")
	}
	if err := done.Close(); err != nil { // it keeps a connection for the push
		t.Error(err)
	}
	for _, name := range []string{containerBuilder, ""} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		why := errors.New("interrupted")
		interrupted, interrupt := context.WithCancelCause(ctx)
		_, err := d.on(t, name).Build(interrupted, req, func(e release.Event) {
			if line, ok := e.(release.BuildLog); ok && line.Line == "hanging" {
				interrupt(why)
			}
		})
		interrupt(nil)
		if !errors.Is(err, why) {
			t.Errorf("%q: %v", name, err)
		}
	}
	waitFor(t, d.Dir, "dockerd", func(context.Context) error {
		if left := d.connections(t); len(left) > 0 {
			return fmt.Errorf("still running: %s", strings.Join(left, ", "))
		}
		return nil
	})
}

// connections are the processes that are connections of this test's own, wherever they hang in the tree of processes.
func (d *docking) connections(t *testing.T) []string {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, process := range all {
		line, _ := os.ReadFile(filepath.Join(process, "cmdline")) // what ended meanwhile has none
		environment, _ := os.ReadFile(filepath.Join(process, "environ"))
		if strings.Contains(string(line), "dial-stdio") && strings.Contains(string(environment), "DOCKER_CONFIG="+os.Getenv("DOCKER_CONFIG")+"\x00") {
			found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}

// testBuildxSecrets: a secret reaches a step on every builder, and nothing else; so does a named context, where it can.
func testBuildxSecrets(t *testing.T, d *dock) {
	t.Setenv("BUILD_TOKEN", "canary-of-a-build")
	more := t.TempDir()
	write(t, filepath.Join(more, "page"), "more")
	for _, name := range []string{containerBuilder, ""} {
		req, b := d.page(t, "secret"), d.on(t, name)
		write(t, req.Dockerfile, "FROM scratch\nCOPY program /p\nRUN --mount=type=secret,id=token [\"/p\", \"show\", \"/run/secrets/token\"]\n")
		req.Secrets = []release.BuildSecret{{ID: "token", Env: "BUILD_TOKEN"}}
		image, e := buildOn(t, b, req)
		contains(t, e.text(t), `"line":"canary-of-a-build"`) // the step prints it: masking it is the face's part
		d.pushOn(t, b, req, image, "tag")
		if digest, raw := d.registry.get(t, "secret", "tag"); digest != image.Digest || strings.Contains(string(raw), "canary") {
			t.Errorf("%q: %s %s", name, digest, raw)
		}
		if _, err := b.Load(t.Context(), req, image.Digest, []string{"secret:tag"}, (&events{}).emit); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		if out := d.run(t, "save", "secret:tag"); strings.Contains(out, "canary-of-a-build") {
			t.Errorf("%q: the secret is in the image", name)
		}
		write(t, req.Dockerfile, "FROM scratch\nCOPY --from=more page /\n")
		req.Contexts = map[string]string{"more": more}
		_, err := b.Build(t.Context(), req, (&events{}).emit)
		if refused := err != nil && strings.Contains(err.Error(), "overlooks named contexts"); refused != (name == "") || !refused && err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}

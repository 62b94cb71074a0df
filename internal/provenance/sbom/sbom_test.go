package sbom

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

const dpkgStatus = `Package: libc6
Status: install ok installed
Architecture: amd64
Source: glibc (2.36-9)
Version: 2.36-9+deb12u7
Description: GNU C Library
 Package: not-a-field

Package: removed
Status: deinstall ok config-files
Architecture: amd64
Version: 1.0

Package: tzdata
Status: install ok installed
Architecture: all
Version: 2024a-0+deb12u1
`

const apkInstalled = `C:Q1abc=
P:musl
V:1.2.5-r0
A:x86_64
L:MIT
o:musl

P:libssl3
V:3.3.1-r0
A:x86_64
L:Apache-2.0
o:openssl
`

// TestReaders: each package manager's files, as it writes them.
func TestReaders(t *testing.T) {
	for name, tc := range map[string]struct {
		files []file
		want  []Located
	}{
		"dpkg": {[]file{{path: "./var/lib/dpkg/status", content: dpkgStatus}}, []Located{
			{Package{Kind: kindDebian, Name: "libc6", Version: "2.36-9+deb12u7", Architecture: "amd64", Source: "glibc"}, []string{"var/lib/dpkg/status"}},
			{Package{Kind: kindDebian, Name: "tzdata", Version: "2024a-0+deb12u1", Architecture: "all"}, []string{"var/lib/dpkg/status"}},
		}},
		"an image without dpkg, as distroless": {[]file{
			{path: "var/lib/dpkg/status.d/base", content: "Package: base-files\nVersion: 12.4\nArchitecture: amd64\n"},
			{path: "var/lib/dpkg/status.d/base.md5sums", content: "Package: nothing\nVersion: 1\n"},
		}, []Located{
			{Package{Kind: kindDebian, Name: "base-files", Version: "12.4", Architecture: "amd64"}, []string{"var/lib/dpkg/status.d/base"}},
		}},
		"apk": {[]file{{path: "lib/apk/db/installed", content: apkInstalled}}, []Located{
			{Package{Kind: kindAlpine, Name: "libssl3", Version: "3.3.1-r0", Architecture: "x86_64", License: "Apache-2.0", Source: "openssl"}, []string{"lib/apk/db/installed"}},
			{Package{Kind: kindAlpine, Name: "musl", Version: "1.2.5-r0", Architecture: "x86_64", License: "MIT"}, []string{"lib/apk/db/installed"}},
		}},
		"npm": {[]file{
			{path: "app/package.json", content: `{"name":"the-app","version":"1.0.0"}`},
			{path: "app/node_modules/ms/package.json", content: `{"name":"ms","version":"2.1.3","license":"MIT"}`},
			{path: "app/node_modules/debug/node_modules/ms/package.json", content: `{"name":"ms","version":"2.0.0","license":{"type":"MIT"}}`},
			{path: "app/node_modules/@medusajs/medusa/package.json", content: `{"name":"@medusajs/medusa","version":"2.21.2"}`},
			{path: "other/node_modules/ms/package.json", content: `{"name":"ms","version":"2.1.3","license":"MIT"}`},
			{path: "app/node_modules/ms/dist/package.json", content: `{"name":"no-package","version":"1.0.0"}`},
			{path: "app/node_modules/.bin/package.json", content: `{"name":"no-package","version":"1.0.0"}`},
			{path: "app/node_modules/broken/package.json", content: `{"name":`},
			{path: "app/node_modules/nameless/package.json", content: `{"type":"module"}`},
		}, []Located{
			{Package{Kind: kindNPM, Name: "@medusajs/medusa", Version: "2.21.2"}, []string{"app/node_modules/@medusajs/medusa/package.json"}},
			{Package{Kind: kindNPM, Name: "ms", Version: "2.0.0", License: "MIT"}, []string{"app/node_modules/debug/node_modules/ms/package.json"}},
			{Package{Kind: kindNPM, Name: "ms", Version: "2.1.3", License: "MIT"}, []string{"app/node_modules/ms/package.json", "other/node_modules/ms/package.json"}},
		}},
		"linked to where it matters, as by pnpm": {[]file{
			{path: "store/00/abc", content: `{"name":"ms","version":"2.1.3"}`},
			{path: "app/node_modules/.pnpm/ms@2.1.3/node_modules/ms/package.json=>store/00/abc"},
			{path: "app/node_modules/ms->.pnpm/ms@2.1.3/node_modules/ms"},
			{path: "other/node_modules/ms/package.json=>app/node_modules/.pnpm/ms@2.1.3/node_modules/ms/package.json"},
		}, []Located{
			{Package{Kind: kindNPM, Name: "ms", Version: "2.1.3"}, []string{"app/node_modules/.pnpm/ms@2.1.3/node_modules/ms/package.json"}},
		}},
		"programs that are none of Go's": {[]file{
			{path: "bin/script", mode: 0o755, content: "#!/bin/sh\n" + strings.Repeat("#", smallestGo)},
			{path: "bin/other", mode: 0o755, content: "\x7fELF" + strings.Repeat("\x00", smallestGo)},
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, take(t, pack(t, tc.files...)).Packages); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDistro(t *testing.T) {
	const release = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_ID='12'\n"
	for name, files := range map[string][]file{
		"as Debian has it":  {{path: "usr/lib/os-release", content: release}, {path: "etc/os-release->../usr/lib/os-release"}},
		"a file of its own": {{path: "etc/os-release", content: release}, {path: "usr/lib/os-release", content: "ID=other\n"}},
	} {
		want := Distro{ID: "debian", Version: "12", Name: "Debian GNU/Linux 12 (bookworm)"}
		if got := take(t, pack(t, files...)).Distro; got != want {
			t.Errorf("%s: %+v", name, got)
		}
	}
	rpm := take(t, pack(t, file{path: "var/lib/rpm/rpmdb.sqlite", content: "SQLite"}))
	if !slices.Equal(rpm.Unread, []string{"rpm"}) {
		t.Errorf("a database that is not read: %v", rpm.Unread)
	}
}

// TestLayers: what a container would see is listed, and nothing else.
func TestLayers(t *testing.T) {
	node := func(dir, version string) file {
		return file{path: dir + "/package.json", content: `{"name":"` + filepath.Base(dir) + `","version":"` + version + `"}`}
	}
	base := pack(t, node("app/node_modules/a", "1"), node("app/node_modules/b", "1"))
	for name, tc := range map[string]struct {
		above [][]byte
		want  []string
	}{
		"nothing above":             {nil, []string{"a@1", "b@1"}},
		"replaced":                  {[][]byte{pack(t, node("app/node_modules/a", "2"))}, []string{"a@2", "b@1"}},
		"replaced by no package":    {[][]byte{pack(t, file{path: "app/node_modules/a/package.json", content: "{}"})}, []string{"b@1"}},
		"file removed":              {[][]byte{pack(t, file{path: "app/node_modules/a/.wh.package.json"})}, []string{"b@1"}},
		"directory removed":         {[][]byte{pack(t, file{path: "app/node_modules/.wh.a"})}, []string{"b@1"}},
		"a whole tree removed":      {[][]byte{pack(t, file{path: ".wh.app"})}, []string{}},
		"directory made anew":       {[][]byte{pack(t, file{path: "app/node_modules/"}, file{path: "app/node_modules/.wh..wh..opq"}, node("app/node_modules/c", "1"))}, []string{"c@1"}},
		"everything made anew":      {[][]byte{pack(t, file{path: ".wh..wh..opq"}, node("app/node_modules/c", "1"))}, []string{"c@1"}},
		"directory is a link now":   {[][]byte{pack(t, file{path: "app/node_modules->/elsewhere"})}, []string{}},
		"file is a directory now":   {[][]byte{pack(t, file{path: "app/node_modules/a/package.json/"})}, []string{"b@1"}},
		"removed and back again":    {[][]byte{pack(t, file{path: "app/node_modules/.wh.a"}), pack(t, node("app/node_modules/a", "3"))}, []string{"a@3", "b@1"}},
		"back again and removed":    {[][]byte{pack(t, node("app/node_modules/a", "3")), pack(t, file{path: "app/.wh.node_modules"})}, []string{}},
		"another of the same name":  {[][]byte{pack(t, file{path: "app/.wh.node_module"}, file{path: "app/node_modules/.wh.ab"})}, []string{"a@1", "b@1"}},
		"removed below what is new": {[][]byte{pack(t, node("app/node_modules/a", "2"), file{path: "app/node_modules/.wh.a"})}, []string{"a@2", "b@1"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := names(take(t, append([][]byte{base}, tc.above...)...))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestCompression(t *testing.T) {
	raw := pack(t, file{path: "lib/apk/db/installed", content: apkInstalled})
	for name, layer := range map[string][]byte{"none": raw, "gzip": gzipped(t, raw), "zstd": zstandard(t, raw)} {
		if got := names(take(t, layer)); !slices.Equal(got, []string{"libssl3@3.3.1-r0", "musl@1.2.5-r0"}) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestGoProgram looks into a real one: this test.
func TestGoProgram(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(program, elf) {
		t.Skip("not an ELF machine")
	}
	inventory := take(t, gzipped(t, pack(t, file{path: "app", mode: 0o755, content: string(program)}, file{path: "data", content: string(program)})))
	version := strings.TrimPrefix(strings.Fields(runtime.Version())[0], "go")
	for _, want := range []Package{
		{Kind: kindGo, Name: "stdlib", Version: version},
		{Kind: kindGo, Name: "github.com/medusa-deploy/medusa-deploy", Program: true},
	} {
		found := slices.ContainsFunc(inventory.Packages, func(p Located) bool {
			return p.Package == want && slices.Equal(p.Paths, []string{"app"})
		})
		if !found {
			t.Errorf("%+v is not in %+v", want, inventory.Packages)
		}
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestModules(t *testing.T) {
	info := &debug.BuildInfo{
		GoVersion: "go1.26.8 X:greenteagc", Main: debug.Module{Path: "example.com/app", Version: "(devel)"},
		Deps: []*debug.Module{
			{Path: "github.com/spf13/cobra", Version: "v1.10.2"},
			{Path: "example.com/old", Version: "v1.0.0", Replace: &debug.Module{Path: "example.com/new", Version: "v2.0.0"}},
			{Path: "example.com/lib", Version: "v0.0.0", Replace: &debug.Module{Path: "../lib"}},
		},
	}
	want := []Package{
		{Kind: kindGo, Name: "example.com/app", Program: true}, {Kind: kindGo, Name: "stdlib", Version: "1.26.8"},
		{Kind: kindGo, Name: "github.com/spf13/cobra", Version: "v1.10.2"}, {Kind: kindGo, Name: "example.com/new", Version: "v2.0.0"},
		{Kind: kindGo, Name: "../lib"},
	}
	if diff := cmp.Diff(want, modules("bin/app", info)); diff != "" {
		t.Error(diff)
	}
	if got := modules("bin/app", &debug.BuildInfo{GoVersion: "go1.26.8"})[0].Name; got != "app" {
		t.Errorf("a program that names no module: %q", got)
	}
}

// TestBrokenConnections: a layer is read again when its connection breaks; a layer that is broken is an error.
func TestBrokenConnections(t *testing.T) {
	layer := gzipped(t, pack(t, file{path: "lib/apk/db/installed", content: apkInstalled}))
	var opened atomic.Int32
	broken := errors.New("connection reset")
	flaky := func(context.Context, Layer) (io.ReadCloser, error) {
		if opened.Add(1) < 3 {
			return io.NopCloser(io.MultiReader(bytes.NewReader(layer[:len(layer)/2]), iotest.ErrReader(broken))), nil
		}
		return io.NopCloser(bytes.NewReader(layer)), nil
	}
	inventory, err := Take(t.Context(), numbered(1), flaky)
	if err != nil || len(inventory.Packages) != 2 || opened.Load() != 3 {
		t.Errorf("%d packages after %d attempts, %v", len(inventory.Packages), opened.Load(), err)
	}
	_, err = Take(t.Context(), numbered(1), func(context.Context, Layer) (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(bytes.NewReader(layer), iotest.ErrReader(broken))), nil
	})
	if !errors.Is(err, broken) {
		t.Errorf("a layer that is not what its digest says, which shows at its end: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err = Take(ctx, numbered(1), func(ctx context.Context, _ Layer) (io.ReadCloser, error) {
		cancel()
		return nil, ctx.Err()
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

package nodebase

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// untar reads a layer: contents, or " -> " and the target of a link, by name.
func untar(t *testing.T, file string) map[string]string {
	t.Helper()
	in, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	zip, err := gzip.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for archive := tar.NewReader(zip); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		found[header.Name] = string(content)
		if header.Linkname != "" {
			found[header.Name] = " -> " + header.Linkname
		}
		if header.Uid != 0 || !header.ModTime.Equal(layerTime) {
			t.Errorf("%s belongs to %d and is of %s", header.Name, header.Uid, header.ModTime)
		}
	}
}

func TestWriteLayer(t *testing.T) {
	dir := t.TempDir()
	tree := filepath.Join(dir, "tree")
	if err := errors.Join(os.MkdirAll(filepath.Join(tree, "bin"), 0o700), os.WriteFile(filepath.Join(tree, "bin", "cli"), []byte("#!"), 0o700), os.Symlink("cli", filepath.Join(tree, "bin", "npm"))); err != nil {
		t.Fatal(err)
	}
	entries := []entry{{name: "etc/"}, {name: "etc/npmrc", content: []byte("x")}, {name: "bin/npm", link: "../opt/bin/cli"}, {name: "opt", from: tree}}
	var layers []string
	for _, name := range []string{"one", "two"} {
		file := filepath.Join(dir, name)
		if err := writeLayer(file, entries); err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		layers = append(layers, string(raw))
	}
	if layers[0] != layers[1] {
		t.Error("the same entries give other bytes")
	}
	want := map[string]string{"etc/": "", "etc/npmrc": "x", "bin/npm": " -> ../opt/bin/cli", "opt/": "", "opt/bin/": "", "opt/bin/cli": "#!", "opt/bin/npm": " -> cli"}
	if diff := cmp.Diff(want, untar(t, filepath.Join(dir, "one"))); diff != "" {
		t.Error(diff)
	}
}

// TestKeep: what was made is found again, other inputs are something else, and half-made results are not kept.
func TestKeep(t *testing.T) {
	var log strings.Builder
	s := &store{dir: filepath.Join(t.TempDir(), "cache"), log: &log}
	broken := errors.New("broken")
	if _, err := s.keep("node", "1", func(file string) error {
		if err := os.WriteFile(file, []byte("half"), 0o600); err != nil {
			return err
		}
		return broken
	}); !errors.Is(err, broken) || s.made != 0 {
		t.Errorf("%v, %d made", err, s.made)
	}
	made := 0
	keep := func(inputs string) string {
		path, err := s.keep("node", inputs, func(file string) error {
			made++
			return os.WriteFile(file, []byte(inputs), 0o600)
		})
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	one, again, two := keep("1"), keep("1"), keep("2")
	if one != again || one == two || made != 2 || s.made != 2 || strings.Count(log.String(), "\n") != 2 {
		t.Errorf("%s, %s, %s; %d made; log %q", one, again, two, made, log.String())
	}
	if left, err := filepath.Glob(filepath.Join(s.dir, "*")); err != nil || len(left) != 2 {
		t.Errorf("%v, %v", left, err)
	}
}

// TestMachine: what a RUN needs to reach the registry is in files for npm and Yarn; certificates only where there are any.
func TestMachine(t *testing.T) {
	plain := machine{registry: "https://npm.example.com/"}
	with := machine{registry: "https://npm.example.com/", settings: []string{"proxy=http://proxy.example.com:3128"}, certificates: []byte("PEM")}
	if plain.inputs() == with.inputs() {
		t.Error("two machines are one")
	}
	for name, c := range map[string]struct {
		m     machine
		npmrc string
		env   int
	}{
		"plain": {plain, "registry=https://npm.example.com/\n", 1},
		"with":  {with, "registry=https://npm.example.com/\nproxy=http://proxy.example.com:3128\ncafile=" + certificatesFile + "\n", 2},
	} {
		file := filepath.Join(t.TempDir(), "layer")
		if err := writeLayer(file, c.m.files()); err != nil {
			t.Fatal(err)
		}
		found := untar(t, file)
		if found["usr/local/etc/npmrc"] != c.npmrc || !strings.Contains(found["root/.yarnrc.yml"], `npmRegistryServer: "https://npm.example.com"`) {
			t.Errorf("%s: %q", name, found)
		}
		if _, there := found[strings.TrimPrefix(certificatesFile, "/")]; there != (c.m.certificates != nil) || len(c.m.environment()) != c.env {
			t.Errorf("%s: %q, %q", name, found, c.m.environment())
		}
	}
}

// TestLayout joins layers to an image and reads it again.
func TestLayout(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "layer")
	if err := writeLayer(file, []entry{{name: "a", content: []byte("a")}}); err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(dir, "image")
	if err := writeLayout(at, []string{file, file}, machine{registry: "https://npm.example.com/"}); err != nil {
		t.Fatal(err)
	}
	base, err := open(at)
	if err != nil {
		t.Fatal(err)
	}
	config, err := base.Image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if base.Bytes == 0 || config.OS != "linux" || !strings.Contains(strings.Join(config.Config.Env, "\n"), "NODE_VERSION="+nodeVersion) || config.Config.Labels["medusa-deploy.base"] == "" {
		t.Errorf("%d bytes, %+v", base.Bytes, config.Config)
	}
}

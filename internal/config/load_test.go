package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var update = flag.Bool("update", false, "write the expected messages of testdata/bad")

// environment is what the tests' files may refer to.
func environment(name string) (string, bool) {
	value, ok := map[string]string{
		"ECR_URL": "123456789012.dkr.ecr.eu-central-1.amazonaws.com",
		"EMPTY":   "",
	}[name]
	return value, ok
}

func samples(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples in %s (%v)", pattern, err)
	}
	return files
}

// TestBadFiles holds every bad file against the messages beside it; go test -update writes them.
func TestBadFiles(t *testing.T) {
	for _, path := range samples(t, "testdata/bad/*.yaml") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			_, err := Load(path, environment)
			var errs Errors
			if !errors.As(err, &errs) {
				t.Fatalf("Load = %v, want Errors", err)
			}
			got := strings.ReplaceAll(errs.Error(), path, filepath.Base(path)) + "\n"
			golden := strings.TrimSuffix(path, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
			checkErrors(t, path, errs)
		})
	}
}

// checkErrors holds what every error must have: a place in the file, a message, a hint.
func checkErrors(t *testing.T, path string, errs Errors) {
	t.Helper()
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimPrefix(string(source), "\ufeff"), "\n")
	if len(errs) == 0 {
		t.Error("an empty list of errors")
	}
	for _, e := range errs {
		if e.File != path || e.Message == "" || e.Hint == "" {
			t.Errorf("incomplete: %#v", e)
		}
		if e.Line < 1 || e.Line > len(lines) {
			t.Errorf("line %d is not in the file of %d lines: %s", e.Line, len(lines), e.Message)
			continue
		}
		if width := len([]rune(lines[e.Line-1])); e.Column < 1 || e.Column > width+1 {
			t.Errorf("column %d is not in line %d of %d characters: %s", e.Column, e.Line, width, e.Message)
		}
	}
}

func TestLoadFull(t *testing.T) {
	c, err := Load("testdata/good/full.yaml", environment)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.Abs("testdata/good")
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		File: "testdata/good/full.yaml", Dir: dir, App: "medusa",
		Image: Image{
			Repository: "shop/medusa",
			Context:    filepath.Dir(dir),
			Dockerfile: filepath.Join(dir, "docker/Dockerfile.prod"),
			Stage:      "production",
			Platforms:  []string{"linux/amd64", "linux/arm64"},
			Cache:      CacheDirectory,
			CacheDir:   filepath.Join(dir, ".cache/build"),
			Args:       map[string]string{"NODE_VERSION": "22", "FLAVOUR": "on", "PYTHON": "3.10"},
			Secrets:    []Secret{{ID: "npm_token", Env: "NPM_TOKEN"}, {ID: "npmrc", File: filepath.Join(dir, ".npmrc")}},
			SSH:        []SSH{{ID: "default", Path: filepath.Join(dir, "keys/id_ed25519")}},
			Contexts: map[string]string{
				"assets":  filepath.Join(filepath.Dir(dir), "assets"),
				"node:22": "docker-image://registry.example/node:22",
				"base":    "oci-layout://" + filepath.Join(dir, "base@sha256:"+strings.Repeat("0", 64)),
				"tools":   "https://github.com/acme/tools.git#v1",
			},
			Compression:  CompressionZstd,
			Reproducible: true,
			Prepare: &Prepare{
				Command: []string{"go", "build", "-ldflags=-s -w", "-o", "bin/app", "."},
				Env:     map[string]string{"CGO_ENABLED": "0"},
			},
			SBOM: true,
			Sign: &Sign{Key: filepath.Join(dir, "keys/cosign.key")},
		},
	}
	if diff := cmp.Diff(want, c, cmpopts.IgnoreUnexported(Config{})); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
	production, err := c.Target("production")
	if err != nil {
		t.Fatal(err)
	}
	wantTarget := Target{
		Name: "production", Region: "eu-central-1", Registry: "123456789012.dkr.ecr.eu-central-1.amazonaws.com",
		Cluster: "medusa-cluster", Services: []string{"medusa-server", "medusa-worker"}, Strategy: StrategyPinned, Timeout: 20 * time.Minute,
		Role: "arn:aws:iam::123456789012:role/deployer", Settle: 30 * time.Second, Order: OrderInTurn, GiveUpAfter: 3,
		Migrate: &Migrate{Command: []string{"npx", "medusa", "db:migrate"}, Expect: []string{"Migration scripts completed"}, Timeout: 5 * time.Minute},
		Definitions: map[string]Definition{
			"medusa-server": {filepath.Join(dir, "ecs/medusa-server.task-definition.json"), filepath.Join(dir, "ecs/medusa-server.service.json")},
			"medusa-worker": {filepath.Join(dir, "worker/task.json"), filepath.Join(dir, "worker/service.json")},
		},
		RequireSignature: &RequireSignature{
			Identity: "https://github.com/acme/shop/.github/workflows/deploy.yml@refs/heads/*", Issuer: "https://token.actions.githubusercontent.com",
			TrustedRoot: filepath.Join(dir, "sigstore/trusted_root.json"),
		},
	}
	if diff := cmp.Diff(wantTarget, production); diff != "" {
		t.Errorf("production (-want +got):\n%s", diff)
	}
	local, err := c.Target("local")
	if err != nil {
		t.Fatal(err)
	}
	if r := local.RequireSignature; r == nil || *r != (RequireSignature{Key: "env://COSIGN_PUBLIC_KEY"}) {
		t.Errorf("local requires %+v", r)
	}
	if !local.Local || local.Cluster != "shop" || local.Timeout != 90*time.Second || local.Migrate.Timeout != DefaultMigrateTimeout {
		t.Errorf("local = %+v", local)
	}
}

func TestAgentsOfTheEnvironment(t *testing.T) {
	c, err := Load("testdata/good/agents.yaml", environment)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]SSH{{ID: "default"}, {ID: "github"}}, c.Image.SSH); diff != "" || c.Image.Cache != CacheGHA || c.Image.CacheDir != "" {
		t.Errorf("cache %q in %q, agents (-want +got):\n%s", c.Image.Cache, c.Image.CacheDir, diff)
	}
}

func TestLoadDefaults(t *testing.T) {
	for _, path := range []string{"testdata/good/smallest.yaml", "testdata/good/local-empty.yaml"} {
		c, err := Load(path, environment)
		if err != nil {
			t.Fatal(err)
		}
		want := Image{
			Repository: c.App, Context: c.Dir, Dockerfile: filepath.Join(c.Dir, "Dockerfile"),
			Platforms: []string{"linux/amd64"}, Cache: CacheRegistry, Provenance: true, Compression: CompressionGzip,
		}
		if diff := cmp.Diff(want, c.Image); diff != "" {
			t.Errorf("%s: image (-want +got):\n%s", path, diff)
		}
		local, err := c.Target("")
		if err != nil {
			t.Fatal(err)
		}
		wantLocal := Target{
			Name: "local", Local: true, Region: "us-east-1", Cluster: "medusa-cluster", Services: []string{"medusa-service"},
			Strategy: StrategyLatest, Timeout: 15 * time.Minute, Order: OrderTogether, GiveUpAfter: 2,
			Definitions: map[string]Definition{
				"medusa-service": {filepath.Join(c.Dir, "ecs/task-definition.json"), filepath.Join(c.Dir, "ecs/service.json")},
			},
		}
		if diff := cmp.Diff(wantLocal, local); diff != "" {
			t.Errorf("%s: local (-want +got):\n%s", path, diff)
		}
	}
}

func TestLoadByteOrderMarkAndCRLF(t *testing.T) {
	c, err := Load("testdata/good/windows.yaml", environment)
	if err != nil {
		t.Fatal(err)
	}
	if c.App != "shop" || !cmp.Equal(c.Image.Platforms, []string{"linux/arm64"}) {
		t.Errorf("got %+v", c)
	}
}

// TestDockerfileOfContext: the default Dockerfile is the context's own.
func TestDockerfileOfContext(t *testing.T) {
	path := write(t, "app: shop\nimage: {context: backend}\n")
	c, err := Load(path, environment)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(filepath.Dir(path), "backend", "Dockerfile"); c.Image.Dockerfile != want {
		t.Errorf("Dockerfile = %s, want %s", c.Image.Dockerfile, want)
	}
}

func TestUnreadableFiles(t *testing.T) {
	dir := t.TempDir()
	big := filepath.Join(dir, "big.yaml")
	if err := os.WriteFile(big, make([]byte, maxSize+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "absent.yaml"): "no such file\n  write one beside your Dockerfile; the smallest that works is one line, and deploys to the local AWS:\n    app: my-app",
		dir:                               "is a directory",
		big:                               "is 65537 bytes long, a config file has at most 65536",
	} {
		_, err := Load(path, environment)
		var errs Errors
		if !errors.As(err, &errs) || !strings.HasPrefix(err.Error(), path+": "+want) {
			t.Errorf("Load(%s) = %v, want %q", path, err, want)
		}
	}
}

// write makes a config file.
func write(t *testing.T, source string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), FileName)
	if err := os.WriteFile(path, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// FuzzLoad: nothing makes Load panic, and every complaint has a place in the file.
func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"testdata/bad/*.yaml", "testdata/good/*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range files {
			source, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(source)
		}
	}
	path := filepath.Join(f.TempDir(), FileName)
	f.Fuzz(func(t *testing.T, source []byte) {
		if len(source) > maxSize {
			t.Skip("refused by its size")
		}
		if err := os.WriteFile(path, source, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(path, environment)
		if err == nil {
			if c.App == "" || len(c.Image.Platforms) == 0 {
				t.Errorf("accepted, but incomplete: %+v", c)
			}
			return
		}
		var errs Errors
		if !errors.As(err, &errs) {
			t.Fatalf("Load = %v, want Errors", err)
		}
		checkErrors(t, path, errs)
	})
}

// TestSigning: the two ways to sign without a key, and what is on when nothing is said.
func TestSigning(t *testing.T) {
	dir, err := filepath.Abs("testdata/good")
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]Image{
		"smallest.yaml":     {Provenance: true},
		"keyless.yaml":      {Provenance: true, Sign: &Sign{}},
		"own-instance.yaml": {Provenance: true, Sign: &Sign{SigningConfig: filepath.Join(dir, "sigstore/signing_config.json"), TrustedRoot: filepath.Join(dir, "sigstore/trusted_root.json")}},
	} {
		c, err := Load("testdata/good/"+file, environment)
		if err != nil {
			t.Fatal(err)
		}
		got := Image{Provenance: c.Image.Provenance, SBOM: c.Image.SBOM, Sign: c.Image.Sign}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
}

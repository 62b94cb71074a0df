package sbom

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

var about = About{
	Repository: "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/medusa", Digest: "sha256:" + strings.Repeat("ab", 32), Architecture: "arm64",
	Tool: "medusa-deploy", ToolVersion: "v1.2.3", Serial: "3e671687-395b-41f5-a30f-a58921a69b79", Time: time.Date(2026, 3, 4, 5, 6, 7, 8, time.UTC),
}

func write(t *testing.T, i Inventory) []byte {
	t.Helper()
	raw, err := i.CycloneDX(about)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestPackageURLs(t *testing.T) {
	debian := Distro{ID: "debian", Version: "12"}
	for _, tc := range []struct {
		p    Package
		d    Distro
		want string
	}{
		{Package{Kind: kindDebian, Name: "libc6", Version: "2.36-9+deb12u7", Architecture: "amd64", Source: "glibc"}, debian,
			"pkg:deb/debian/libc6@2.36-9%2Bdeb12u7?arch=amd64&distro=debian-12&upstream=glibc"},
		{Package{Kind: kindDebian, Name: "tzdata", Version: "1"}, Distro{}, "pkg:deb/debian/tzdata@1"},
		{Package{Kind: kindAlpine, Name: "musl", Version: "1.2.5-r0", Architecture: "x86_64"}, Distro{ID: "alpine", Version: "3.20.1"},
			"pkg:apk/alpine/musl@1.2.5-r0?arch=x86_64&distro=alpine-3.20.1"},
		{Package{Kind: kindNPM, Name: "@medusajs/medusa", Version: "2.21.2"}, debian, "pkg:npm/%40medusajs/medusa@2.21.2"},
		{Package{Kind: kindNPM, Name: "ms", Version: "2.1.3"}, debian, "pkg:npm/ms@2.1.3"},
		{Package{Kind: kindGo, Name: "github.com/spf13/cobra", Version: "v1.10.2"}, debian, "pkg:golang/github.com/spf13/cobra@v1.10.2"},
		{Package{Kind: kindGo, Name: "stdlib", Version: "1.26.8"}, debian, "pkg:golang/stdlib@1.26.8"},
		{Package{Kind: kindGo, Name: "example.com/app"}, debian, "pkg:golang/example.com/app"},
	} {
		if got := tc.p.url(tc.d); got != tc.want {
			t.Errorf("%+v: %s, want %s", tc.p, got, tc.want)
		}
	}
}

// TestDocument: the document is what CycloneDX 1.6 asks for, and says what is known.
func TestDocument(t *testing.T) {
	inventory := take(t, pack(t,
		file{path: "etc/os-release", content: "ID=debian\nVERSION_ID=12\nPRETTY_NAME=Debian\n"}, file{path: "var/lib/dpkg/status", content: dpkgStatus},
		file{path: "lib/apk/db/installed", content: apkInstalled},
		file{path: "a/node_modules/ms/package.json", content: `{"name":"ms","version":"2.1.3","license":"MIT"}`},
		file{path: "b/node_modules/ms/package.json", content: `{"name":"ms","version":"2.1.3","license":"(MIT OR Apache-2.0)"}`},
		file{path: "var/lib/rpm/rpmdb.sqlite"},
	))
	for name, i := range map[string]Inventory{"full": inventory, "empty": {}} {
		if err := validate(t, write(t, i)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	var got struct {
		SpecVersion, SerialNumber string
		Metadata                  struct {
			Timestamp  string
			Component  struct{ Type, Name, Version, Purl string }
			Properties []struct{ Name, Value string }
		}
		Components []struct {
			Type, Name, Purl string
			Evidence         struct{ Occurrences []struct{ Location string } }
		}
		Compositions []struct{ Aggregate string }
	}
	if err := json.Unmarshal(write(t, inventory), &got); err != nil {
		t.Fatal(err)
	}
	if got.SpecVersion != "1.6" || got.SerialNumber != "urn:uuid:"+about.Serial || got.Metadata.Timestamp != "2026-03-04T05:06:07Z" {
		t.Errorf("%+v", got)
	}
	want := "pkg:oci/medusa@sha256:" + strings.Repeat("ab", 32) + "?arch=arm64&repository_url=123456789012.dkr.ecr.eu-central-1.amazonaws.com%2Fshop%2Fmedusa"
	if c := got.Metadata.Component; c.Type != "container" || c.Version != about.Digest || c.Purl != want {
		t.Errorf("component %+v, want %s", c, want)
	}
	if len(got.Compositions) != 1 || got.Compositions[0].Aggregate != "incomplete" || len(got.Metadata.Properties) != 1 || got.Metadata.Properties[0].Value != "rpm" {
		t.Errorf("it must not claim to be complete: %+v %+v", got.Compositions, got.Metadata.Properties)
	}
	listed := []string{}
	for _, c := range got.Components {
		listed = append(listed, c.Type+" "+c.Name)
	}
	if diff := cmp.Diff([]string{"operating-system debian", "library libssl3", "library musl", "library libc6", "library tzdata", "library ms", "library ms"}, listed); diff != "" {
		t.Error(diff)
	}
	if o := got.Components[5].Evidence.Occurrences; len(o) != 1 || o[0].Location != "/b/node_modules/ms/package.json" && o[0].Location != "/a/node_modules/ms/package.json" {
		t.Errorf("occurrences %+v", o)
	}
}

// validate holds a document against CycloneDX's own schema, which the library carries.
func validate(t *testing.T, document []byte) error {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	const base = "http://cyclonedx.org/schema/"
	for name, path := range map[string]string{
		"bom-1.6.schema.json": "bom-1.6.schema.json", "spdx.schema.json": "spdx.schema.json", "jsf-0.82.schema.json": "jsf-0.82.schemax.json",
	} {
		raw, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "schema", path))
		if err != nil {
			t.Fatal(err)
		}
		schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		if err := compiler.AddResource(base+name, schema); err != nil {
			t.Fatal(err)
		}
	}
	schema, err := compiler.Compile(base + "bom-1.6.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

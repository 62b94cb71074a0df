package examples

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/medusa-deploy/medusa-deploy/internal/scaffold"
)

var update = flag.Bool("update", false, "write the shop's Dockerfile and what belongs to it anew")

// TestMedusaImageIsWhatInitWrites: what the tests build is what `medusa-deploy init` gives everybody.
func TestMedusaImageIsWhatInitWrites(t *testing.T) {
	app, err := scaffold.Detect("medusa", "")
	if err != nil {
		t.Fatal(err)
	}
	c := load(t, "medusa")
	files, err := scaffold.Image(scaffold.Options{App: app, Name: c.App, Platform: c.Image.Platforms[0]})
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		path := filepath.Join("medusa", file.Path)
		if *update {
			if err := os.WriteFile(path, file.Content, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(file.Content), string(got)); diff != "" {
			t.Errorf("examples/%s is not what init writes; if it should be: go test ./examples -run Medusa -update (-init +example)\n%s", path, diff)
		}
	}
}

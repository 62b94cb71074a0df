package examples

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/medusa-deploy/medusa-deploy/internal/scaffold"
)

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
		got, err := os.ReadFile(filepath.Join("medusa", file.Path))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(file.Content), string(got)); diff != "" {
			t.Errorf("examples/medusa/%s is not what init writes (-init +example):\n%s", file.Path, diff)
		}
	}
}

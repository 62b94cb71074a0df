package cli

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/config"
)

// TestPrepareGetsNoKey: what runs before the build needs no signing key.
func TestPrepareGetsNoKey(t *testing.T) {
	environment := []string{"PATH=/bin", "SIGNING_KEY=canary", "SIGNING_KEY_ID=1"}
	for name, tc := range map[string]struct {
		sign *config.Sign
		want []string
	}{
		"unsigned":       {nil, environment},
		"keyless":        {&config.Sign{}, environment},
		"key in a file":  {&config.Sign{Key: "/src/SIGNING_KEY"}, environment},
		"in a variable":  {&config.Sign{Key: "env://SIGNING_KEY"}, []string{"PATH=/bin", "SIGNING_KEY_ID=1"}},
		"in another one": {&config.Sign{Key: "env://OTHER"}, environment},
	} {
		if got := withoutKey(slices.Clone(environment), tc.sign); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}

func TestPublicHalf(t *testing.T) {
	dir := t.TempDir()
	public := filepath.Join(dir, "cosign.pub")
	if err := os.WriteFile(public, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]bool{
		filepath.Join(dir, "cosign.key"): true, filepath.Join(dir, "cosign"): true, filepath.Join(dir, "other.key"): false, "env://KEY": false, "": false,
	} {
		if got, ok := publicHalf(&config.Sign{Key: key}); ok != want || ok && got != public {
			t.Errorf("%q: %s, %v", key, got, ok)
		}
	}
	if _, ok := publicHalf(nil); ok {
		t.Error("nothing signs, and there is a public half")
	}
}

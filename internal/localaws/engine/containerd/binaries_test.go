package containerd

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeBinaries fills a directory with executables of the right names.
func fakeBinaries(t *testing.T, dir string, without ...string) string {
	t.Helper()
	for _, name := range binaryNames() {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, nil, 0o700); err != nil { // it stands for an executable
			t.Fatal(err)
		}
	}
	for _, name := range without {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFindBinaries(t *testing.T) {
	whole := fakeBinaries(t, t.TempDir())
	part := fakeBinaries(t, t.TempDir(), "runc", "cni/bridge")
	if got, err := FindBuildKit(fakeBinaries(t, t.TempDir(), "containerd", "cni/bridge")); err != nil {
		t.Errorf("BuildKit alone: %q, %v", got, err)
	}
	if _, err := FindBuildKit(part); !errors.Is(err, ErrNoBinaries) {
		t.Errorf("BuildKit without runc: %v", err)
	}
	for _, c := range []struct {
		name, explicit, variable string
		want                     string
		errs                     []string
	}{
		{name: "explicit", explicit: whole, variable: part, want: whole},
		{name: "variable", variable: whole, want: whole},
		{name: "explicit but incomplete", explicit: part, variable: whole, errs: []string{part, "runc, cni/bridge", "make engine"}},
		{name: "variable but incomplete", variable: part, errs: []string{BinariesVariable, part, "make engine"}},
		{name: "nowhere", errs: []string{"looked in", "engine", filepath.Join("libexec", "medusa-deploy"), "make engine"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv(BinariesVariable, c.variable)
			got, err := FindBinaries(c.explicit)
			if got != c.want || (err == nil) != (c.want != "") {
				t.Fatalf("= %q, %v", got, err)
			}
			if c.want == "" && !errors.Is(err, ErrNoBinaries) {
				t.Errorf("err = %v, want ErrNoBinaries", err)
			}
			for _, part := range c.errs {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error lacks %q: %v", part, err)
				}
			}
		})
	}
}

func TestDefaultPlaces(t *testing.T) {
	beside := t.TempDir()
	exe := filepath.Join(beside, "bin", "medusa-deploy")
	libexec := fakeBinaries(t, filepath.Join(beside, "libexec", "medusa-deploy"))
	if got, err := firstComplete(defaultPlaces(exe), binaryNames()); err != nil || got != libexec {
		t.Errorf("= %q, %v; want %q", got, err, libexec)
	}
	near := fakeBinaries(t, filepath.Join(beside, "bin", "engine"))
	if got, err := firstComplete(defaultPlaces(exe), binaryNames()); err != nil || got != near {
		t.Errorf("= %q, %v; want %q", got, err, near)
	}
}

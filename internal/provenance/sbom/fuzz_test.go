package sbom

import (
	"bytes"
	"testing"
)

// FuzzLayer: whatever a layer holds, it is read or refused, and what is listed has a name.
func FuzzLayer(f *testing.F) {
	whole := pack(f, file{path: "var/lib/dpkg/status", content: dpkgStatus}, file{path: "a/.wh..wh..opq"}, file{path: "x/node_modules/y/package.json=>z"})
	f.Add(whole)
	f.Add(gzipped(f, whole))
	f.Add(zstandard(f, whole))
	f.Add([]byte{0x1f, 0x8b})
	f.Fuzz(func(t *testing.T, layer []byte) {
		inventory, err := Take(t.Context(), numbered(1), from([][]byte{layer}))
		if err != nil {
			return
		}
		for _, p := range inventory.Packages {
			if p.Name == "" || p.Kind == "" || len(p.Paths) == 0 {
				t.Errorf("incomplete: %+v", p)
			}
		}
	})
}

// FuzzDatabases: whatever the files of package managers hold, the document can be written.
func FuzzDatabases(f *testing.F) {
	f.Add([]byte(dpkgStatus), []byte(apkInstalled), []byte(`{"name":"a","version":"1","license":{"type":"MIT"}}`), []byte("ID=debian\n"))
	f.Fuzz(func(t *testing.T, dpkg, apk, npm, release []byte) {
		all := map[string]finding{}
		for _, one := range []struct {
			name    string
			read    reader
			content []byte
		}{{"dpkg", readDebian, dpkg}, {"apk", readAlpine, apk}, {"npm", readNode, npm}, {"etc/os-release", readRelease, release}} {
			found, err := one.read(one.name, bytes.NewReader(one.content))
			if err != nil {
				t.Fatalf("%s: %v", one.name, err)
			}
			all[one.name] = found
		}
		if _, err := gather(all).CycloneDX(about); err != nil {
			t.Error(err)
		}
	})
}

package blob

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPutAndRead(t *testing.T) {
	s := open(t, t.TempDir())
	content := []byte("hello")
	digest := DigestOf(content)
	for range 2 { // the second time it is there
		if err := s.Put(digest, content); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Read(digest)
	if err != nil || string(got) != "hello" {
		t.Errorf("read %q, %v", got, err)
	}
	f, size, err := s.Open(digest)
	if err != nil || size != 5 {
		t.Fatalf("size %d, %v", size, err)
	}
	defer f.Close()
	if got, err := io.ReadAll(f); err != nil || string(got) != "hello" {
		t.Errorf("read %q, %v", got, err)
	}
	wantFiles(t, s, 1, 0, 0)
}

func TestMissingBlob(t *testing.T) {
	s := open(t, t.TempDir())
	digest := DigestOf([]byte("nothing"))
	if _, err := s.Read(digest); !errors.Is(err, ErrNotFound) {
		t.Errorf("Read: %v", err)
	}
	if _, _, err := s.Open(digest); !errors.Is(err, ErrNotFound) {
		t.Errorf("Open: %v", err)
	}
	if err := s.Remove(digest); err != nil {
		t.Errorf("Remove: %v", err)
	}
}

func TestEachAndRemove(t *testing.T) {
	s := open(t, t.TempDir())
	var want []Digest
	for _, text := range []string{"a", "b", "c"} {
		digest := DigestOf([]byte(text))
		if err := s.Put(digest, []byte(text)); err != nil {
			t.Fatal(err)
		}
		want = append(want, digest)
	}
	if err := s.Remove(want[0]); err != nil {
		t.Fatal(err)
	}
	var got []Digest
	if err := s.Each(func(d Digest) error { got = append(got, d); return nil }); err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	want = want[1:]
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	stop := errors.New("stop")
	if err := s.Each(func(Digest) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("Each went on: %v", err)
	}
}

func TestOpenRemovesWhatADeadProcessLeft(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if err := os.WriteFile(filepath.Join(s.tempDir(), "put-1"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantFiles(t, open(t, dir), 0, 0, 0)
}

func TestParseDigest(t *testing.T) {
	hex64 := strings.Repeat("0a", 32)
	for text, ok := range map[string]bool{
		"sha256:" + hex64: true, "sha512:" + hex64 + hex64: true,
		"": false, "sha256": false, "sha256:": false, "sha256:" + hex64[1:]: false, "sha256:" + strings.ToUpper(hex64): false,
		"md5:" + hex64[:32]: false, "sha256:" + hex64[2:] + "..": false, "sha512:" + hex64: false, hex64: false,
	} {
		d, err := ParseDigest(text)
		if (err == nil) != ok || err != nil && !errors.Is(err, ErrInvalidDigest) || ok && string(d) != text {
			t.Errorf("%q: %q, %v", text, d, err)
		}
	}
}

func TestDigestMatches(t *testing.T) {
	const sha512OfHi = "sha512:150a14ed5bea6cc731cf86c41566ac427a8db48ef1b9fd626664b3bfbb99071fa4c922f33dde38719b8c8354e2b7ab9d77e0e67fc12843920a712e73d558e197"
	d, err := ParseDigest(sha512OfHi)
	if err != nil || !d.Matches([]byte("hi")) || d.Matches([]byte("ho")) {
		t.Errorf("sha512: %v", err)
	}
	if !DigestOf([]byte("hi")).Matches([]byte("hi")) || DigestOf([]byte("hi")).Matches(nil) {
		t.Error("sha256")
	}
	if Digest("nonsense").Matches(nil) {
		t.Error("nonsense matches")
	}
}

// FuzzParseDigest: what passes must be safe as a file name.
func FuzzParseDigest(f *testing.F) {
	f.Add("sha256:" + strings.Repeat("0", 64))
	f.Add("sha256:../../../../etc/passwd")
	s := &Store{dir: "/d"}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ParseDigest(text)
		if err != nil {
			return
		}
		if path := s.path(d); !strings.HasPrefix(filepath.Clean(path), "/d/blobs/sha") || filepath.Base(path) != d.Hex() {
			t.Errorf("%q is stored at %s", text, path)
		}
	})
}

// wantFiles counts what is on disk.
func wantFiles(t *testing.T, s *Store, blobs, uploads, temps int) {
	t.Helper()
	count := func(pattern string) int {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		return len(paths)
	}
	got := [3]int{count(filepath.Join(s.dir, "blobs", "*", "*", "*")), count(filepath.Join(s.uploadDir(), "*")), count(filepath.Join(s.tempDir(), "*"))}
	if got != [3]int{blobs, uploads, temps} {
		t.Errorf("blobs, uploads, temporary files: got %v, want %d %d %d", got, blobs, uploads, temps)
	}
}

package build

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tonistiigi/fsutil"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// notices are the warnings that walking a directory gives, as the daemon would have it walked.
func notices(t *testing.T, dir string, walks int, opt fsutil.FilterOpt) []string {
	t.Helper()
	var said []string
	w := newWeight(func(e release.Event) {
		if n, ok := e.(release.Notice); ok {
			said = append(said, n.Text)
		}
	})
	files, err := directory(dir, time.Unix(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.filter()(contextMount, &opt); err != nil {
		t.Fatal(err)
	}
	asked, err := fsutil.NewFilterFS(weighed{files, w}, &opt)
	if err != nil {
		t.Fatal(err)
	}
	for range walks {
		if err := asked.Walk(t.Context(), "", func(_ string, _ fs.DirEntry, err error) error { return err }); err != nil {
			t.Fatal(err)
		}
	}
	return said
}

// hollow writes a file of a size that takes no room.
func hollow(t *testing.T, path string, size int64) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(file.Truncate(size), file.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestWeight(t *testing.T) {
	dir := t.TempDir()
	hollow(t, filepath.Join(dir, "node_modules/a/index.js"), 3<<30)
	hollow(t, filepath.Join(dir, "node_modules/b/index.js"), 1<<30)
	hollow(t, filepath.Join(dir, "dump.sql"), 1<<30)
	hollow(t, filepath.Join(dir, "src/index.ts"), 1<<10)
	said := notices(t, dir, 2, fsutil.FilterOpt{})
	want := "the build context is large: the builder is sent 5369 MB in 4 files, as far as it lacks them; the most is in node_modules (4295 MB), dump.sql (1074 MB), src (1 MB)\n  name in .dockerignore what the Dockerfile does not need"
	if len(said) != 1 || said[0] != want {
		t.Errorf("got  %q\nwant %q", said, want)
	}
	// What is ignored, or not copied, is no matter.
	for _, opt := range []fsutil.FilterOpt{{ExcludePatterns: []string{"node_modules", "*.sql"}}, {FollowPaths: []string{"src"}}} {
		if said := notices(t, dir, 1, opt); len(said) > 0 {
			t.Errorf("%+v: %q", opt, said)
		}
	}
}

func TestManyFiles(t *testing.T) {
	w := newWeight(func(e release.Event) { t.Logf("%v", e) })
	for range 2 { // a walk begins anew
		for range heavyFiles {
			w.files++
		}
		w.walked()
	}
	if w.told {
		t.Error("two walks count as one")
	}
	w.files = heavyFiles + 1
	if w.walked(); !w.told {
		t.Error("nobody was told of many files")
	}
}

func BenchmarkWalk(b *testing.B) {
	dir := b.TempDir()
	for i := range 100 {
		sub := filepath.Join(dir, fmt.Sprint(i))
		if err := os.Mkdir(sub, 0o755); err != nil {
			b.Fatal(err)
		}
		for n := range 100 {
			if err := os.WriteFile(filepath.Join(sub, fmt.Sprint(n)), []byte(strings.Repeat("x", n)), 0o600); err != nil {
				b.Fatal(err)
			}
		}
	}
	for name, counted := range map[string]bool{"plain": false, "weighed": true} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				files, err := directory(dir, time.Unix(1, 0))
				if err != nil {
					b.Fatal(err)
				}
				var opt fsutil.FilterOpt
				if counted {
					w := newWeight(func(release.Event) {})
					files = weighed{files, w}
					if err := w.filter()(contextMount, &opt); err != nil {
						b.Fatal(err)
					}
				}
				asked, err := fsutil.NewFilterFS(files, &opt)
				if err != nil {
					b.Fatal(err)
				}
				if err := asked.Walk(b.Context(), "", func(_ string, _ fs.DirEntry, err error) error { return err }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

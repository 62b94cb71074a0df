package check

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/patternmatcher"
)

// plant makes files in a new directory.
func plant(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// anApp is what a work tree looks like.
func anApp() map[string]string {
	return map[string]string{
		"package.json": "{}", "src/a.ts": "12345", "src/deep/b.ts": "123", ".git/HEAD": "ref", ".git/objects/1": "1234567890",
		"node_modules/x/index.js": "1", "node_modules/x/node_modules/y/index.js": "1", "packages/p/node_modules/z.js": "1",
	}
}

func TestContext(t *testing.T) {
	for name, tc := range map[string]struct {
		ignore   string // .dockerignore, which is a file of the context itself
		own      string // ignore file of the Dockerfile itself, which lies elsewhere
		sources  string
		files    int
		bytes    int64 // 0: not looked at
		unneeded []string
	}{
		"everything":             {sources: ".", files: 8, bytes: 26, unneeded: []string{".git", "node_modules", "packages/p/node_modules"}},
		"everything by *":        {sources: "*", files: 8, bytes: 26, unneeded: []string{".git", "node_modules", "packages/p/node_modules"}},
		"nothing":                {files: 0},
		"a file":                 {sources: "package.json", files: 1, bytes: 2},
		"a pattern":              {sources: "pack*.json", files: 1, bytes: 2},
		"a folder":               {sources: "src", files: 2, bytes: 8},
		"a folder in a folder":   {sources: "src/deep", files: 1, bytes: 3},
		"two that overlap":       {sources: "src/deep src", files: 2, bytes: 8},
		"asked for by name":      {sources: "node_modules src", files: 4, bytes: 10},
		"everything, ignored":    {sources: ".", ignore: ".git\n**/node_modules\n", files: 4},
		"only the first level":   {sources: ".", ignore: "node_modules\n.git", files: 5, unneeded: []string{"packages/p/node_modules"}},
		"all but one":            {sources: ".", ignore: "*\n!src/deep", files: 1, bytes: 3},
		"all but a pattern":      {sources: ".", ignore: "*\n!**/*.ts", files: 2, bytes: 8},
		"the Dockerfile's own":   {sources: ".", ignore: "src", own: "*\n!package.json", files: 1, bytes: 2},
		"a comment and a blank":  {sources: ".", ignore: "# all\n\n*\n", files: 0},
		"a parent of a source":   {sources: "src/deep", ignore: "src", files: 0},
		"an ignored file inside": {sources: "src", ignore: "**/b.ts", files: 1, bytes: 5},
	} {
		t.Run(name, func(t *testing.T) {
			dir, elsewhere := plant(t, anApp()), t.TempDir()
			for file, content := range map[string]string{filepath.Join(dir, ".dockerignore"): tc.ignore, filepath.Join(elsewhere, "Dockerfile.dockerignore"): tc.own} {
				if content == "" {
					continue
				}
				if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var wanted []source
			for _, s := range strings.Fields(tc.sources) {
				wanted = append(wanted, parseSource(s))
			}
			got, err := lookAtContext(t.Context(), dir, filepath.Join(elsewhere, "Dockerfile"), wanted)
			if err != nil {
				t.Fatal(err)
			}
			if got.files != tc.files || tc.bytes > 0 && got.bytes != tc.bytes {
				t.Errorf("%d files, %d bytes; want %d, %d", got.files, got.bytes, tc.files, tc.bytes)
			}
			if diff := cmp.Diff(tc.unneeded, got.unneeded); diff != "" {
				t.Error(diff)
			}
			if (got.ignoreFile != "") != (tc.ignore+tc.own != "") {
				t.Errorf("ignore file = %q", got.ignoreFile)
			}
		})
	}
}

func TestContextThatCannotBeRead(t *testing.T) {
	dir := plant(t, map[string]string{".dockerignore": "[a-\n"})
	_, err := lookAtContext(t.Context(), dir, filepath.Join(dir, "Dockerfile"), nil)
	var wrong *ignoreError
	if !errors.As(err, &wrong) || wrong.path != filepath.Join(dir, ".dockerignore") {
		t.Errorf("error = %v", err)
	}
	none := filepath.Join(dir, "none")
	if _, err := lookAtContext(t.Context(), none, filepath.Join(dir, "Dockerfile"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error = %v", err)
	}
}

// TestContextIsCutShort: counting has an end.
func TestContextIsCutShort(t *testing.T) {
	dir := plant(t, anApp())
	ignored, _, err := readIgnore(dir, filepath.Join(dir, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	for _, limit := range []int{1, 5, 8} { // there are 8 files, in more directories
		w := &walker{ctx: t.Context(), root: dir, ignored: ignored, wanted: []source{nil}, limit: limit, found: contextFiles{parts: map[string]*part{}}}
		if err := w.directory("", patternmatcher.MatchInfo{}, false); !errors.Is(err, errCutShort) || w.found.files > limit {
			t.Errorf("limit %d: %d files, %v", limit, w.found.files, err)
		}
	}
}

func TestLargest(t *testing.T) {
	c := contextFiles{parts: map[string]*part{}}
	for name, bytes := range map[string]int64{"a": 1, "b": 5, "c": 3, "d": 4, ".": 5} {
		c.parts[name] = &part{name: name, bytes: bytes, files: 1}
	}
	var names []string
	for _, p := range c.largest() {
		names = append(names, p.name)
	}
	if diff := cmp.Diff([]string{".", "b", "d"}, names); diff != "" {
		t.Error(diff)
	}
}

package git

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// isolate keeps the machine's git configuration, and the workflow that runs the tests, out of them.
func isolate(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	for _, name := range []string{"GITHUB_ACTIONS", "GITHUB_SHA", "GITHUB_REF_NAME", "GITHUB_REF_TYPE", "GITHUB_HEAD_REF"} {
		t.Setenv(name, "")
	}
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	t.Setenv("GIT_CONFIG_SYSTEM", os.DevNull)
	t.Setenv("GIT_CEILING_DIRECTORIES", os.TempDir())
	t.Setenv("GIT_AUTHOR_NAME", "Ada")
	t.Setenv("GIT_AUTHOR_EMAIL", "ada@example.com")
	t.Setenv("GIT_AUTHOR_DATE", "2026-01-02T03:04:05+01:00")
	t.Setenv("GIT_COMMITTER_NAME", "Bob")
	t.Setenv("GIT_COMMITTER_EMAIL", "bob@example.com")
	t.Setenv("GIT_COMMITTER_DATE", "2026-02-03T04:05:06+02:00")
}

// repository makes an empty repository on branch main.
func repository(t *testing.T) string {
	t.Helper()
	isolate(t)
	dir := t.TempDir()
	git(t, dir, "init", "-q", "-b", "main")
	return dir
}

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	command := exec.Command("git", append([]string{"-C", dir}, args...)...)
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func put(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// commit commits everything and gives the sha.
func commit(t *testing.T, dir, message string) string {
	t.Helper()
	git(t, dir, "add", "-A")
	git(t, dir, "commit", "-q", "--allow-empty", "-m", message)
	return git(t, dir, "rev-parse", "HEAD")
}

func TestDescribe(t *testing.T) {
	dir := repository(t)
	put(t, filepath.Join(dir, "app", "main.txt"), "1")
	sha := commit(t, dir, "grüße: \"quoted\"\n\nand a body")
	git(t, dir, "remote", "add", "upstream", "https://example.com/up.git")
	git(t, dir, "remote", "add", "origin", "https://user:secret@example.com/shop.git")
	got, err := Describe(t.Context(), filepath.Join(dir, "app"))
	if err != nil {
		t.Fatal(err)
	}
	want := release.Commit{
		SHA: sha, Branch: "main", Subject: `grüße: "quoted"`, Author: "Ada",
		Time: time.Date(2026, 2, 3, 2, 5, 6, 0, time.UTC), Remote: "https://example.com/shop.git",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDirty(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(t *testing.T, dir string)
		want   bool
	}{
		"nothing":              {func(*testing.T, string) {}, false},
		"only ignored files":   {func(t *testing.T, dir string) { put(t, filepath.Join(dir, "bin", "x"), "x") }, false},
		"same content, again":  {func(t *testing.T, dir string) { put(t, filepath.Join(dir, "file"), "1") }, false},
		"changed":              {func(t *testing.T, dir string) { put(t, filepath.Join(dir, "file"), "2") }, true},
		"untracked":            {func(t *testing.T, dir string) { put(t, filepath.Join(dir, "new"), "x") }, true},
		"deleted":              {func(t *testing.T, dir string) { git(t, dir, "rm", "-q", "--cached", "file") }, true},
		"staged":               {func(t *testing.T, dir string) { put(t, filepath.Join(dir, "new"), "x"); git(t, dir, "add", "new") }, true},
		"renamed":              {func(t *testing.T, dir string) { git(t, dir, "mv", "file", "file2") }, true},
		"outside of the asked": {func(t *testing.T, dir string) { put(t, filepath.Join(dir, "elsewhere", "x"), "x") }, true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := repository(t)
			put(t, filepath.Join(dir, "file"), "1")
			put(t, filepath.Join(dir, "app", "file"), "1")
			put(t, filepath.Join(dir, ".gitignore"), "bin/\n")
			commit(t, dir, "first")
			tc.change(t, dir)
			got, err := Describe(t.Context(), filepath.Join(dir, "app"))
			if err != nil || got.Dirty != tc.want {
				t.Errorf("dirty = %v, %v; want %v", got.Dirty, err, tc.want)
			}
		})
	}
}

func TestBranchOfADetachedHead(t *testing.T) {
	dir := repository(t)
	commit(t, dir, "first")
	sha := commit(t, dir, "second")
	git(t, dir, "checkout", "-q", "--detach")
	for name, tc := range map[string]struct {
		env  map[string]string
		want string
	}{
		"on a laptop":       {nil, ""},
		"a push":            {map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_SHA": sha, "GITHUB_REF_NAME": "release/1"}, "release/1"},
		"a pull request":    {map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_SHA": sha, "GITHUB_REF_NAME": "7/merge", "GITHUB_HEAD_REF": "fix"}, "fix"},
		"a tag":             {map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_SHA": sha, "GITHUB_REF_NAME": "v1", "GITHUB_REF_TYPE": "tag"}, ""},
		"another commit":    {map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_SHA": "0123", "GITHUB_REF_NAME": "main"}, ""},
		"only a stray name": {map[string]string{"GITHUB_SHA": sha, "GITHUB_REF_NAME": "main"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for k, v := range tc.env {
				t.Setenv(k, v)
			}
			got, err := Describe(t.Context(), dir)
			if err != nil || got.Branch != tc.want || got.SHA != sha {
				t.Errorf("branch = %q of %s, %v; want %q", got.Branch, got.SHA, err, tc.want)
			}
		})
	}
}

func TestLog(t *testing.T) {
	dir := repository(t)
	first, second, third := commit(t, dir, "first"), commit(t, dir, "second"), commit(t, dir, "third")
	for name, tc := range map[string]struct {
		from, to string
		want     []string
	}{
		"between":         {first, third, []string{"third", "second"}},
		"short shas":      {first[:8], second[:8], []string{"second"}},
		"the same":        {third, third, nil},
		"backwards":       {third, first, nil},
		"from the start":  {"", second, []string{"second", "first"}},
		"unknown commit":  {strings.Repeat("0", 40), third, nil},
		"an option":       {first, "--output=x", nil},
		"a branch's name": {first, "main", nil},
		"nothing":         {"", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Log(t.Context(), dir, tc.from, tc.to)
			wantErr := name == "unknown commit" || name == "an option" || name == "a branch's name" || name == "nothing"
			if errors.Is(err, ErrUnknownCommit) != wantErr {
				t.Fatalf("error = %v", err)
			}
			var subjects []string
			for _, c := range got {
				subjects = append(subjects, c.Subject)
				if c.Author != "Ada" || c.Time.IsZero() || len(c.SHA) != 40 {
					t.Errorf("incomplete: %+v", c)
				}
			}
			if diff := cmp.Diff(tc.want, subjects); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestPlacesWithoutACommit(t *testing.T) {
	empty := repository(t)
	bare := t.TempDir()
	git(t, bare, "init", "-q", "--bare")
	file := filepath.Join(t.TempDir(), "file")
	put(t, file, "")
	for name, tc := range map[string]struct {
		dir  string
		is   error
		says string
	}{
		"no commit":       {empty, ErrNoCommit, "git commit"},
		"no repository":   {t.TempDir(), ErrNotRepository, "git init"},
		"bare":            {bare, ErrNotRepository, "clone it"},
		"no such place":   {filepath.Join(empty, "absent"), os.ErrNotExist, "absent"},
		"not a directory": {file, nil, "is not a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Describe(t.Context(), tc.dir)
			if err == nil || (tc.is != nil && !errors.Is(err, tc.is)) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("error = %v, want %v with %q", err, tc.is, tc.says)
			}
		})
	}
}

func TestGitMissing(t *testing.T) {
	dir := repository(t)
	t.Setenv("PATH", t.TempDir())
	if _, err := Describe(t.Context(), dir); !errors.Is(err, ErrMissing) {
		t.Errorf("error = %v, want ErrMissing", err)
	}
}

func TestDubiousOwnership(t *testing.T) {
	dir := repository(t)
	commit(t, dir, "first")
	t.Setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1") // git's own switch for its own test of this
	_, err := Describe(t.Context(), dir)
	if !errors.Is(err, ErrOwnership) || !strings.HasSuffix(err.Error(), "git config --global --add safe.directory "+dir) {
		t.Errorf("error = %v, want the command that trusts %s", err, dir)
	}
}

// TestInsideAHook: git's hooks run with GIT_DIR set to another repository than the one in question.
func TestInsideAHook(t *testing.T) {
	other := repository(t)
	commit(t, other, "other")
	dir := t.TempDir()
	git(t, dir, "init", "-q", "-b", "main")
	sha := commit(t, dir, "mine")
	t.Setenv("GIT_DIR", filepath.Join(other, ".git"))
	got, err := Describe(t.Context(), dir)
	if err != nil || got.SHA != sha {
		t.Errorf("described %s, %v; want %s", got.SHA, err, sha)
	}
}

func TestInterrupted(t *testing.T) {
	dir := repository(t)
	commit(t, dir, "first")
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if _, err := Describe(ctx, dir); !errors.Is(err, cause) {
		t.Errorf("error = %v, want the cause of the cancellation", err)
	}
}

func TestPublicURL(t *testing.T) {
	for remote, want := range map[string]string{
		"https://example.com/shop.git":                     "https://example.com/shop.git",
		"https://user:secret@example.com/shop.git":         "https://example.com/shop.git",
		"https://x-access-token@example.com:8443/shop.git": "https://example.com:8443/shop.git",
		"https://example.com/shop.git?private_token=abc#x": "https://example.com/shop.git",
		"git@example.com:org/shop.git":                     "git@example.com:org/shop.git",
		"example.com:shop.git":                             "example.com:shop.git",
		"git@example.com:/srv/shop.git":                    "git@example.com:/srv/shop.git",
		"user:secret@example.com:shop.git":                 "",
		"ssh://git:secret@example.com/shop.git":            "ssh://git@example.com/shop.git",
		"git://example.com/shop.git":                       "git://example.com/shop.git",
		"/srv/git/shop.git":                                "",
		"../shop.git":                                      "",
		"file:///srv/git/shop.git":                         "",
		`C:\git\shop`:                                      "",
		"C:/git/shop":                                      "",
		"ext::sh -c secret":                                "",
		"https://user:sec%zzret@example.com/x":             "",
		"":                                                 "",
	} {
		if got := publicURL(remote); got != want {
			t.Errorf("publicURL(%q) = %q, want %q", remote, got, want)
		}
	}
}

func FuzzPublicURL(f *testing.F) {
	for _, seed := range []string{"https://u:p@h/x", "u:p@h:x", "ssh://u:p@h/x", "h:x", "//u:p@h/x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, remote string) {
		got := publicURL(remote)
		if publicURL(got) != got {
			t.Errorf("publicURL(%q) = %q, which it would change again", remote, got)
		}
		if user, _, ok := strings.Cut(got, "@"); ok && strings.HasPrefix(user, "http") && !strings.Contains(strings.TrimPrefix(user, "http"), "/") {
			t.Errorf("publicURL(%q) = %q has a user", remote, got)
		}
	})
}

func FuzzParseLog(f *testing.F) {
	f.Add("abc\x002026-01-02T03:04:05Z\x00Ada\x00subject\x00")
	f.Add("")
	f.Fuzz(func(t *testing.T, out string) {
		commits, err := parseLog(out)
		if fields := strings.Count(strings.TrimSuffix(out, "\x00"), "\x00") + 1; err == nil && out != "" && out != "\x00" && len(commits)*4 != fields {
			t.Errorf("parseLog(%q): %d commits from %d fields", out, len(commits), fields)
		}
		if err != nil && commits != nil {
			t.Errorf("parseLog(%q) gave commits and %v", out, err)
		}
		parseStatus(out)
	})
}

package blob

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

const scope = "us-east-1/app"

func begin(t *testing.T, s *Store) string {
	t.Helper()
	id, err := s.Begin(scope)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func appendText(t *testing.T, s *Store, id string, offset int64, text string, want int64) {
	t.Helper()
	size, err := s.Append(scope, id, offset, strings.NewReader(text))
	if err != nil || size != want {
		t.Fatalf("append %q: size %d, %v; want %d", text, size, err, want)
	}
}

func TestUploadInChunks(t *testing.T) {
	s := open(t, t.TempDir())
	id := begin(t, s)
	appendText(t, s, id, 0, "he", 2)
	appendText(t, s, id, AnyOffset, "ll", 4)
	appendText(t, s, id, 4, "", 4)
	if size, err := s.Append(scope, id, 3, strings.NewReader("x")); !errors.Is(err, ErrOffset) || size != 4 {
		t.Errorf("wrong offset: %d, %v", size, err)
	}
	appendText(t, s, id, 4, "o", 5)
	if size, err := s.UploadSize(scope, id); err != nil || size != 5 {
		t.Errorf("size %d, %v", size, err)
	}
	if size, err := s.Commit(scope, id, DigestOf([]byte("hello"))); err != nil || size != 5 {
		t.Fatalf("commit: %d, %v", size, err)
	}
	if got, err := s.Read(DigestOf([]byte("hello"))); err != nil || string(got) != "hello" {
		t.Errorf("read %q, %v", got, err)
	}
	if _, err := s.UploadSize(scope, id); !errors.Is(err, ErrUploadNotFound) {
		t.Errorf("the upload is still there: %v", err)
	}
	wantFiles(t, s, 1, 0, 0)
}

func TestUploadSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	id := begin(t, open(t, dir))
	appendText(t, open(t, dir), id, 0, "hel", 3)
	s := open(t, dir)
	appendText(t, s, id, 3, "lo", 5)
	if _, err := open(t, dir).Commit(scope, id, DigestOf([]byte("hello"))); err != nil {
		t.Fatal(err)
	}
	wantFiles(t, s, 1, 0, 0)
}

func TestCommitOfSHA512(t *testing.T) {
	s := open(t, t.TempDir())
	id := begin(t, s)
	appendText(t, s, id, 0, "hi", 2)
	const digest = Digest("sha512:150a14ed5bea6cc731cf86c41566ac427a8db48ef1b9fd626664b3bfbb99071fa4c922f33dde38719b8c8354e2b7ab9d77e0e67fc12843920a712e73d558e197")
	if _, err := s.Commit(scope, id, digest); err != nil {
		t.Fatal(err)
	}
	wantFiles(t, s, 1, 0, 0)
}

func TestCommitOfOtherContent(t *testing.T) {
	s := open(t, t.TempDir())
	id := begin(t, s)
	appendText(t, s, id, 0, "hello", 5)
	if _, err := s.Commit(scope, id, DigestOf([]byte("other"))); !errors.Is(err, ErrDigestMismatch) {
		t.Errorf("got %v", err)
	}
	wantFiles(t, s, 0, 0, 0)
}

func TestUploadsOfOthersAreHidden(t *testing.T) {
	s := open(t, t.TempDir())
	id := begin(t, s)
	for _, try := range []struct{ scope, id string }{
		{"us-east-1/other", id}, {scope, "00000000-0000-0000-0000-000000000000"}, {scope, ""}, {scope, "../../x"}, {scope, strings.ToUpper(id)}, {scope, "{" + id + "}"},
	} {
		if try.id == id && try.scope == scope {
			continue // an id of digits only is its own upper case
		}
		if _, err := s.UploadSize(try.scope, try.id); !errors.Is(err, ErrUploadNotFound) {
			t.Errorf("UploadSize %v: %v", try, err)
		}
		if _, err := s.Append(try.scope, try.id, AnyOffset, strings.NewReader("x")); !errors.Is(err, ErrUploadNotFound) {
			t.Errorf("Append %v: %v", try, err)
		}
		if err := s.Cancel(try.scope, try.id); !errors.Is(err, ErrUploadNotFound) {
			t.Errorf("Cancel %v: %v", try, err)
		}
	}
	if err := s.Cancel(scope, id); err != nil {
		t.Fatal(err)
	}
	wantFiles(t, s, 0, 0, 0)
}

func TestInterruptedAppendCanBeResumed(t *testing.T) {
	s := open(t, t.TempDir())
	id := begin(t, s)
	cut := errors.New("connection reset")
	size, err := s.Append(scope, id, 0, io.MultiReader(strings.NewReader("hel"), iotest.ErrReader(cut)))
	if !errors.Is(err, cut) || size != 3 {
		t.Fatalf("got %d, %v", size, err)
	}
	appendText(t, s, id, 3, "lo", 5)
	if _, err := s.Commit(scope, id, DigestOf([]byte("hello"))); err != nil {
		t.Fatal(err)
	}
}

func TestTwoRequestsOnOneUpload(t *testing.T) {
	s := open(t, t.TempDir())
	id := begin(t, s)
	r, w := io.Pipe()
	done := make(chan error)
	go func() {
		_, err := s.Append(scope, id, 0, r)
		done <- err
	}()
	if _, err := w.Write([]byte("x")); err != nil { // returns when the first request has read it
		t.Fatal(err)
	}
	if _, err := s.Append(scope, id, AnyOffset, strings.NewReader("y")); !errors.Is(err, ErrUploadBusy) {
		t.Errorf("second append: %v", err)
	}
	if _, err := s.Commit(scope, id, DigestOf([]byte("x"))); !errors.Is(err, ErrUploadBusy) {
		t.Errorf("commit meanwhile: %v", err)
	}
	_ = w.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(scope, id, DigestOf([]byte("x"))); err != nil {
		t.Error(err)
	}
}

func TestExpire(t *testing.T) {
	s := open(t, t.TempDir())
	old, young := begin(t, s), begin(t, s)
	past := time.Now().Add(-48 * time.Hour)
	if err := os.Chtimes(s.uploadPath(scope, old), past, past); err != nil {
		t.Fatal(err)
	}
	if err := s.Expire(time.Now().Add(-24 * time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.UploadSize(scope, old); !errors.Is(err, ErrUploadNotFound) {
		t.Errorf("the old one: %v", err)
	}
	appendText(t, s, young, 0, "x", 1)
}

// TestRandomChunks uploads the same bytes cut at random, with restarts in between.
func TestRandomChunks(t *testing.T) {
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(1, 2))
	content := make([]byte, 1<<20)
	for i := range content {
		content[i] = byte(random.Uint32())
	}
	s := open(t, dir)
	id := begin(t, s)
	for at := 0; at < len(content); {
		if random.IntN(4) == 0 {
			s = open(t, dir)
		}
		end := min(len(content), at+random.IntN(200_000))
		if size, err := s.Append(scope, id, int64(at), bytes.NewReader(content[at:end])); err != nil || size != int64(end) {
			t.Fatalf("at %d: %d, %v", at, size, err)
		}
		at = end
	}
	if _, err := s.Commit(scope, id, DigestOf(content)); err != nil {
		t.Fatal(err)
	}
}

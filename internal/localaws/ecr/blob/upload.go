package blob

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/uuid"
)

var (
	// ErrUploadNotFound: there is no such upload, or not in this scope.
	ErrUploadNotFound = errors.New("no such upload")
	// ErrUploadBusy: another request is writing to the upload.
	ErrUploadBusy = errors.New("the upload is in use by another request")
	// ErrOffset: the data does not go on where the upload stands.
	ErrOffset = errors.New("the data does not start where the upload ends")
	// ErrDigestMismatch: the content of the upload is not what the digest names.
	ErrDigestMismatch = errors.New("the content does not match the digest")
)

// AnyOffset makes Append write at the end, wherever that is.
const AnyOffset = int64(-1)

// upload is an upload's state in this process: the running hash saves reading the data a second time.
type upload struct {
	mu   sync.Mutex
	path string
	size int64
	sum  hash.Hash // SHA-256 of the first size bytes
	gone bool
}

// Begin starts an upload that belongs to scope (any text) and gives its id.
func (s *Store) Begin(scope string) (string, error) {
	id := uuid.NewString()
	u := &upload{path: s.uploadPath(scope, id), sum: sha256.New()}
	f, err := os.OpenFile(u.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return "", diskError("begin upload", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.uploads[u.path] = u
	return id, nil
}

// uploadPath is where the data of an upload goes. The name says the scope, so that no other record is needed.
func (s *Store) uploadPath(scope, id string) string {
	return filepath.Join(s.uploadDir(), DigestOf([]byte(scope)).Hex()[:16]+"."+id)
}

// UploadSize is how many bytes the upload has. ErrUploadNotFound.
func (s *Store) UploadSize(scope, id string) (int64, error) {
	path, err := s.checkedPath(scope, id)
	if err != nil {
		return 0, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return 0, uploadError(err)
	}
	return info.Size(), nil
}

// checkedPath refuses ids that are not ours: they come from clients and become file names.
func (s *Store) checkedPath(scope, id string) (string, error) {
	parsed, err := uuid.Parse(id)
	if err != nil || parsed.String() != id {
		return "", ErrUploadNotFound
	}
	return s.uploadPath(scope, id), nil
}

// acquire gives the upload with its lock held.
func (s *Store) acquire(scope, id string) (*upload, error) {
	path, err := s.checkedPath(scope, id)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); err != nil {
		return nil, uploadError(err)
	}
	s.mu.Lock()
	u := s.uploads[path]
	if u == nil {
		u = &upload{path: path}
		s.uploads[path] = u
	}
	s.mu.Unlock()
	if !u.mu.TryLock() {
		return nil, ErrUploadBusy
	}
	if u.gone {
		u.mu.Unlock()
		return nil, ErrUploadNotFound
	}
	if u.sum == nil {
		if err := u.recover(); err != nil {
			s.drop(u)
			u.mu.Unlock()
			return nil, err
		}
	}
	return u, nil
}

// recover takes up an upload of an earlier process.
func (u *upload) recover() error {
	f, err := os.Open(u.path)
	if err != nil {
		return uploadError(err)
	}
	defer f.Close()
	sum := sha256.New()
	if u.size, err = io.Copy(sum, f); err != nil {
		return fmt.Errorf("resume upload: %w", err)
	}
	u.sum = sum
	return nil
}

// Append writes what r gives at offset, which must be the upload's size (or AnyOffset), and returns the new size. When
// reading fails, what came before stays, and the upload can be resumed. When the disk is full, the upload is gone.
// ErrUploadNotFound, ErrUploadBusy, ErrOffset, ErrNoSpace.
func (s *Store) Append(scope, id string, offset int64, r io.Reader) (int64, error) {
	u, err := s.acquire(scope, id)
	if err != nil {
		return 0, err
	}
	defer u.mu.Unlock()
	if offset != AnyOffset && offset != u.size {
		return u.size, fmt.Errorf("%w: at byte %d, not %d", ErrOffset, u.size, offset)
	}
	readErr, writeErr := u.write(r)
	if writeErr != nil {
		s.forget(u)
		return 0, diskError("write upload", writeErr)
	}
	if readErr != nil {
		return u.size, fmt.Errorf("receive upload: %w", readErr)
	}
	return u.size, nil
}

// Commit makes the upload the blob d, which is on disk then, and returns its size; the upload is gone, also when the
// content turns out not to match. ErrUploadNotFound, ErrUploadBusy, ErrDigestMismatch, ErrNoSpace.
func (s *Store) Commit(scope, id string, d Digest) (int64, error) {
	u, err := s.acquire(scope, id)
	if err != nil {
		return 0, err
	}
	defer u.mu.Unlock()
	got, err := u.digest(d.Algorithm())
	if err != nil {
		return 0, err
	}
	if got != d {
		s.forget(u)
		return 0, fmt.Errorf("%w: got %s, want %s", ErrDigestMismatch, got, d)
	}
	if err := s.adopt(u.path, d); err != nil {
		s.forget(u)
		return 0, diskError("commit upload", err)
	}
	s.drop(u)
	return u.size, nil
}

func (u *upload) digest(algorithm string) (Digest, error) {
	if algorithm == "sha256" {
		return digestFrom(algorithm, u.sum), nil
	}
	f, err := os.Open(u.path)
	if err != nil {
		return "", uploadError(err)
	}
	defer f.Close()
	h := newHash(algorithm)
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("read upload: %w", err)
	}
	return digestFrom(algorithm, h), nil
}

// Cancel removes the upload. ErrUploadNotFound, ErrUploadBusy.
func (s *Store) Cancel(scope, id string) error {
	u, err := s.acquire(scope, id)
	if err != nil {
		return err
	}
	defer u.mu.Unlock()
	s.forget(u)
	return nil
}

// forget removes an upload whose lock is held, with its data.
func (s *Store) forget(u *upload) {
	_ = os.Remove(u.path) // what stays is removed by Expire
	s.drop(u)
}

func (s *Store) drop(u *upload) {
	u.gone = true
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.uploads, u.path)
}

// Expire removes uploads that nothing was written to since before.
func (s *Store) Expire(before time.Time) error {
	entries, err := os.ReadDir(s.uploadDir())
	if err != nil {
		return fmt.Errorf("expire uploads: %w", err)
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || !info.ModTime().Before(before) {
			continue // gone meanwhile, or in use
		}
		if err := os.Remove(filepath.Join(s.uploadDir(), entry.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("expire uploads: %w", err)
		}
	}
	return nil
}

func uploadError(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return ErrUploadNotFound
	}
	return fmt.Errorf("open upload: %w", err)
}

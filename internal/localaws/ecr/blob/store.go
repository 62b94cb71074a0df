// Package blob keeps content-addressed blobs in a directory, and the uploads that become blobs. A blob is complete and
// on disk or it is not there: content goes to a temporary file, which is synced and then renamed, so that a blob outlives
// even a loss of power. An upload outlives the process that took it; a loss of power may take what of it the disk does not
// have yet, which its client then sends again: each part would cost a sync otherwise.
//
// It knows bytes and digests. It must not know repositories, manifests, HTTP or AWS.
package blob

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

var (
	// ErrNotFound: there is no such blob.
	ErrNotFound = errors.New("no such blob")
	// ErrNoSpace: the disk is full. What was being written is gone, all else is as it was.
	ErrNoSpace = errors.New("no space left on the disk that holds local AWS's registry")
)

// Store is one directory of blobs and uploads. Its methods are safe for concurrent use; one process at a time may
// have a directory open.
type Store struct {
	dir string

	mu      sync.Mutex
	uploads map[string]*upload // by path; those that this process has touched
}

// Open opens or creates the directory.
func Open(dir string) (*Store, error) {
	s := &Store{dir: dir, uploads: map[string]*upload{}}
	for _, sub := range []string{s.blobs("sha256"), s.blobs("sha512"), s.uploadDir(), s.tempDir()} {
		if err := os.MkdirAll(sub, 0o700); err != nil {
			return nil, fmt.Errorf("open blob store: %w", err)
		}
	}
	left, err := filepath.Glob(filepath.Join(s.tempDir(), "*"))
	if err != nil {
		return nil, fmt.Errorf("open blob store: %w", err)
	}
	for _, path := range left { // of a process that died
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("open blob store: %w", err)
		}
	}
	return s, nil
}

func (s *Store) blobs(algorithm string) string { return filepath.Join(s.dir, "blobs", algorithm) }
func (s *Store) uploadDir() string             { return filepath.Join(s.dir, "uploads") }
func (s *Store) tempDir() string               { return filepath.Join(s.dir, "tmp") }

// path spreads blobs over 256 directories for each algorithm.
func (s *Store) path(d Digest) string {
	return filepath.Join(s.blobs(d.Algorithm()), d.Hex()[:2], d.Hex())
}

// Open opens a blob for reading and gives its size in bytes. ErrNotFound.
func (s *Store) Open(d Digest) (*os.File, int64, error) {
	f, err := os.Open(s.path(d))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, fmt.Errorf("%s: %w", d, ErrNotFound)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("open blob: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return nil, 0, fmt.Errorf("open blob: %w", err)
	}
	return f, info.Size(), nil
}

// Read gives the whole of a small blob. ErrNotFound.
func (s *Store) Read(d Digest) ([]byte, error) {
	content, err := os.ReadFile(s.path(d))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", d, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("read blob: %w", err)
	}
	return content, nil
}

// Put stores a small blob under a digest that the caller has checked. ErrNoSpace.
func (s *Store) Put(d Digest, content []byte) error {
	if _, err := os.Stat(s.path(d)); err == nil {
		return nil
	}
	f, err := os.CreateTemp(s.tempDir(), "put-*")
	if err != nil {
		return diskError("store blob", err)
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = s.adopt(f.Name(), d)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return diskError("store blob", err)
	}
	return nil
}

// adopt makes the synced file at path the blob d.
func (s *Store) adopt(path string, d Digest) error {
	target := s.path(d)
	dir := filepath.Dir(target)
	err := os.Mkdir(dir, 0o700)
	if err == nil {
		err = syncDir(filepath.Dir(dir))
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := os.Rename(path, target); err != nil {
		return err
	}
	return syncDir(dir)
}

// Remove deletes a blob; a missing one is a success. Who still needs it is the caller's business.
func (s *Store) Remove(d Digest) error {
	if err := os.Remove(s.path(d)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove blob: %w", err)
	}
	return nil
}

// Each calls f for every blob until f returns an error, which it returns.
func (s *Store) Each(f func(Digest) error) error {
	for _, algorithm := range []string{"sha256", "sha512"} {
		paths, err := filepath.Glob(filepath.Join(s.blobs(algorithm), "??", "*"))
		if err != nil {
			return fmt.Errorf("list blobs: %w", err)
		}
		for _, path := range paths {
			if err := f(Digest(algorithm + ":" + filepath.Base(path))); err != nil {
				return err
			}
		}
	}
	return nil
}

// syncDir brings the names in a directory to disk.
func syncDir(path string) error { return syncFile(path) }

// syncFile brings all that was written to a file to disk, by whichever descriptor.
func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	err = f.Sync()
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

// diskError wraps err, as ErrNoSpace when the disk or a quota is full.
func diskError(doing string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%s: %w: %w", doing, ErrNoSpace, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

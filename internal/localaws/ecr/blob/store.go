// Package blob keeps content-addressed blobs in a directory, and the uploads that become blobs. A blob is complete and
// on disk or it is not there: content goes to a file of another name, and is acknowledged when it is synced, so that a blob
// outlives even a loss of power. An upload outlives the process that took it; a loss of power may take what of it the disk does not
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
	"strconv"
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

	adopting [256]sync.Mutex // by the first byte of the digest

	mu      sync.Mutex
	uploads map[string]*upload // by path; those that this process has touched
}

// Open opens or creates the directory.
func Open(dir string) (*Store, error) {
	s := &Store{dir: dir, uploads: map[string]*upload{}}
	if err := s.makeDirs(); err != nil {
		return nil, fmt.Errorf("open blob store: %w", err)
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

// makeDirs makes all directories that there will ever be, so that no blob has to wait for one.
func (s *Store) makeDirs() error {
	for _, dir := range []string{s.uploadDir(), s.tempDir()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	for _, algorithm := range []string{"sha256", "sha512"} {
		for i := range 256 {
			if err := os.MkdirAll(filepath.Join(s.blobs(algorithm), fmt.Sprintf("%02x", i)), 0o700); err != nil {
				return err
			}
		}
		if err := syncDir(s.blobs(algorithm)); err != nil {
			return err
		}
	}
	return nil
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
	f, err := os.CreateTemp(s.tempDir(), "put-*")
	if err != nil {
		return diskError("store blob", err)
	}
	_, err = f.Write(content)
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

// adopt makes the file at path the blob d, unless there is one already, and brings it to disk. It is renamed before it is
// synced: file systems with a journal then write their metadata once, not for the file and again for its name. After a loss
// of power in between, the name may stand for less than the whole. Nobody was told of such a blob, so that nothing refers to
// it, and the store's owner removes what nothing refers to before it takes new ones.
func (s *Store) adopt(path string, d Digest) error {
	defer s.lock(d)()
	target := s.path(d)
	if _, err := os.Stat(target); err == nil {
		return os.Remove(path)
	}
	if err := os.Rename(path, target); err != nil {
		return err
	}
	err := syncFile(target)
	if err == nil {
		err = syncDir(filepath.Dir(target))
	}
	if err != nil {
		_ = os.Remove(target) // or it would pass for one that is on disk
	}
	return err
}

// lock keeps others from taking a blob that is not on disk yet for one that is; the result unlocks.
func (s *Store) lock(d Digest) (unlock func()) {
	first, _ := strconv.ParseUint(d.Hex()[:2], 16, 8)
	s.adopting[first].Lock()
	return s.adopting[first].Unlock
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

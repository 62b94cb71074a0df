// Package seal keeps secret values unreadable on disk. What is written is encrypted with a key in a file of its own, so
// that neither a copy of the state file nor what a database leaves in its freed pages gives a value away. Whoever can read
// the key file and the state file can read the values: AWS has KMS for that, one machine has file permissions.
//
// It must not know what the values mean.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrSealed says that a value cannot be opened: it was sealed with another key, for another place, or is damaged.
var ErrSealed = errors.New("the value cannot be decrypted with this key")

const keyBytes = 32 // AES-256

// Box seals and opens values. It is safe for concurrent use.
type Box struct{ aead cipher.AEAD }

// Open reads the key in the file at path, or makes one that only this user can read.
func Open(path string) (*Box, error) {
	key, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key, err = create(path)
	}
	if err != nil {
		return nil, fmt.Errorf("the key of secret values: %w", err)
	}
	if len(key) != keyBytes {
		return nil, fmt.Errorf("the key of secret values in %s has %d bytes and must have %d; restore the file, or remove it and put every secret and parameter again", path, len(key), keyBytes)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("the key of secret values in %s: %w", path, err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("the key of secret values in %s: %w", path, err)
	}
	return &Box{aead}, nil
}

// create puts a new key on disk for good before anything is sealed with it.
func create(path string) ([]byte, error) {
	key := make([]byte, keyBytes)
	rand.Read(key)                                           // it never fails: crypto/rand ends the program instead
	file, err := os.CreateTemp(filepath.Dir(path), ".key-*") // mode 0600
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.Remove(file.Name()) }() // gone already when the rename succeeded
	_, err = file.Write(key)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return nil, err
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return nil, err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	return key, errors.Join(dir.Sync(), dir.Close())
}

// Seal encrypts a value for a place: the same place must be named to open it.
func (b *Box) Seal(value []byte, place string) []byte {
	return b.aead.Seal(nil, nil, value, []byte(place))
}

// Unseal gives back what was sealed for the place; ErrSealed. An error never holds a part of the value.
func (b *Box) Unseal(sealed []byte, place string) ([]byte, error) {
	value, err := b.aead.Open(nil, nil, sealed, []byte(place))
	if err != nil {
		return nil, ErrSealed
	}
	return value, nil
}

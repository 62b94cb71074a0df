package blob

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strings"
)

// ErrInvalidDigest: the text is no digest, or one of an algorithm that the OCI image specification does not register.
var ErrInvalidDigest = errors.New("invalid digest")

// Digest names content: "sha256:HEX" or "sha512:HEX", in lower case.
type Digest string

// ParseDigest checks the form of a digest.
func ParseDigest(text string) (Digest, error) {
	algorithm, encoded, _ := strings.Cut(text, ":")
	h := newHash(algorithm)
	if h == nil || len(encoded) != 2*h.Size() || strings.Trim(encoded, "0123456789abcdef") != "" {
		return "", fmt.Errorf("%w %q: want sha256:HEX or sha512:HEX", ErrInvalidDigest, text)
	}
	return Digest(text), nil
}

// DigestOf is the digest of content by SHA-256.
func DigestOf(content []byte) Digest {
	sum := sha256.Sum256(content)
	return Digest("sha256:" + hex.EncodeToString(sum[:]))
}

// Matches reports whether d is the digest of content.
func (d Digest) Matches(content []byte) bool {
	h := newHash(d.Algorithm())
	if h == nil {
		return false
	}
	h.Write(content)
	return digestFrom(d.Algorithm(), h) == d
}

// Algorithm is the part before the colon.
func (d Digest) Algorithm() string {
	algorithm, _, _ := strings.Cut(string(d), ":")
	return algorithm
}

// Hex is the part after the colon.
func (d Digest) Hex() string {
	_, encoded, _ := strings.Cut(string(d), ":")
	return encoded
}

func newHash(algorithm string) hash.Hash {
	switch algorithm {
	case "sha256":
		return sha256.New()
	case "sha512":
		return sha512.New()
	}
	return nil
}

func digestFrom(algorithm string, h hash.Hash) Digest {
	return Digest(algorithm + ":" + hex.EncodeToString(h.Sum(nil)))
}

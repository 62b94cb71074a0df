package report

import (
	"cmp"
	"encoding/base64"
	"slices"
	"strings"
	"sync"
)

// masked stands where a secret stood.
const masked = "***"

// Mask keeps secrets out of every face, whatever event they got into. It is safe for concurrent use; the zero value
// masks nothing.
type Mask struct {
	mu      sync.RWMutex
	secrets []string
}

// Add masks a secret from now on, and the same as a registry's basic auth has it ("USER:SECRET" in base64). What is too
// short to be a secret is not masked: it would blot out ordinary words.
func (m *Mask) Add(user, secret string) {
	const shortest = 8
	if len(secret) < shortest {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, form := range []string{secret, base64.StdEncoding.EncodeToString([]byte(user + ":" + secret))} {
		if !slices.Contains(m.secrets, form) {
			m.secrets = append(m.secrets, form)
		}
	}
	// The longest first: a secret may contain another.
	slices.SortFunc(m.secrets, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
}

// apply gives text without secrets.
func (m *Mask) apply(text string) string {
	if m == nil {
		return text
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, secret := range m.secrets {
		text = strings.ReplaceAll(text, secret, masked)
	}
	return text
}

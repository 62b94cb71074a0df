package localaws

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// keyPair is the credentials of a local AWS's one user. It is random, so that a web page or another user of the machine
// cannot guess it, and it stays, so that variables that were set once go on working.
type keyPair struct {
	AccessKeyID     string `json:"accessKeyId"`
	SecretAccessKey string `json:"secretAccessKey"`
}

// loadCredentials reads the directory's key pair, or makes one.
func (d dir) loadCredentials() (keyPair, error) {
	raw, err := os.ReadFile(d.credentials())
	if errors.Is(err, fs.ErrNotExist) {
		return d.makeCredentials()
	}
	if err != nil {
		return keyPair{}, d.explain(err)
	}
	var c keyPair
	if err := json.Unmarshal(raw, &c); err != nil || c.AccessKeyID == "" || c.SecretAccessKey == "" {
		return keyPair{}, fmt.Errorf("%s is damaged (%w); remove it, and new credentials are made", d.credentials(), err)
	}
	return c, nil
}

func (d dir) makeCredentials() (keyPair, error) {
	c := keyPair{AccessKeyID: "LKIA" + rand.Text()[:16], SecretAccessKey: (rand.Text() + rand.Text())[:40]}
	raw, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return keyPair{}, fmt.Errorf("encode credentials: %w", err)
	}
	return c, d.writeFile(d.credentials(), append(raw, '\n'))
}

// secretOf is what wire asks with each request.
func (c keyPair) secretOf(accessKey string) (secret string, ok bool) {
	return c.SecretAccessKey, accessKey == c.AccessKeyID
}

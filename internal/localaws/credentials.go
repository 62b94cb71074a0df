package localaws

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// credentials are the one key pair of a local AWS. It is random, so that a web page or another user of the machine
// cannot guess it, and it stays, so that variables that were set once go on working.
type credentials struct {
	AccessKeyID     string `json:"accessKeyId"`
	SecretAccessKey string `json:"secretAccessKey"`
}

// loadCredentials reads the directory's key pair, or makes one.
func (d dir) loadCredentials() (credentials, error) {
	raw, err := os.ReadFile(d.credentials())
	if errors.Is(err, fs.ErrNotExist) {
		return d.makeCredentials()
	}
	if err != nil {
		return credentials{}, d.explain(err)
	}
	var c credentials
	if err := json.Unmarshal(raw, &c); err != nil || c.AccessKeyID == "" || c.SecretAccessKey == "" {
		return credentials{}, fmt.Errorf("%s is damaged (%w); remove it, and new credentials are made", d.credentials(), err)
	}
	return c, nil
}

func (d dir) makeCredentials() (credentials, error) {
	c := credentials{AccessKeyID: "LKIA" + rand.Text()[:16], SecretAccessKey: (rand.Text() + rand.Text())[:40]}
	raw, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return credentials{}, fmt.Errorf("encode credentials: %w", err)
	}
	return c, d.writeFile(d.credentials(), append(raw, '\n'))
}

// secretOf is what wire asks with each request.
func (c credentials) secretOf(accessKey string) (secret string, ok bool) {
	return c.SecretAccessKey, accessKey == c.AccessKeyID
}

package dockerlogin

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// The keys of Docker's config.json that say where passwords are.
// https://docs.docker.com/reference/cli/docker/login/#credential-stores
const (
	keyAuths   = "auths"       // by host: the passwords that the file itself holds
	keyHelpers = "credHelpers" // by host: the helper that is asked
	keyStore   = "credsStore"  // the helper for all other hosts
)

// configFile is a config.json. Keys that are not of interest stay as they are.
type configFile struct {
	path string // of the file itself, where config.json is a link
	keys map[string]json.RawMessage
}

// read reads the file; one that does not exist is empty.
func read(dir string) (*configFile, error) {
	f := &configFile{path: filepath.Join(dir, "config.json"), keys: map[string]json.RawMessage{}}
	if real, err := filepath.EvalSymlinks(f.path); err == nil {
		f.path = real
	}
	raw, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(bytes.TrimSpace(raw)) == 0 {
		return f, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read Docker's configuration: %w", err)
	}
	if err := json.Unmarshal(raw, &f.keys); err != nil {
		return nil, fmt.Errorf("%s is no Docker configuration: %w\n  correct it, or move it away", f.path, err)
	}
	return f, nil
}

// helper is the credential helper that clients ask for a host; empty: they read the file.
func (f *configFile) helper(host string) string {
	var name string
	if json.Unmarshal(f.section(keyHelpers)[host], &name) == nil && name != "" {
		return name
	}
	if json.Unmarshal(f.keys[keyStore], &name) == nil {
		return name
	}
	return ""
}

// section is one of the mappings by host; empty where there is none, or something else.
func (f *configFile) section(key string) map[string]json.RawMessage {
	section := map[string]json.RawMessage{}
	if json.Unmarshal(f.keys[key], &section) != nil || section == nil {
		return map[string]json.RawMessage{}
	}
	return section
}

// set makes a host's entry of a section; a nil value removes it, and the section with its last entry. It tells whether
// that changed anything.
func (f *configFile) set(key, host string, value any) (changed bool, err error) {
	section := f.section(key)
	before, had := section[host]
	if value == nil {
		if !had {
			return false, nil
		}
		delete(section, host)
	} else {
		raw, err := json.Marshal(value)
		if err != nil {
			return false, err
		}
		if had && bytes.Equal(before, raw) {
			return false, nil
		}
		section[host] = raw
	}
	if len(section) == 0 {
		delete(f.keys, key)
		return true, nil
	}
	f.keys[key], err = json.Marshal(section)
	return true, err
}

// basic is how the file holds a password.
func basic(l Login) map[string]string {
	return map[string]string{"auth": base64.StdEncoding.EncodeToString([]byte(l.Username + ":" + l.Password))}
}

// write puts the whole file in the old one's place, readable by its user alone.
func (f *configFile) write() (err error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "\t") // as the docker client writes it
	if err := encoder.Encode(f.keys); err != nil {
		return fmt.Errorf("write %s: %w", f.path, err)
	}
	dir := filepath.Dir(f.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("write Docker's configuration: %w", err)
	}
	temporary, err := os.CreateTemp(dir, ".config.json-*") // its mode is 0600
	if err != nil {
		return fmt.Errorf("write Docker's configuration: %w", err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("write Docker's configuration: %w", errors.Join(err, os.Remove(temporary.Name())))
		}
	}()
	_, err = temporary.Write(text.Bytes())
	if err = errors.Join(err, temporary.Sync(), temporary.Close()); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), f.path)
}

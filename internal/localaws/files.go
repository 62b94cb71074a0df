package localaws

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// dir is a state directory and what is in it.
type dir string

func (d dir) serverLock() string  { return d.path("server.lock") }  // held by the server as long as it lives
func (d dir) controlLock() string { return d.path("control.lock") } // held by what starts or stops a server
func (d dir) info() string        { return d.path("server.json") }  // there while a server is ready, and after it crashed
func (d dir) address() string     { return d.path("address") }      // where the last server listened
func (d dir) credentials() string { return d.path("credentials.json") }
func (d dir) log() string         { return d.path("local.log") }
func (d dir) state() string       { return d.path("state.db") }
func (d dir) secretKey() string   { return d.path("secrets.key") } // what the secret values in the state are sealed with
func (d dir) images() string      { return d.path("ecr") }
func (d dir) events() string      { return d.path("logs") }
func (d dir) engine() string      { return d.path("engine") } // package containerd's
func (d dir) docker() string      { return d.path("docker") } // package docker's

func (d dir) path(name string) string { return filepath.Join(string(d), name) }

// owned is everything in the directory, in the order in which Reset removes it. What else is there is not ours.
func (d dir) owned() []string {
	return []string{
		d.engine(), d.docker(), d.images(), d.events(), d.state(), d.secretKey(), d.info(), d.address(), d.credentials(), d.log(), d.log() + ".old",
		d.serverLock(), d.controlLock(),
	}
}

// create makes the directory, for its user alone.
func (d dir) create() error {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return d.explain(err)
	}
	return nil
}

// explain adds what can be done about an error with the state directory.
func (d dir) explain(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("no space for local AWS's state: %w; free some, or name another directory in %s", err, DirVariable)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("cannot write local AWS's state: %w; run as the user who owns %s, or name another directory in %s", err, d, DirVariable)
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("cannot use %s for local AWS's state: %w; name another directory in %s", d, err, DirVariable)
	}
	return err
}

// writeFile replaces a file in one step; only its user can read it.
func (d dir) writeFile(path string, content []byte) error {
	f, err := os.CreateTemp(string(d), "."+filepath.Base(path)+"-*")
	if err != nil {
		return d.explain(err)
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return d.explain(fmt.Errorf("write %s: %w", path, err))
	}
	return nil
}

// secretInfo is Info with its secret: what is in the info file.
type secretInfo struct {
	Info
	Secret string `json:"secretAccessKey"`
}

func (d dir) writeInfo(info Info) error {
	raw, err := json.MarshalIndent(secretInfo{info, info.SecretAccessKey}, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", d.info(), err)
	}
	return d.writeFile(d.info(), append(raw, '\n'))
}

// readInfo gives the info file; ok is false when there is none.
func (d dir) readInfo() (info Info, ok bool, err error) {
	raw, err := os.ReadFile(d.info())
	if errors.Is(err, fs.ErrNotExist) {
		return Info{}, false, nil
	}
	if err != nil {
		return Info{}, false, d.explain(err)
	}
	var found secretInfo
	if err := json.Unmarshal(raw, &found); err != nil {
		return Info{}, false, fmt.Errorf("%s is damaged: %w", d.info(), err)
	}
	found.SecretAccessKey = found.Secret
	found.Listen = cmp.Or(found.Listen, found.Host) // a server of an older version does not say
	return found.Info, true, nil
}

// lastAddress is where the last server of this directory listened; empty when there was none.
func (d dir) lastAddress() string {
	raw, err := os.ReadFile(d.address())
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(raw))
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

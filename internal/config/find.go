package config

import (
	"fmt"
	"os"
	"path/filepath"
)

// smallest is the hint of every "there is no config file".
const smallest = `write one beside your Dockerfile; the smallest that works is one line, and deploys to the local AWS:
    app: my-app`

// Find looks for the config file in dir and in every directory above it. The path is relative to dir when dir is
// relative (so that messages stay short): Find(".") is what a command wants.
func Find(dir string) (string, error) {
	start, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("resolve %s: %w", dir, err)
	}
	for at := start; ; at = filepath.Dir(at) {
		path := filepath.Join(at, FileName)
		switch info, err := os.Stat(path); {
		case err == nil && !info.IsDir():
			return shorten(dir, start, path), nil
		case err != nil && !os.IsNotExist(err):
			return "", fmt.Errorf("look for the config file: %w", err)
		}
		if other := filepath.Join(at, "medusa-deploy.yml"); isFile(other) {
			return "", Errors{{File: shorten(dir, start, other), Message: "this name is not looked for", Hint: "rename it to " + FileName}}
		}
		if at == filepath.Dir(at) {
			return "", Errors{{File: filepath.Join(dir, FileName), Message: "no such file here or in any directory above", Hint: smallest}}
		}
	}
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}

// shorten writes an absolute path the way the caller wrote dir.
func shorten(dir, start, path string) string {
	if filepath.IsAbs(dir) {
		return path
	}
	rel, err := filepath.Rel(start, path)
	if err != nil {
		return path
	}
	return filepath.Join(dir, rel)
}

package docker

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// hasProgram says whether one of the engine's programs is there.
func (e *Engine) hasProgram(name string) bool {
	info, err := os.Stat(filepath.Join(e.config.BinDir, name))
	return e.config.BinDir != "" && err == nil && info.Mode().IsRegular()
}

func buildkitCommand() []string { return []string{"/usr/bin/buildkitd", "--config", buildkitConfig} }

// certificates are where distributions of Linux keep the certificates of the authorities that they trust.
func certificates() []string {
	return []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"}
}

// ensureBuildKitImage makes BuildKit's image of the same programs that the built-in engine runs, so that both build the
// same digests. Its name says which programs those were, by their size and time.
func (e *Engine) ensureBuildKitImage(ctx context.Context) (string, error) {
	files := []archived{
		{name: "tmp", mode: 0o1777, dir: true},
		{name: "run", mode: 0o755, dir: true},
		{name: "etc/buildkit", mode: 0o755, dir: true},
		{name: "var/lib/buildkit", mode: 0o700, dir: true},
	}
	for _, name := range []string{"buildkitd", "runc", "buildctl"} { // the last is what docker-container:// calls
		if e.hasProgram(name) {
			files = append(files, archived{name: "usr/bin/" + name, file: filepath.Join(e.config.BinDir, name), mode: 0o755})
		}
	}
	for _, file := range certificates() {
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
			files = append(files, archived{name: "etc/ssl/certs/ca-certificates.crt", file: file, mode: 0o644})
			break
		}
	}
	identity, err := identify(files)
	if err != nil {
		return "", err
	}
	image := buildkitRepository + ":" + identity
	return image, e.ensureImage(ctx, image, `ENTRYPOINT ["`+strings.Join(buildkitCommand(), `", "`)+`"]`, func() io.ReadCloser { return archive(files...) })
}

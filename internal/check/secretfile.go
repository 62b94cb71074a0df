package check

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// npmToken finds what signs in at a registry. A name in place of a value (${NPM_TOKEN}) is no secret.
var npmToken = regexp.MustCompile(`(?m)^[^#;\n]*(?:_authToken|_auth|_password)\s*=\s*[^\s$"]`)

// mostOfNpmrc is how much of a file is looked at: they are short.
const mostOfNpmrc = 64 << 10

// mayHoldSecrets reports whether a file is one of those in which secrets are kept. Values are looked at in .npmrc alone,
// which mostly has none, and not kept.
func mayHoldSecrets(path string) bool {
	switch name := filepath.Base(path); {
	case name == ".env" || strings.HasPrefix(name, ".env."):
		return !exampleEnv(name)
	case name == ".npmrc":
		text, err := os.ReadFile(path)
		return err == nil && npmToken.Match(text[:min(len(text), mostOfNpmrc)])
	default:
		return slices.Contains([]string{".netrc", "id_rsa", "id_ed25519", "id_ecdsa"}, name)
	}
}

// secretFiles: a layer keeps what was copied, also when a later step removes it.
func (d dockerfile) secretFiles(add report) {
	for _, i := range lineage(d.all, finalStage(d.all, "")) {
		if i.Name != "COPY" && i.Name != "ADD" || i.From != "" {
			continue
		}
		var inside []string
		for _, file := range d.files.secretFiles {
			if covers(sources([]release.Instruction{i}), file) {
				inside = append(inside, file)
			}
		}
		if len(inside) == 0 {
			continue
		}
		add(i.Line, codeSecretFile, i.Name+" puts "+some(inside)+" into the image", "whoever can pull the image has what is in there, also when a later step removes the file",
			leaveOut(d.context, d.files, inside)+"; what a step of the build needs of it comes by RUN --mount=type=secret, what the app needs by `secrets` in the task definition")
	}
}

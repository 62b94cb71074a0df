package scaffold

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestGuideShowsTheDockerfile: docs/medusa.md shows what init writes for npm and a config that can do without the admin, and explains what others get.
func TestGuideShowsTheDockerfile(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "medusa.md"))
	if err != nil {
		t.Fatal(err)
	}
	made, err := Image(options(detect(t, apps["npm-admin"])))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```dockerfile\n")
	shown, explained, ok := strings.Cut(rest, "```\n")
	if !ok || shown != string(made[0].Content) {
		t.Errorf("docs/medusa.md shows another Dockerfile than init writes:\n%s", made[0].Content)
	}
	// Every instruction is spoken of, by its name or by what it does.
	words := regexp.MustCompile(`(?m)^(?:FROM|WORKDIR|COPY|CMD|USER|ARG) (\S+)|(--mount=type=\w+|npm ci|npm install|medusa build|node /prune\.mjs|find \. -newermt @1)`)
	for _, found := range words.FindAllStringSubmatch(shown, -1) {
		if word := found[1] + found[2]; !strings.Contains(explained, word) {
			t.Errorf("docs/medusa.md does not explain %q", word)
		}
	}
}

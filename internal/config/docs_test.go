package config

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

const docsPath = "../../docs/config.md"

var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// TestDocsAreTrue: the samples of docs/config.md are accepted, and together they show every key.
func TestDocsAreTrue(t *testing.T) {
	raw, err := os.ReadFile(docsPath)
	if err != nil {
		t.Fatal(err)
	}
	blocks := yamlBlock.FindAllStringSubmatch(string(raw), -1)
	if len(blocks) < 2 {
		t.Fatalf("found %d samples", len(blocks))
	}
	all := ""
	for _, block := range blocks {
		if _, err := Load(write(t, block[1]), environment); err != nil {
			t.Errorf("a sample is refused: %v", err)
		}
		all += block[1]
	}
	for _, keys := range [][]key{
		configKeys(&Config{}), imageKeys(&Image{}), prepareKeys(&Prepare{}), targetKeys(&targetEntry{}),
		migrateKeys(&Migrate{}), definitionKeys(&Definition{}), signKeys(&Sign{}), requirementKeys(&RequireSignature{}),
		cacheKeys(&Image{}), secretKeys(&Secret{}),
	} {
		for _, k := range keys {
			if !regexp.MustCompile(`[\s{]` + k.name + `:`).MatchString("\n" + all) {
				t.Errorf("no sample shows the key %q", k.name)
			}
		}
	}
}

// TestBuildOptionsAreTrue: the samples of docs/build-options.md are accepted, and say something.
func TestBuildOptionsAreTrue(t *testing.T) {
	raw, err := os.ReadFile("../../docs/build-options.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := yamlBlock.FindAllStringSubmatch(string(raw), -1)
	if len(blocks) == 0 {
		t.Fatal("there are no samples")
	}
	for _, block := range blocks {
		if _, err := Load(write(t, block[1]), environment); err != nil {
			t.Errorf("a sample is refused: %v", err)
		}
	}
}

// TestDocsQuoteTheProgram: the message that docs/config.md shows is what the program says.
func TestDocsQuoteTheProgram(t *testing.T) {
	raw, err := os.ReadFile(docsPath)
	if err != nil {
		t.Fatal(err)
	}
	said, err := os.ReadFile("testdata/bad/unknown-keys.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, quoted, ok := strings.Cut(string(raw), "    medusa-deploy.yaml:9:5: ")
	if !ok {
		t.Fatal("the quotation is gone")
	}
	quoted, _, _ = strings.Cut(quoted, "\n\n")
	quoted = strings.ReplaceAll(quoted, "\n    ", "\n")
	if !strings.Contains(string(said), quoted) {
		t.Errorf("docs quote %q, which is not in\n%s", quoted, said)
	}
}

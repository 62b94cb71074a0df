package check

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// TestSecretFiles: what has secrets and ends in the image is found, by the line that copies it.
func TestSecretFiles(t *testing.T) {
	const whole = "FROM node:22\nCOPY package.json .\nRUN npm ci\nCOPY . ." + clean
	for name, tc := range map[string]struct {
		file  string
		files map[string]string
		want  string // the finding's problem; empty: none
		line  string
	}{
		".env":                     {whole, map[string]string{".env": "A=1"}, "COPY puts .env into the image", ":4"},
		"several":                  {whole, map[string]string{".env.production": "", "apps/a/.env": "", ".netrc": "", "keys/id_rsa": ""}, ".env.production, .netrc, apps/a/.env and 1 more", ":4"},
		"by name":                  {"FROM node:22\nCOPY .env.production /app/.env" + clean, map[string]string{".env.production": ""}, ".env.production", ":2"},
		"by a pattern":             {"FROM node:22\nADD .env* /app/" + clean, map[string]string{".env": "", ".env.example": ""}, "ADD puts .env into", ":2"},
		"no secrets":               {whole, map[string]string{".env.template": "", ".env.example": "", ".env.test": "", "env": "", "id_rsa.pub": ""}, "", ""},
		"left out":                 {whole, map[string]string{".env": "", ".dockerignore": ".env"}, "", ""},
		"not copied":               {"FROM node:22\nCOPY src /app" + clean, map[string]string{".env": "", "src/a": ""}, "", ""},
		"in a stage that stays":    {"FROM node:22 AS b\nCOPY . .\nFROM node:22\nCOPY --from=b /app /app" + clean, map[string]string{".env": ""}, "", ""},
		"a stage that is built on": {"FROM node:22 AS b\nCOPY . .\nFROM b" + clean, map[string]string{".env": ""}, ".env", ":2"},
		"a token for npm":          {"FROM node:22\nCOPY package.json .npmrc ./\nRUN npm ci" + clean, map[string]string{".npmrc": "registry=https://r\n//r/:_authToken=npm_hunter2\n"}, ".npmrc", ":2"},
		"a password for npm":       {whole, map[string]string{".npmrc": "//r/:_password = hunter2"}, ".npmrc", ":4"},
		"a token by its name":      {whole, map[string]string{".npmrc": "//r/:_authToken=${NPM_TOKEN}\nsave-exact=true\n"}, "", ""},
		"a token in a comment":     {whole, map[string]string{".npmrc": "# //r/:_authToken=npm_x\n; _auth=x\nlegacy-peer-deps=true"}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"package.json": "{}"}
			for file, text := range tc.files {
				files[file] = text
			}
			req, p := building(t, tc.file, files)
			findings := checkBuild(t, req, p)
			if tc.want == "" {
				if len(findings) > 0 {
					t.Errorf("findings = %+v", findings)
				}
				return
			}
			if len(findings) != 1 || findings[0].Code != "MD075" || !strings.Contains(findings[0].Problem, tc.want) || !strings.HasSuffix(findings[0].Where, tc.line) {
				t.Fatalf("findings = %+v", findings)
			}
			if f := findings[0]; strings.Contains(f.Problem+f.Cure+f.Why, "hunter2") || !strings.Contains(f.Cure, filepath.Join(req.ContextDir, ".dockerignore")) {
				t.Errorf("%+v", f)
			}
		})
	}
}

// TestSecretFileThatCannotBeRead is no finding: the build will say it.
func TestSecretFileThatCannotBeRead(t *testing.T) {
	dir := plant(t, map[string]string{".npmrc": "_authToken=x"})
	if err := os.Remove(filepath.Join(dir, ".npmrc")); err != nil {
		t.Fatal(err)
	}
	if mayHoldSecrets(filepath.Join(dir, ".npmrc")) {
		t.Error("a file that is gone has secrets")
	}
}

// TestHealthcheckForECS: the cure of a HEALTHCHECK has it in the words of a task definition.
func TestHealthcheckForECS(t *testing.T) {
	d := dockerfile{path: "Dockerfile", all: []release.Instruction{
		{Name: "FROM", Line: 1, Words: []string{"scratch", ""}}, {Name: "USER", Line: 2, Words: []string{"1"}},
		{Name: "HEALTHCHECK", Line: 3, Words: []string{"CMD-SHELL", `curl -f "localhost" || exit 1`}},
	}}
	findings := d.judge()
	if diff := cmp.Diff([]string{"MD041"}, codes(findings)); diff != "" {
		t.Fatal(diff)
	}
	if want := `"healthCheck": {"command": ["CMD-SHELL","curl -f \"localhost\" || exit 1"], "interval": 10`; !strings.Contains(findings[0].Cure, want) {
		t.Errorf("cure = %s, want %s", findings[0].Cure, want)
	}
}

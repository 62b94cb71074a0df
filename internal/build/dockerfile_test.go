package build

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

func TestReadDockerfile(t *testing.T) {
	const file = `# syntax=docker/dockerfile:1
ARG NODE=22
ARG BASE=node:${NODE}-slim
FROM --platform=$BUILDPLATFORM ${BASE} AS build
ARG NPM_TOKEN
ENV A=1 EMPTY="" B=2 NODE_ENV="production" ADMIN_PASSWORD=x MEDUSA_BACKEND_URL=$A ADMIN_CORS=
COPY package*.json ./
RUN --mount=type=bind,source=.npmrc,target=/x --mount=type=cache,target=/c --mount=from=build,target=/y \
    npm ci
RUN <<EOF
npm run build
EOF
FROM $UNKNOWN
COPY --from=build /app /app
ADD https://example.com/x.tar a /opt/
ADD --checksum=sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef https://example.com/y.tar /opt/
user 1000
WORKDIR /app
HEALTHCHECK CMD curl localhost
EXPOSE 9000
ENTRYPOINT ["tini", "--"]
CMD node server.js
`
	got, err := readDockerfile([]byte(file), map[string]string{"NODE": "24"})
	if err != nil {
		t.Fatal(err)
	}
	want := []release.Instruction{
		{Name: "SYNTAX", Line: 1, Stage: -1, Words: []string{"docker/dockerfile:1"}},
		{Name: "ARG", Line: 2, Stage: -1, Words: []string{"NODE"}},
		{Name: "ARG", Line: 3, Stage: -1, Words: []string{"BASE"}},
		{Name: "FROM", Line: 4, Words: []string{"node:24-slim", "build"}, Platform: "$BUILDPLATFORM"},
		{Name: "ARG", Line: 5, Words: []string{"NPM_TOKEN"}},
		{Name: "ENV", Line: 6, Words: []string{"A", "B", "NODE_ENV", "ADMIN_PASSWORD", "MEDUSA_BACKEND_URL"}, Values: map[string]string{"NODE_ENV": "production", "ADMIN_CORS": ""}},
		{Name: "COPY", Line: 7, Words: []string{"package*.json"}, To: "./"},
		{Name: "RUN", Line: 8, Words: []string{"npm ci"}, Shell: true},
		{Name: "MOUNT", Line: 8, Words: []string{".npmrc"}},
		{Name: "MOUNT", Line: 8, Words: []string{"."}, From: "build"},
		{Name: "RUN", Line: 10, Words: []string{"<<EOF", "npm run build\n"}, Shell: true},
		{Name: "FROM", Line: 13, Stage: 1, Words: []string{"$UNKNOWN", ""}},
		{Name: "COPY", Line: 14, Stage: 1, Words: []string{"/app"}, To: "/app", From: "build"},
		{Name: "ADD", Line: 15, Stage: 1, Words: []string{"https://example.com/x.tar", "a"}, To: "/opt/"},
		{Name: "ADD", Line: 16, Stage: 1, Words: []string{"https://example.com/y.tar"}, To: "/opt/", Verified: true},
		{Name: "USER", Line: 17, Stage: 1, Words: []string{"1000"}},
		{Name: "WORKDIR", Line: 18, Stage: 1, Words: []string{"/app"}},
		{Name: "HEALTHCHECK", Line: 19, Stage: 1, Words: []string{"CMD-SHELL", "curl localhost"}},
		{Name: "EXPOSE", Line: 20, Stage: 1},
		{Name: "ENTRYPOINT", Line: 21, Stage: 1, Words: []string{"tini", "--"}},
		{Name: "CMD", Line: 22, Stage: 1, Words: []string{"node server.js"}, Shell: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestReadDockerfileThatIsWrong(t *testing.T) {
	for name, tc := range map[string]struct {
		file string
		line int
		want string
	}{
		"mistyped":        {"FROM scratch\n\nCOPPY a b\n", 3, "unknown instruction: COPPY"},
		"an argument":     {"FROM scratch\nCOPY a\n", 2, "COPY requires at least two arguments"},
		"no FROM":         {"ARG A=1\n", 0, "there is no FROM"},
		"before FROM":     {"RUN true\n", 1, "no build stage"},
		"empty":           {"", 0, "no instructions"},
		"an open heredoc": {"FROM scratch\nRUN <<EOF\ntrue\n", 2, "unterminated heredoc"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "Dockerfile")
			if err := os.WriteFile(path, []byte(tc.file), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := ReadDockerfile(path, nil)
			var failed *release.BuildError
			if !errors.As(err, &failed) {
				t.Fatalf("error = %v", err)
			}
			if failed.Line != tc.line || failed.Dockerfile != path || !strings.Contains(failed.Err.Error(), tc.want) {
				t.Errorf("line %d: %v; want line %d: %s", failed.Line, failed.Err, tc.line, tc.want)
			}
		})
	}
	if _, err := ReadDockerfile(filepath.Join(t.TempDir(), "none"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error = %v", err)
	}
}

// TestReadDockerfileOfAnotherFrontend: what only the named frontend understands is no mistake.
func TestReadDockerfileOfAnotherFrontend(t *testing.T) {
	got, err := readDockerfile([]byte("# syntax=example.com/own:1\nTHING x\n"), nil)
	if err != nil || len(got) != 1 || got[0].Name != "SYNTAX" {
		t.Errorf("got %v, %v", got, err)
	}
}

func FuzzReadDockerfile(f *testing.F) {
	f.Add("# syntax=a\nARG A\nFROM $A AS b\nRUN --mount=type=bind,from=b,target=/x <<E\nx\nE\nCMD [\"a\"]\n")
	f.Add("# escape=`\nFROM scratch\nENV A=1 B=\nONBUILD COPY . .\nHEALTHCHECK NONE\n")
	f.Add("FROM ${A:-b}\nADD --chown=1 https://x y /z\nUSER $U\n")
	f.Fuzz(func(t *testing.T, file string) {
		all, err := readDockerfile([]byte(file), map[string]string{"A": "b"})
		if err != nil {
			return
		}
		lines := strings.Count(file, "\n") + 1
		for _, i := range all {
			if i.Name == "" || i.Line < 0 || i.Line > lines || i.Stage < -1 {
				t.Errorf("%+v has no place in %d lines", i, lines)
			}
		}
	})
}

package scaffold

import (
	"strings"
	"testing"
)

// TestImageReadsTheProject shows what the Dockerfile takes from a project's files.
func TestImageReadsTheProject(t *testing.T) {
	for _, tt := range []struct {
		files map[string]string
		want  []string
	}{
		{map[string]string{"package.json": medusa + `,"scripts":{"prepare":"husky"}}`, "package-lock.json": "{}", "patches/a.patch": "", ".npmrc": "//r/:_authToken=${NPM_TOKEN}\n${NPM_TOKEN}"},
			[]string{"RUN npm pkg delete scripts.prepare\n", "COPY patches ./patches\n", "--mount=type=secret,id=npmrc,target=/root/.npmrc --mount=type=secret,id=NPM_TOKEN,env=NPM_TOKEN \\\n"}},
		{map[string]string{"package.json": medusa + `,"packageManager":"pnpm@10.1.0+sha512.abc"}`}, []string{"pnpm@10.1.0\n", "pnpm install --store-dir /pnpm --prod "}},
		{map[string]string{"package.json": medusa + `}`, "yarn.lock": "", ".yarnrc.yml": "npmAuthToken: ${TOKEN-}"},
			[]string{"@yarnpkg/cli-dist@4\n", "id=yarnrc,target=/root/.yarnrc.yml --mount=type=secret,id=TOKEN,env=TOKEN"}},
	} {
		made, err := Image(options(detect(t, tt.files)))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range tt.want {
			if !strings.Contains(string(made[0].Content), want) {
				t.Errorf("no %q in\n%s", want, made[0].Content)
			}
		}
		if strings.Count(string(made[0].Content), "NPM_TOKEN,env") > 2 {
			t.Error("a token is mounted twice")
		}
	}
	// Somebody's own Dockerfile has no use for the program.
	for dockerfile, files := range map[string]int{"FROM scratch": 2, "RUN node Dockerfile.prune.mjs": 3} {
		made, err := Image(options(detect(t, map[string]string{"package.json": medusa + `}`, "Dockerfile": dockerfile})))
		if err != nil || len(made) != files {
			t.Errorf("beside %q: %d files, %v", dockerfile, len(made), err)
		}
	}
}

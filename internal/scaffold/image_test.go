package scaffold

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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

// TestAdminSource runs the step that leaves out what the admin is not made from, on sources that import from there and ones
// that don't.
func TestAdminSource(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("needs a shell")
	}
	made, err := Image(options(detect(t, apps["npm-admin"])))
	if err != nil {
		t.Fatal(err)
	}
	_, step, ok := strings.Cut(string(made[0].Content), "FROM base AS admin-source\nCOPY . .\nRUN ")
	step, _, _ = strings.Cut(step, "\n\n")
	if !ok {
		t.Fatalf("there is no such step:\n%s", made[0].Content)
	}
	all := []string{"api", "jobs", "workflows"}
	for name, c := range map[string]struct {
		file, text string
		left       []string
	}{
		"nothing":            {"src/admin/page.tsx", `fetch("/api/x"); import x from "../lib/api"; import("https://acme.example/api/x")`, nil},
		"a module":           {"src/modules/brand/service.ts", `import { work } from "../../workflows/work"`, all},
		"a directory":        {"src/admin/page.tsx", `import { schema } from '../../api'`, all},
		"an alias":           {"src/admin/page.tsx", `import { schema } from "@/api/schema"`, all},
		"from the root":      {"src/admin/page.tsx", `import { schema } from "src/jobs/schema"`, all},
		"the configuration":  {"medusa-config.ts", `export default {modules: [{resolve: "./src/workflows/own"}]}`, all},
		"what it leaves out": {"src/api/route.ts", `import { work } from "../workflows/work"`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			dir, aside := project(t, map[string]string{"src/api/route.ts": "", "src/jobs/job.ts": "", "src/workflows/work.ts": "", "medusa-config.ts": adminSwitch, c.file: c.text}), t.TempDir()
			script := strings.ReplaceAll(step, "mkdir /server ", "true ")
			run := exec.Command("sh", "-euc", strings.ReplaceAll(script, "/server/", aside+"/"))
			run.Dir = dir
			if out, err := run.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			var left []string
			for _, one := range all {
				if exists(dir, "src/"+one) {
					left = append(left, one)
				}
			}
			if diff := cmp.Diff(c.left, left); diff != "" {
				t.Errorf("what is left of what the server reads (-want +got):\n%s", diff)
			}
		})
	}
}

package medusa

import (
	"cmp"
	"path/filepath"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

const manifestOf = `{"dependencies": {"@medusajs/medusa": "2.21.2", "@medusajs/framework": "2.21.2"}, "engines": {"node": ">=22"}, "scripts": {"start": "medusa start"}}`

func TestFind(t *testing.T) {
	for name, tc := range map[string]struct {
		files      map[string]string
		dockerfile string
		want       string // its directory; empty: none
		config     string
	}{
		"nothing":             {},
		"not for npm":         {files: map[string]string{"package.json": `{"dependencies": []}`}},
		"no Medusa":           {files: map[string]string{"package.json": `{"dependencies": {"next": "15"}}`}},
		"Medusa 1":            {files: map[string]string{"package.json": `{"dependencies": {"@medusajs/medusa": "^1.20.0"}}`, "medusa-config.js": ""}},
		"a plugin":            {files: map[string]string{"package.json": `{"devDependencies": {"@medusajs/medusa": "2.1.0"}, "peerDependencies": {"@medusajs/framework": "2.1.0"}}`}},
		"a storefront":        {files: map[string]string{"package.json": `{"dependencies": {"@medusajs/js-sdk": "2.1.0"}}`}},
		"an app":              {files: map[string]string{"package.json": manifestOf, "medusa-config.ts": ""}, want: ".", config: "medusa-config.ts"},
		"an app in JS":        {files: map[string]string{"package.json": `{"dependencies": {"@medusajs/medusa": "latest"}}`, "medusa-config.js": ""}, want: ".", config: "medusa-config.js"},
		"without a config":    {files: map[string]string{"package.json": manifestOf}, want: "."},
		"beside Dockerfile":   {files: map[string]string{"package.json": "{}", "apps/shop/package.json": manifestOf}, dockerfile: "apps/shop/Dockerfile", want: "apps/shop"},
		"npm workspaces":      {files: map[string]string{"package.json": `{"workspaces": ["apps/*", "packages/x"]}`, "apps/shop/package.json": manifestOf, "apps/shop/medusa-config.ts": "", "apps/web/package.json": "{}"}, want: "apps/shop", config: "apps/shop/medusa-config.ts"},
		"yarn workspaces":     {files: map[string]string{"package.json": `{"workspaces": {"packages": ["apps/**"]}}`, "apps/shop/package.json": manifestOf, "apps/shop/medusa-config.ts": ""}, want: "apps/shop", config: "apps/shop/medusa-config.ts"},
		"pnpm workspaces":     {files: map[string]string{"pnpm-workspace.yaml": "packages:\n  - '!apps/old'\n  - apps/*\n", "apps/shop/package.json": manifestOf, "apps/shop/medusa-config.ts": ""}, want: "apps/shop", config: "apps/shop/medusa-config.ts"},
		"two apps":            {files: map[string]string{"package.json": `{"workspaces": ["apps/*"]}`, "apps/a/package.json": manifestOf, "apps/a/medusa-config.ts": "", "apps/b/package.json": manifestOf, "apps/b/medusa-config.ts": ""}},
		"workspaces outside":  {files: map[string]string{"package.json": `{"workspaces": ["../*", "/etc"]}`}},
		"a plugin beside one": {files: map[string]string{"package.json": `{"workspaces": ["apps/*"]}`, "apps/a/package.json": manifestOf, "apps/a/medusa-config.ts": "", "apps/b/package.json": manifestOf}, want: "apps/a", config: "apps/a/medusa-config.ts"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := plant(t, tc.files)
			app, ok := Find(dir, filepath.Join(dir, cmp.Or(tc.dockerfile, "Dockerfile")))
			if ok != (tc.want != "") {
				t.Fatalf("%+v, %v", app, ok)
			}
			if ok && (app.Dir != filepath.Join(dir, tc.want) || app.Config != "" && app.Config != filepath.Join(dir, tc.config) || app.Config == "" && tc.config != "") {
				t.Errorf("%+v", app)
			}
		})
	}
}

// TestEngines: the app's own range, and that of the Medusa which is installed or locked.
func TestEngines(t *testing.T) {
	for name, tc := range map[string]struct {
		files map[string]string
		want  string
	}{
		"nobody says":  {nil, ">=20"},
		"locked":       {map[string]string{"package-lock.json": `{"packages": {"node_modules/old": {"engines": ["node"]}, "node_modules/@medusajs/medusa": {"engines": {"node": "^20.19.0 || >=22.12.0"}}}}`}, "^20.19.0 || >=22.12.0"},
		"installed":    {map[string]string{"node_modules/@medusajs/medusa/package.json": `{"engines": {"node": ">=24"}}`}, ">=24"},
		"an odd lock":  {map[string]string{"package-lock.json": `[]`}, ">=20"},
		"nothing said": {map[string]string{"package-lock.json": `{"packages": {"node_modules/@medusajs/medusa": {}}}`}, ">=20"},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"package.json": manifestOf}
			for file, text := range tc.files {
				files[file] = text
			}
			dir := plant(t, files)
			app, _ := Find(dir, filepath.Join(dir, "Dockerfile"))
			if diff := gocmp.Diff([]Engine{{"package.json", ">=22"}, {"Medusa", tc.want}}, app.Engines); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestReadyRoute(t *testing.T) {
	dir := plant(t, map[string]string{"package.json": manifestOf, "src/api/ready/route.ts": ""})
	if app, _ := Find(dir, filepath.Join(dir, "Dockerfile")); app.Ready != "/ready" {
		t.Errorf("%q", app.Ready)
	}
}

// TestCommands: what is run in the end, through shells, package managers and scripts.
func TestCommands(t *testing.T) {
	app := App{
		Dir: plant(t, map[string]string{
			"start.sh":            "#!/bin/sh\nset -e\n# npx medusa db:setup\necho 'medusa db:setup'\nnpx medusa db:migrate\nexec \"$@\"\n",
			"docker/other.sh":     "exec medusa start",
			"scripts/endless.sh":  "sh endless.sh",
			"scripts/mistaken.sh": "if then",
		}),
		Scripts: map[string]string{
			"start": "cd .medusa/server && medusa start", "prestart": "medusa db:migrate", "dev": "medusa develop", "loop": "npm run loop",
			"all": "npm run dev & npm start", "wrapped": "cross-env A=1 dotenv -- medusa start",
		},
	}
	for name, tc := range map[string]struct {
		argv []string
		is   []string // of medusa's
		not  []string
		via  string
	}{
		"itself":                {[]string{"medusa", "start"}, []string{"start"}, []string{"db:migrate", "develop"}, ""},
		"by its path":           {[]string{"node_modules/.bin/medusa", "start"}, []string{"start"}, nil, ""},
		"by npx":                {[]string{"npx", "--no-install", "medusa", "start"}, []string{"start"}, nil, ""},
		"by node":               {[]string{"node", "node_modules/@medusajs/cli/cli.js", "start"}, []string{"start"}, nil, ""},
		"behind tini":           {[]string{"/usr/bin/tini", "-g", "--", "npm", "run", "dev"}, []string{"develop"}, []string{"start"}, "the script dev of package.json"},
		"npm start":             {[]string{"npm", "start"}, []string{"db:migrate", "start"}, nil, "the script prestart of package.json"},
		"yarn start":            {[]string{"yarn", "start", "--port", "1"}, []string{"start"}, []string{"db:migrate"}, "the script start of package.json"},
		"pnpm run start":        {[]string{"pnpm", "--silent", "run", "start"}, []string{"start"}, []string{"db:migrate"}, "the script start of package.json"},
		"scripts in scripts":    {[]string{"npm", "run", "all"}, []string{"develop", "db:migrate", "start"}, nil, "the script dev of package.json"},
		"a shell":               {[]string{"sh", "-c", "npx medusa db:migrate && npx medusa start"}, []string{"db:migrate", "start"}, nil, ""},
		"a shell with flags":    {[]string{"/bin/bash", "-ec", "A=1 medusa start"}, []string{"start"}, nil, ""},
		"only said":             {[]string{"sh", "-c", "echo 'medusa db:migrate' # medusa db:migrate\nmedusa start"}, []string{"start"}, []string{"db:migrate"}, ""},
		"a file":                {[]string{"/usr/local/bin/start.sh", "medusa", "start"}, []string{"db:migrate", "start"}, []string{"db:setup"}, "start.sh"},
		"a file for a shell":    {[]string{"sh", "./other.sh"}, []string{"start"}, nil, "docker/other.sh"},
		"by node's entry":       {[]string{"docker-entrypoint.sh", "npm", "run", "wrapped"}, []string{"start"}, nil, "the script wrapped of package.json"},
		"a script without end":  {[]string{"npm", "run", "loop"}, nil, []string{"start"}, ""},
		"a file without end":    {[]string{"endless.sh"}, nil, []string{"start"}, ""},
		"what no shell takes":   {[]string{"mistaken.sh"}, nil, []string{"start"}, ""},
		"a file that is absent": {[]string{"./absent.sh", "medusa", "start"}, []string{"start"}, nil, ""},
		"nothing":               {nil, nil, []string{"start"}, ""},
		"something else":        {[]string{"node", "server.js"}, nil, []string{"start"}, ""},
		"in a variable":         {[]string{"sh", "-c", `"$CMD" start; ${X:-medusa} start`}, nil, []string{"start"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			commands := app.Commands(tc.argv)
			has := func(what string) (via string, ok bool) {
				for _, c := range commands {
					if c.Is(what) {
						return c.Via, true
					}
				}
				return "", false
			}
			for i, what := range tc.is {
				via, ok := has(what)
				if !ok || i == 0 && via != tc.via {
					t.Errorf("medusa %s: %v, by %q; want by %q", what, ok, via, tc.via)
				}
			}
			for _, what := range tc.not {
				if _, ok := has(what); ok {
					t.Errorf("medusa %s is run", what)
				}
			}
		})
	}
}

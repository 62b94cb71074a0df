package medusa

import (
	"context"
	_ "embed"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// plant writes files into a directory of its own.
func plant(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func run(t *testing.T, config string, env Environment) (Facts, error) {
	t.Helper()
	c, err := LoadConfig(filepath.Join(plant(t, map[string]string{"medusa-config.ts": config}), "medusa-config.ts"))
	if err != nil {
		t.Fatal(err)
	}
	return c.Run(t.Context(), env)
}

// production is an environment with everything that Medusa needs.
func production(more ...string) Environment {
	env := Environment{Values: map[string]string{"NODE_ENV": "production"}, Hidden: []string{"DATABASE_URL", "JWT_SECRET", "COOKIE_SECRET"}}
	for _, pair := range more {
		name, value, _ := strings.Cut(pair, "=")
		env.Values[name] = value
	}
	return env
}

// template is what create-medusa-app writes.
//
//go:embed testdata/medusa-config.ts
var template string

var allInside = map[Kind]bool{Cache: true, Events: true, Workflows: true, Locks: true, Files: true}

func TestTemplate(t *testing.T) {
	got, err := run(t, template, Environment{Values: map[string]string{"NODE_ENV": "production", "STORE_CORS": "https://shop.example"}, Hidden: []string{"DATABASE_URL", "JWT_SECRET"}})
	if err != nil {
		t.Fatal(err)
	}
	want := Facts{
		DatabaseURL: "postgres://user@" + Unknown + ":5432/medusa", WorkerMode: "shared", JWTSecret: Unknown, CookieSecret: DefaultSecret,
		CORS: [3]string{"https://shop.example", "", ""}, AdminKnown: true, BackendURL: "/", Kept: allInside,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestDefaults: what a config leaves out Medusa takes from the environment, or from itself.
func TestDefaults(t *testing.T) {
	const empty = `import { defineConfig } from "@medusajs/framework/utils"; export default defineConfig()`
	got, err := run(t, empty, Environment{Values: map[string]string{"NODE_ENV": "production"}})
	want := Facts{DatabaseURL: DefaultDatabase, WorkerMode: "shared", CORS: [3]string{defaultStore, defaultAdmin, defaultAdmin}, AdminKnown: true, BackendURL: "/", Kept: allInside}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	got, err = run(t, empty, Environment{Values: map[string]string{
		"NODE_ENV": "development", "DATABASE_URL": "d", "STORE_CORS": "s", "AUTH_CORS": "a", "MEDUSA_WORKER_MODE": "worker", "MEDUSA_BACKEND_URL": "b",
	}})
	want = Facts{DatabaseURL: "d", WorkerMode: "worker", JWTSecret: DefaultSecret, CookieSecret: DefaultSecret, CORS: [3]string{"s", defaultAdmin, "a"}, AdminKnown: true, BackendURL: "b", Kept: allInside}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

// TestModules: where modules keep things, in the forms that people write them.
func TestModules(t *testing.T) {
	const (
		head  = `import { defineConfig, Modules } from "@medusajs/framework/utils"; module.exports = defineConfig({ modules: `
		redis = `{ resolve: "@medusajs/medusa/event-bus-redis", options: { redisUrl: process.env.REDIS_URL } }, { resolve: "@medusajs/medusa/workflow-engine-redis", options: {} }`
	)
	for name, tc := range map[string]struct {
		modules string
		env     []string
		inside  []Kind
	}{
		"none":                    {"undefined", nil, []Kind{Cache, Events, Workflows, Locks, Files}},
		"an array":                {"[" + redis + "]", nil, []Kind{Cache, Locks, Files}},
		"an object":               {`{ [Modules.EVENT_BUS]: { resolve: "@medusajs/event-bus-redis" }, [Modules.CACHE]: { resolve: "@medusajs/cache-redis" } }`, nil, []Kind{Workflows, Locks, Files}},
		"depends: without":        {`process.env.REDIS_URL ? [` + redis + `] : []`, nil, []Kind{Cache, Events, Workflows, Locks, Files}},
		"depends: with":           {`process.env.REDIS_URL ? [` + redis + `] : []`, []string{"REDIS_URL=redis://r"}, []Kind{Cache, Locks, Files}},
		"spread":                  {`[...(process.env.REDIS_URL ? [` + redis + `] : [])]`, []string{"REDIS_URL=redis://r"}, []Kind{Cache, Locks, Files}},
		"later ones count":        {`[` + redis + `, { resolve: "@medusajs/medusa/event-bus-local" }]`, nil, []Kind{Cache, Events, Locks, Files}},
		"in a comment":            {`[/* ` + redis + ` */]`, nil, []Kind{Cache, Events, Workflows, Locks, Files}},
		"caching":                 {`[{ resolve: "@medusajs/medusa/caching", options: { providers: [{ resolve: "@medusajs/caching-redis", id: "r" }] } }]`, nil, []Kind{Events, Workflows, Locks, Files}},
		"locking by redis":        {`[{ resolve: "@medusajs/medusa/locking", options: { providers: [{ resolve: "@medusajs/medusa/locking-redis", id: "r", is_default: true }] } }]`, nil, []Kind{Cache, Events, Workflows, Files}},
		"locking by postgres":     {`{ [Modules.LOCKING]: { resolve: "@medusajs/medusa/locking", options: { providers: [{ resolve: "@medusajs/locking-postgres", id: "p" }] } } }`, nil, []Kind{Cache, Events, Workflows, Files}},
		"files in S3":             {`[{ resolve: "@medusajs/medusa/file", options: { providers: [{ resolve: "@medusajs/medusa/file-s3", id: "s3" }] } }]`, nil, []Kind{Cache, Events, Workflows, Locks}},
		"files here":              {`[{ resolve: "@medusajs/medusa/file", options: { providers: [{ resolve: "@medusajs/file-local", id: "l" }] } }]`, nil, []Kind{Cache, Events, Workflows, Locks, Files}},
		"files by somebody":       {`[{ resolve: "@medusajs/medusa/file", options: { providers: [{ resolve: "./src/modules/minio", id: "m" }] } }]`, nil, []Kind{Cache, Events, Workflows, Locks}},
		"files by an own module":  {`[{ resolve: "./src/modules/minio-file" }]`, nil, []Kind{Cache, Events, Workflows, Locks}},
		"an own bus, with a key":  {`[{ key: Modules.EVENT_BUS, resolve: "./src/modules/nats" }]`, nil, []Kind{Cache, Workflows, Locks, Files}},
		"an own bus":              {`[{ resolve: "./src/modules/nats-event-bus" }]`, nil, []Kind{Cache, Workflows, Locks, Files}},
		"an own thing":            {`[{ resolve: "./src/modules/brand" }]`, nil, []Kind{Cache, Events, Workflows, Locks, Files}},
		"by require.resolve":      {`[{ resolve: require.resolve("@medusajs/medusa/event-bus-redis") }]`, nil, []Kind{Cache, Workflows, Locks, Files}},
		"a module as a value":     {`[{ resolve: require("some-package") }]`, nil, nil},
		"keys that are made up":   {`{ eventBus: { resolve: "@medusajs/medusa/event-bus-redis" }, cacheService: { resolve: "@medusajs/cache-redis" }, shop: { resolve: "./src/modules/shop" } }`, nil, []Kind{Workflows, Locks, Files}},
		"switched off":            {`{ [Modules.CACHE]: false, [Modules.LOCKING]: { disable: true, resolve: "@medusajs/medusa/locking" } }`, nil, []Kind{Events, Workflows, Files}},
		"another of Medusa's own": {`[{ resolve: "@medusajs/medusa/notification", options: { providers: [{ resolve: "@medusajs/medusa/notification-sendgrid", id: "s" }] } }]`, nil, []Kind{Cache, Events, Workflows, Locks, Files}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := run(t, head+tc.modules+" })", production(tc.env...))
			if err != nil {
				t.Fatal(err)
			}
			want := map[Kind]bool{Cache: false, Events: false, Workflows: false, Locks: false, Files: false}
			for _, k := range tc.inside {
				want[k] = true
			}
			if diff := cmp.Diff(want, got.Kept); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestUnsure: what hangs on something that is not there is said, and not guessed.
func TestUnsure(t *testing.T) {
	for name, tc := range map[string]struct {
		config string
		env    func(*Environment)
		on     string
	}{
		"a package decides":         {`const { on } = require("flags"); module.exports = { projectConfig: { workerMode: on("x") ? "worker" : "server" } }`, nil, "flags.on()"},
		"a package makes it":        {`module.exports = require("presets").shop({})`, nil, "presets.shop()"},
		"a package makes a part":    {`module.exports = { modules: require("presets").modules }`, nil, "the modules"},
		"spread from a package":     {`module.exports = { projectConfig: { ...require("presets") } }`, nil, "what is in presets"},
		"validated by a package":    {`import { z } from "zod"; const env = z.object({}).parse(process.env); export default { projectConfig: { redisUrl: env.REDIS_URL, workerMode: env.MODE } }`, nil, "zod"},
		"a file decides":            {`import fs from "node:fs"; module.exports = { projectConfig: { workerMode: fs.existsSync("x") ? "worker" : "server" } }`, nil, "whether x is there"},
		"a variable that may be":    {`module.exports = { admin: { disable: process.env.OFF === "true" } }`, func(e *Environment) { e.Maybe = []string{"OFF"} }, "the variable OFF"},
		"variables from elsewhere":  {`module.exports = { admin: { disable: process.env.OFF === "true" } }`, func(e *Environment) { e.Open = true }, "the variable OFF"},
		"it fails after a stranger": {`const x = require("a").load(); module.exports = { a: x.b.c() + null.d }`, nil, "a.load()"},
	} {
		t.Run(name, func(t *testing.T) {
			env := production()
			if tc.env != nil {
				tc.env(&env)
			}
			_, err := run(t, tc.config, env)
			var unsure *Unsure
			if !errors.As(err, &unsure) || !strings.Contains(err.Error(), tc.on) {
				t.Errorf("error = %v, want one about %s", err, tc.on)
			}
		})
	}
}

// TestSure: strangers that decide nothing do no harm.
func TestSure(t *testing.T) {
	for name, config := range map[string]string{
		"a certificate":      `import fs from "fs"; import { join } from "path"; module.exports = { projectConfig: { databaseDriverOptions: { ssl: { ca: fs.readFileSync(join(__dirname, "ca.pem")).toString() } } } }`,
		"a logger":           `import { createLogger } from "winston"; module.exports = { logger: createLogger({}), projectConfig: {} }`,
		"a side effect":      `import "reflect-metadata"; import * as Sentry from "@sentry/node"; Sentry.init({ dsn: process.env.DSN }); module.exports = { projectConfig: {} }`,
		"a dotenv":           `import dotenv from "dotenv"; dotenv.config({ path: "../.env" }); module.exports = { projectConfig: {} }`,
		"a variable in use":  `module.exports = { projectConfig: { redisOptions: { tls: new URL(process.env.DATABASE_URL).protocol === "rediss:" ? {} : undefined } } }`,
		"newer words":        `const env = process.env; export default { projectConfig: { redisUrl: env?.REDIS_URL ?? undefined, http: { ...{} } } satisfies object, admin: { vite: () => ({ x: 1n }) } } as const`,
		"an enum and a type": `enum Mode { A = "shared" } type T = { a: Mode }; const m: T = { a: Mode.A }; export default { projectConfig: { workerMode: m.a } }`,
	} {
		t.Run(name, func(t *testing.T) {
			got, err := run(t, config, production())
			if err != nil || got.WorkerMode != "shared" {
				t.Errorf("mode %q, %v", got.WorkerMode, err)
			}
		})
	}
}

// TestAdmin: whether there is one, and whether that is known.
func TestAdmin(t *testing.T) {
	for disable, want := range map[string]Facts{
		"undefined":                   {AdminKnown: true},
		"false":                       {AdminKnown: true},
		"true":                        {AdminKnown: true, AdminOff: true},
		`process.env.OFF === "true"`:  {AdminKnown: true, AdminOff: true},
		`process.env.ADMIN !== "yes"`: {AdminKnown: true, AdminOff: true},
		`require("flags").off`:        {},
	} {
		got, err := run(t, "module.exports = { admin: { disable: "+disable+" } }", production("OFF=true"))
		if err != nil || got.AdminKnown != want.AdminKnown || got.AdminOff != want.AdminOff {
			t.Errorf("%s: known %v, off %v, %v", disable, got.AdminKnown, got.AdminOff, err)
		}
	}
}

// TestAliases: the paths of tsconfig.json lead to files of the project; one that extends a package that is not here does no harm.
func TestAliases(t *testing.T) {
	dir := plant(t, map[string]string{
		"medusa-config.ts":     `import { WORKER_MODE } from "lib/constants"; import { x } from "@/x"; export default { projectConfig: { workerMode: WORKER_MODE, redisUrl: x } }`,
		"tsconfig.json":        `{ "extends": "@tsconfig/node22/tsconfig.json", "compilerOptions": { "baseUrl": ".", "paths": { "@/*": ["./src/*"], "*": ["./src/*"] }, /* a comment */ } }`,
		"src/lib/constants.ts": `export const WORKER_MODE = process.env.MODE ?? "server"`,
		"src/x.ts":             `export const x = "redis://x"`,
	})
	c, err := LoadConfig(filepath.Join(dir, "medusa-config.ts"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.Run(t.Context(), production()); err != nil || got.WorkerMode != "server" || got.RedisURL != "redis://x" {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestOwnFiles: a config may be spread over files of the project.
func TestOwnFiles(t *testing.T) {
	dir := plant(t, map[string]string{
		"medusa-config.ts": `import { modules } from "./config/modules"; import data from "./config/data.json"; export default { modules, projectConfig: { redisUrl: data.redis } }`,
		"config/modules.ts": `import { Modules } from "@medusajs/framework/utils"
			export const modules = { [Modules.CACHE]: { resolve: "@medusajs/medusa/cache-redis" } }`,
		"config/data.json": `{"redis": "redis://r"}`,
	})
	c, err := LoadConfig(filepath.Join(dir, "medusa-config.ts"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Run(t.Context(), production())
	if err != nil || got.Kept[Cache] || !got.Kept[Events] || got.RedisURL != "redis://r" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestConfigThatCannotBeRead(t *testing.T) {
	for config, want := range map[string]string{
		"export default {":                 "line 1 of medusa-config.ts",
		"import x from './none'; x()":      "Could not resolve",
		"export default await import('x')": "await",
	} {
		_, err := LoadConfig(filepath.Join(plant(t, map[string]string{"medusa-config.ts": config}), "medusa-config.ts"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", config, err, want)
		}
	}
}

// TestConfigThatFails: the config's own mistakes, and those that would keep us waiting.
func TestConfigThatFails(t *testing.T) {
	for config, want := range map[string]string{
		`if (!process.env.SHOP_ID) throw new Error("SHOP_ID is missing"); export default {}`: "SHOP_ID is missing",
		"export default (async () => ({}))()":                                                "no object",
		"export default 7":                                                                   "no object",
		"const f = () => f(); export default f()":                                            "without end",
		"process.exit(1)":                                                                    "process.exit",
	} {
		_, err := run(t, config, production())
		var unsure *Unsure
		if err == nil || errors.As(err, &unsure) || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(want)) {
			t.Errorf("%s: %v, want %q", config, err, want)
		}
	}
	c, err := LoadConfig(filepath.Join(plant(t, map[string]string{"medusa-config.ts": "for (;;) {}"}), "medusa-config.ts"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Run(ctx, production()); !errors.Is(err, ErrSlow) {
		t.Errorf("error = %v", err)
	}
}

// TestTheSandboxHasNothing: no config reads a file, starts a program or changes another's outcome.
func TestTheSandboxHasNothing(t *testing.T) {
	got, err := run(t, `import fs from "fs"; process.env.LEFT = "1"; globalThis.left = 1
		module.exports = { projectConfig: { redisUrl: fs.readFileSync("/etc/passwd", "utf8") } }`, production())
	if err != nil || got.RedisURL != Unknown {
		t.Errorf("%q, %v", got.RedisURL, err)
	}
	if got, err = run(t, `module.exports = { projectConfig: { redisUrl: process.env.LEFT || globalThis.left } }`, production()); err != nil || got.RedisURL != "" {
		t.Errorf("%q, %v", got.RedisURL, err)
	}
}

// FuzzConfig: no config, however odd, breaks the reader.
func FuzzConfig(f *testing.F) {
	for _, seed := range []string{template, `module.exports = { modules: [null, 1, {}, []] }`, `module.exports = { modules: { a: null }, projectConfig: 1, admin: "x" }`, `export default new Proxy({}, {})`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, config string) {
		dir := plant(t, map[string]string{"medusa-config.ts": config})
		if c, err := LoadConfig(filepath.Join(dir, "medusa-config.ts")); err == nil {
			_, _ = c.Run(t.Context(), production()) // whatever it says
		}
	})
}

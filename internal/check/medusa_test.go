package check

import (
	_ "embed"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// shop is a Medusa project with what it runs as. A test changes what it is about.
type shop struct {
	files      map[string]string
	dockerfile string // its text
	at         string // its path; empty: Dockerfile
	services   map[string]release.Service
	req        release.CheckRequest
}

//go:embed medusa/testdata/medusa-config.ts
var configTemplate string

// shopConfig is the template with Redis, and with MODULES where its modules go.
var shopConfig = strings.NewReplacer(
	"defineConfig }", "defineConfig, Modules }",
	"process.env.DATABASE_URL,", "process.env.DATABASE_URL,\n    redisUrl: process.env.REDIS_URL,",
	"\n  }\n})", "\n  },\n  modules: MODULES,\n})",
).Replace(configTemplate)

const (
	shopManifest = `{"name": "shop", "dependencies": {"@medusajs/framework": "2.21.2", "@medusajs/medusa": "2.21.2"},
"scripts": {"build": "medusa build", "start": "medusa start", "dev": "medusa develop"}, "engines": {"node": ">=20"}}`

	// shopModules are what a shop on several tasks needs.
	shopModules = `[
  { resolve: "@medusajs/medusa/event-bus-redis", options: { redisUrl: process.env.REDIS_URL } },
  { resolve: "@medusajs/medusa/workflow-engine-redis", options: { redis: { redisUrl: process.env.REDIS_URL } } },
  { resolve: "@medusajs/medusa/locking", options: { providers: [{ resolve: "@medusajs/medusa/locking-redis", id: "locking-redis", is_default: true }] } },
  { resolve: "@medusajs/medusa/caching", options: { providers: [{ resolve: "@medusajs/caching-redis", id: "caching-redis", is_default: true }] } },
  { resolve: "@medusajs/medusa/file", options: { providers: [{ resolve: "@medusajs/medusa/file-s3", id: "s3", options: {} }] } },
]`

	shopDockerfile = `FROM node:22-bookworm-slim AS base
WORKDIR /app
FROM base AS build
COPY package.json package-lock.json ./
RUN npm ci
COPY . .
RUN npx --no-install medusa build
FROM base AS production
COPY package.json package-lock.json ./
RUN npm ci --omit=dev
FROM node:22-bookworm-slim
ENV NODE_ENV=production PORT=9000 MEDUSA_DISABLE_TELEMETRY=true
WORKDIR /app
COPY --from=production /app/node_modules ./node_modules
COPY --from=build /app/.medusa/server ./
USER node
CMD ["node_modules/.bin/medusa", "start"]`
)

// shopTask is a service with one container of Medusa.
func shopTask(name string) release.Service {
	s := sound()
	s.Name, s.TaskDefinition.Family, s.TaskDefinition.CPU, s.TaskDefinition.Memory = name, name, 1024, 2048
	app := s.TaskDefinition.Containers[1]
	app.StartPeriod, app.HealthInterval, app.HealthRetries = 90*time.Second, 10*time.Second, 3
	app.Environment = map[string]string{
		"STORE_CORS": "https://shop.example.com", "ADMIN_CORS": "https://admin.example.com", "AUTH_CORS": "https://shop.example.com,https://admin.example.com",
	}
	app.Secrets = []release.SecretReference{
		{Name: "DATABASE_URL", From: "/shop/DATABASE_URL"}, {Name: "REDIS_URL", From: "/shop/REDIS_URL"},
		{Name: "JWT_SECRET", From: "/shop/JWT_SECRET"}, {Name: "COOKIE_SECRET", From: "/shop/COOKIE_SECRET"},
	}
	s.GracePeriod = 2 * time.Minute
	s.TaskDefinition.Containers = []release.ContainerDefinition{app}
	return s
}

func aShop() *shop {
	p := &shop{
		files: map[string]string{
			"package.json": shopManifest, "package-lock.json": `{"packages": {"node_modules/@medusajs/medusa": {"engines": {"node": "^20.19.0 || >=22.12.0"}}}}`,
			"medusa-config.ts": withModules(shopModules),
		},
		dockerfile: shopDockerfile,
		services:   map[string]release.Service{"web": shopTask("web")},
		req:        request(),
	}
	p.req.Target.Settle = 10 * time.Second
	p.req.Target.Migrate = &release.Migration{Command: []string{"npx", "medusa", "db:migrate", "--execute-safe-links"}}
	return p
}

func withModules(text string) string { return strings.Replace(shopConfig, "MODULES", text, 1) }

// change changes the container of a service.
func (p *shop) change(service string, do func(s *release.Service, c *release.ContainerDefinition)) {
	s := p.services[service]
	s.TaskDefinition.Containers = slices.Clone(s.TaskDefinition.Containers)
	c := &s.TaskDefinition.Containers[0]
	c.Environment, c.Secrets = maps.Clone(c.Environment), slices.Clone(c.Secrets)
	do(&s, c)
	p.services[service] = s
}

// env sets a variable; an empty value takes it away, also from the secrets.
func (p *shop) env(service, name, value string) {
	p.change(service, func(_ *release.Service, c *release.ContainerDefinition) {
		c.Secrets = slices.DeleteFunc(c.Secrets, func(s release.SecretReference) bool { return s.Name == name })
		if c.Environment[name] = value; value == "" {
			delete(c.Environment, name)
		}
	})
}

// pair makes two services of it, a server and a worker.
func (p *shop) pair() {
	p.services = map[string]release.Service{"server": shopTask("server"), "worker": shopTask("worker")}
	p.req.Target.Services = []string{"server", "worker"}
	p.change("worker", func(s *release.Service, _ *release.ContainerDefinition) { s.LoadBalanced, s.Desired = false, 1 })
	p.env("server", "MEDUSA_WORKER_MODE", "server")
	p.env("worker", "MEDUSA_WORKER_MODE", "worker")
	for _, name := range []string{"STORE_CORS", "ADMIN_CORS", "AUTH_CORS"} {
		p.env("worker", name, "")
	}
}

func (p *shop) check(t *testing.T) []release.Finding {
	t.Helper()
	dir := plant(t, p.files)
	w := soundWorld()
	w.services = p.services
	for _, name := range []string{"DATABASE_URL", "REDIS_URL", "JWT_SECRET", "COOKIE_SECRET"} {
		w.there = append(w.there, "/shop/"+name)
	}
	w.there = append(w.there, "/pg", "/cache", "/auth")
	p.req.ContextDir, p.req.Dockerfile = dir, filepath.Join(dir, "Dockerfile")
	if p.at != "" {
		p.req.Dockerfile = filepath.Join(dir, p.at)
	}
	findings := checkBuild(t, p.req, Ports{
		Registry: w, Orchestrator: w, Cloud: w, Now: func() time.Time { return noon },
		Dockerfile: func(string) ([]release.Instruction, error) { return read(p.dockerfile), nil },
	})
	for _, f := range findings {
		if f.Code == "" || f.Severity == "" || f.Where == "" || f.Problem == "" || f.Why == "" || f.Cure == "" {
			t.Errorf("incomplete: %+v", f)
		}
	}
	return findings
}

// TestGoodShops: what people rightly do is no finding.
func TestGoodShops(t *testing.T) {
	for name, change := range map[string]func(p *shop){
		"as it is":       func(*shop) {},
		"on local AWS":   func(p *shop) { p.req.Target = localTarget(p.req.Target) },
		"server, worker": func(p *shop) { p.pair() },
		"with satisfies": func(p *shop) { p.files["medusa-config.ts"] = satisfying },
		"an object":      func(p *shop) { p.files["medusa-config.ts"] = withModules(objectModules) },
		"depending": func(p *shop) {
			p.files["medusa-config.ts"] = withModules("process.env.REDIS_URL ? " + shopModules + " : []")
		},
		"spread": func(p *shop) {
			p.files["medusa-config.ts"] = withModules("[...(process.env.REDIS_URL ? " + shopModules + " : [])]")
		},
		"pushed":   func(p *shop) { p.files["medusa-config.ts"] = pushed },
		"CommonJS": func(p *shop) { delete(p.files, "medusa-config.ts"); p.files["medusa-config.js"] = commonJS },
		"ES module": func(p *shop) {
			p.files["medusa-config.ts"] = strings.Replace(withModules(shopModules), "module.exports =", "export default", 1)
		},
		"several files": severalFiles,
		"npm monorepo":  func(p *shop) { monorepo(p, `{"private": true, "workspaces": ["apps/*"]}`, "") },
		"pnpm monorepo": func(p *shop) { monorepo(p, `{"private": true}`, "packages:\n  - apps/*\n") },
		"own names":     ownNames,
		"a certificate": certificate,
		"own modules":   ownModules,
		"one task":      func(p *shop) { p.files["medusa-config.ts"] = withModules(filesOnly); p.desired("web", 1) },
		"a volume": func(p *shop) {
			p.files["medusa-config.ts"] = withModules(strings.Replace(shopModules, "file-s3", "file-local", 1))
			p.mount()
		},
		"one stage": func(p *shop) { p.dockerfile = oneStage; delete(p.files, ".dockerignore") },
		"cd in a script": func(p *shop) {
			p.dockerfile = npmStart
			p.files["package.json"] = strings.Replace(shopManifest, `"medusa start"`, `"cd .medusa/server && medusa start"`, 1)
		},
		"WORKDIR by task": func(p *shop) {
			p.dockerfile = npmStart
			p.change("web", func(_ *release.Service, c *release.ContainerDefinition) { c.WorkingDirectory = "/app/.medusa/server" })
		},
		"an entrypoint": entrypoint,
		"variable files": func(p *shop) {
			p.change("web", func(_ *release.Service, c *release.ContainerDefinition) {
				c.EnvironmentFiles, c.Environment, c.Secrets = true, nil, nil
			})
		},
		"no admin in one": idleWorkerAdmin,
		"comments": func(p *shop) {
			p.files["medusa-config.ts"] = "// jwtSecret: 'supersecret', http://localhost:8000, event-bus-local\n/* cache-inmemory */\n" + withModules(shopModules)
		},
		"old names": func(p *shop) { p.files["medusa-config.ts"] = withModules(oldNames) },
		"small, patient": func(p *shop) {
			p.change("web", func(s *release.Service, _ *release.ContainerDefinition) {
				s.TaskDefinition.CPU = 256
				s.TaskDefinition.Memory = 1024
			})
		},
		"local origins": func(p *shop) {
			p.env("web", "STORE_CORS", "http://localhost:8000,https://shop.example.com,/\\.vercel\\.app$/")
		},
		"admin elsewhere": func(p *shop) {
			p.dockerfile = strings.Replace(shopDockerfile, "RUN npx", "ARG MEDUSA_BACKEND_URL\nENV MEDUSA_BACKEND_URL=$MEDUSA_BACKEND_URL\nRUN npx", 1)
			p.env("web", "MEDUSA_BACKEND_URL", "https://api.example.com")
		},
		"its own address": func(p *shop) { p.env("web", "MEDUSA_BACKEND_URL", "https://api.example.com") },
		"no config":       func(p *shop) { delete(p.files, "medusa-config.ts") },
		"Medusa 1": func(p *shop) {
			p.files["package.json"] = `{"dependencies": {"@medusajs/medusa": "^1.20.0"}}`
			p.files["medusa-config.ts"] = "x"
		},
		"no Medusa": func(p *shop) {
			p.files["package.json"] = `{"dependencies": {"next": "15"}}`
			p.req.Target.Migrate = nil
			p.env("web", "DATABASE_URL", "")
		},
		"nothing built": func(p *shop) { p.env("web", "DATABASE_URL", ""); p.files = nil },
		"a newer Node": func(p *shop) {
			p.dockerfile = strings.ReplaceAll(shopDockerfile, "node:22-bookworm-slim", "node:24.3.0-alpine3.22")
		},
		"an unknown Node": func(p *shop) {
			p.dockerfile = strings.ReplaceAll(shopDockerfile, "node:22-bookworm-slim", "example.com/base/runtime:1")
		},
		"a config by name": func(p *shop) {
			p.dockerfile = strings.Replace(shopDockerfile, "COPY . .", "COPY medusa-config.ts tsconfig.json ./\nCOPY src ./src\nRUN test -f medusa-config.ts", 1)
		},
		"the whole build": func(p *shop) {
			p.dockerfile = strings.Replace(shopDockerfile, "COPY --from=build /app/.medusa/server ./", "COPY --from=build /app/.medusa /srv\nWORKDIR /srv/server", 1)
		},
		"an old layout": func(p *shop) {
			p.dockerfile = strings.Replace(strings.Replace(shopDockerfile, "COPY --from=build /app/.medusa/server ./", "COPY --from=build /app ./", 1), "RUN npx --no-install medusa build", "RUN npx medusa build && cp -r .medusa/client .medusa/admin", 1)
		},
		"distroless": func(p *shop) {
			p.dockerfile = strings.Replace(shopDockerfile, "FROM node:22-bookworm-slim\nENV", "FROM gcr.io/distroless/nodejs22-debian12:nonroot\nENV", 1)
		},
		"npm migrates": func(p *shop) {
			p.req.Target.Migrate.Command = []string{"npm", "run", "migrate", "--", "--execute-safe-links"}
		},
		"the admin apart": builtApart,
		"own migration":   func(p *shop) { p.req.Target.Migrate.Command = []string{"node", "migrate.js"} },
	} {
		t.Run(name, func(t *testing.T) {
			p := aShop()
			change(p)
			if findings := p.check(t); len(findings) > 0 {
				t.Errorf("findings = %+v", findings)
			}
		})
	}
}

const (
	satisfying = `import type { ConfigModule } from "@medusajs/framework/types"
import { defineConfig, Modules } from "@medusajs/framework/utils"
type Mode = "shared" | "worker" | "server"
const http = {
  storeCors: process.env.STORE_CORS as string, adminCors: process.env.ADMIN_CORS as string, authCors: process.env.AUTH_CORS as string,
  jwtSecret: process.env.JWT_SECRET!, cookieSecret: process.env.COOKIE_SECRET!,
} satisfies Partial<ConfigModule["projectConfig"]["http"]>
const modules = ` + shopModules + ` as const
export default defineConfig({
  projectConfig: { databaseUrl: process.env.DATABASE_URL, redisUrl: process.env.REDIS_URL, http, workerMode: (process.env.MEDUSA_WORKER_MODE ?? "shared") as Mode },
  modules: [...modules],
}) satisfies unknown
`
	objectModules = `{
  [Modules.EVENT_BUS]: { resolve: "@medusajs/medusa/event-bus-redis", options: { redisUrl: process.env.REDIS_URL } },
  [Modules.WORKFLOW_ENGINE]: { resolve: "@medusajs/medusa/workflow-engine-redis" },
  [Modules.LOCKING]: { resolve: "@medusajs/medusa/locking", options: { providers: [{ resolve: "@medusajs/medusa/locking-redis", id: "r" }] } },
  [Modules.CACHE]: { resolve: "@medusajs/medusa/cache-redis" },
  [Modules.FILE]: { resolve: "@medusajs/medusa/file", options: { providers: [{ resolve: "@medusajs/file-s3", id: "s3" }] } },
}`
	oldNames = `[
  { key: Modules.EVENT_BUS, resolve: "@medusajs/event-bus-redis" }, { resolve: "@medusajs/workflow-engine-redis" }, { resolve: "@medusajs/cache-redis" },
  { resolve: "@medusajs/locking", options: { providers: [{ resolve: "@medusajs/locking-postgres", id: "p" }] } },
  { resolve: "@medusajs/file", options: { providers: [{ resolve: "@medusajs/file-s3", id: "s3" }] } },
]`
	filesOnly = `[{ resolve: "@medusajs/medusa/file", options: { providers: [{ resolve: "./src/modules/azure", id: "azure" }] } }]`
	pushed    = `const { defineConfig } = require("@medusajs/framework/utils")
const modules: any[] = []
if (process.env.REDIS_URL) { modules.push(...` + shopModules + `) }
const { STORE_CORS: storeCors, ADMIN_CORS: adminCors, AUTH_CORS: authCors, JWT_SECRET: jwtSecret, COOKIE_SECRET: cookieSecret } = process.env
module.exports = defineConfig({ projectConfig: { databaseUrl: process.env.DATABASE_URL, redisUrl: process.env.REDIS_URL, http: { storeCors, adminCors, authCors, jwtSecret, cookieSecret } }, modules })
`
	commonJS = `const { loadEnv, defineConfig, Modules } = require("@medusajs/framework/utils");
const path = require("path");
loadEnv(process.env.NODE_ENV, path.resolve(__dirname, ".."));
let redisUrl = process.env.REDIS_URL ?? "redis://localhost:6379";
module.exports = defineConfig({
  projectConfig: { databaseUrl: process.env.DATABASE_URL, redisUrl, http: { storeCors: process.env.STORE_CORS, adminCors: process.env.ADMIN_CORS, authCors: process.env.AUTH_CORS } },
  modules: ` + objectModules + `,
  plugins: [{ resolve: "@acme/medusa-plugin-reviews", options: { apiKey: process.env.REVIEWS } }],
});
`
	oneStage = `FROM node:22-bookworm-slim
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci
COPY . .
RUN npm run build
WORKDIR /app/.medusa/server
RUN npm ci --omit=dev
ENV MEDUSA_DISABLE_TELEMETRY=true
USER node
CMD ["npm", "run", "start"]`
	npmStart = `FROM node:22-bookworm-slim
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci
COPY . .
RUN npm run build
ENV MEDUSA_DISABLE_TELEMETRY=true
USER node
CMD ["npm", "start"]`
)

func localTarget(t release.Target) release.Target {
	t.Name, t.Local, t.Endpoint, t.Settle = "local", true, localURL, 0
	return t
}

func (p *shop) desired(service string, n int) {
	p.change(service, func(s *release.Service, _ *release.ContainerDefinition) { s.Desired = n })
}

func (p *shop) mount() {
	p.change("web", func(_ *release.Service, c *release.ContainerDefinition) { c.Mounts = []string{"/app/static"} })
}

func severalFiles(p *shop) {
	p.files["medusa-config.ts"] = `import { defineConfig } from "@medusajs/framework/utils"
import { http } from "./config/http"
import modules from "./config/modules"
export default defineConfig({ projectConfig: { databaseUrl: process.env.DATABASE_URL, redisUrl: process.env.REDIS_URL, http }, modules })`
	p.files["config/http.ts"] = `export const http = { storeCors: process.env.STORE_CORS!, adminCors: process.env.ADMIN_CORS!, authCors: process.env.AUTH_CORS! }`
	p.files["config/modules/index.ts"] = "export default " + shopModules
}

func monorepo(p *shop, manifest, workspaces string) {
	for name, text := range p.files {
		delete(p.files, name)
		p.files["apps/shop/"+name] = text
	}
	p.files["package.json"], p.files["apps/web/package.json"] = manifest, `{"dependencies": {"next": "15", "@medusajs/js-sdk": "2.21.2"}}`
	if workspaces != "" {
		p.files["pnpm-workspace.yaml"] = workspaces
	}
	p.at = "docker/Dockerfile"
	p.dockerfile = `FROM node:22-bookworm-slim AS build
WORKDIR /repo
COPY package.json apps/shop/package.json ./
RUN npm ci
COPY . .
RUN npx turbo run build --filter shop
FROM node:22-bookworm-slim
ENV MEDUSA_DISABLE_TELEMETRY=1
WORKDIR /repo/apps/shop
COPY --from=build /repo/apps/shop/.medusa/server .
USER node
CMD ["npx", "medusa", "start"]`
}

func ownNames(p *shop) {
	p.files["medusa-config.ts"] = `import { defineConfig } from "@medusajs/framework/utils"
export default defineConfig({
  projectConfig: {
    databaseUrl: ` + "`postgres://${process.env.PG_USER}:${process.env.PG_PASSWORD}@${process.env.PG_HOST}/shop?ssl=true`" + `, redisUrl: process.env.CACHE,
    http: { storeCors: process.env.SHOP_ORIGIN!, adminCors: "https://admin.example.com", authCors: [process.env.SHOP_ORIGIN, "https://admin.example.com"].join(","), jwtSecret: process.env.AUTH_SIGNER, cookieSecret: process.env.AUTH_SIGNER },
  },
  modules: ` + shopModules + `,
})`
	p.change("web", func(_ *release.Service, c *release.ContainerDefinition) {
		c.Environment = map[string]string{"PG_USER": "shop", "PG_HOST": "db.example.com", "SHOP_ORIGIN": "https://shop.example.com"}
		c.Secrets = []release.SecretReference{{Name: "PG_PASSWORD", From: "/pg"}, {Name: "CACHE", From: "/cache"}, {Name: "AUTH_SIGNER", From: "/auth"}}
	})
}

func certificate(p *shop) {
	p.files["medusa-config.ts"] = strings.Replace(withModules(shopModules), "redisUrl:", `databaseDriverOptions: { connection: { ssl: { ca: require("fs").readFileSync(require("path").join(__dirname, "rds.pem")).toString() } } },
    redisUrl:`, 1)
}

func ownModules(p *shop) {
	p.files["medusa-config.ts"] = withModules(strings.Replace(shopModules, "[", `[{ resolve: "./src/modules/brand" }, { resolve: "@acme/medusa-payment", options: { key: process.env.KEY } },
  { resolve: "@medusajs/medusa/notification", options: { providers: [{ resolve: "./src/modules/mail", id: "mail", options: { channels: ["email"] } }] } },`, 1))
}

func entrypoint(p *shop) {
	p.files["docker-start.sh"] = "#!/bin/sh\nset -e\n# medusa db:migrate is run by the release\necho \"starting, without medusa db:migrate\"\nexec npx medusa start\n"
	p.dockerfile = strings.Replace(shopDockerfile, `CMD ["node_modules/.bin/medusa", "start"]`, "COPY docker-start.sh /usr/local/bin/docker-start.sh\nENTRYPOINT [\"/usr/local/bin/docker-start.sh\"]", 1)
}

// builtApart has the admin and the server built by stages of their own, as init writes it.
func builtApart(p *shop) {
	idleWorkerAdmin(p)
	p.dockerfile = strings.Replace(shopDockerfile, "COPY . .\nRUN npx --no-install medusa build\n", `FROM base AS admin-source
COPY . .
RUN mkdir /server && mv src/api /server/ && if grep -rqs "\./api" src medusa-config.*; then cp -r /server/. src/; fi
FROM build AS admin
COPY --from=admin-source /app ./
RUN npx --no-install medusa build --admin-only
FROM build AS server
COPY . .
RUN DISABLE_MEDUSA_ADMIN=true npx --no-install medusa build
`, 1)
	p.dockerfile = strings.Replace(p.dockerfile, "COPY --from=build /app/.medusa/server", "COPY --from=admin /app/.medusa/admin ./public/admin\nCOPY --from=server /app/.medusa/server", 1)
}

func idleWorkerAdmin(p *shop) {
	p.pair()
	p.files["medusa-config.ts"] = strings.Replace(withModules(shopModules), "modules:", `admin: { disable: process.env.DISABLE_MEDUSA_ADMIN === "true", backendUrl: process.env.MEDUSA_BACKEND_URL },
  modules:`, 1)
	p.env("worker", "DISABLE_MEDUSA_ADMIN", "true")
	p.env("server", "MEDUSA_BACKEND_URL", "https://api.example.com")
}

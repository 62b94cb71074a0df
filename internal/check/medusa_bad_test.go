package check

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// TestBadShops changes one thing of a good shop at a time.
func TestBadShops(t *testing.T) {
	type change = func(p *shop)
	container := func(do func(s *release.Service, c *release.ContainerDefinition)) change {
		return func(p *shop) { p.change("web", do) }
	}
	config := func(from, to string) change {
		return func(p *shop) { p.files["medusa-config.ts"] = strings.Replace(withModules(shopModules), from, to, 1) }
	}
	modules := func(text string) change {
		return func(p *shop) { p.files["medusa-config.ts"] = withModules(text) }
	}
	docker := func(from, to string) change {
		return func(p *shop) { p.dockerfile = strings.ReplaceAll(shopDockerfile, from, to) }
	}
	without := func(names ...string) change {
		return func(p *shop) {
			for _, name := range names {
				p.env("web", name, "")
			}
		}
	}
	local := func(do change) change {
		return func(p *shop) { do(p); p.req.Target = localTarget(p.req.Target) }
	}
	both := func(changes ...change) change {
		return func(p *shop) {
			for _, do := range changes {
				do(p)
			}
		}
	}
	pair := func(p *shop) { p.pair() }
	admin := `admin: { disable: process.env.DISABLE_MEDUSA_ADMIN === "true", backendUrl: process.env.MEDUSA_BACKEND_URL || "http://localhost:9000" },
  modules:`
	for name, tc := range map[string]struct {
		change  change
		want    []string
		problem string // of the first finding
		cure    string
	}{
		"no database":          {without("DATABASE_URL"), []string{"MD053"}, "container app gets no DATABASE_URL", "aws ssm put-parameter --type SecureString --name /shop/DATABASE_URL"},
		"no database, local":   {local(without("DATABASE_URL")), []string{"MD053"}, "DATABASE_URL", "--endpoint-url"},
		"the default database": {both(without("DATABASE_URL"), config("    databaseUrl: process.env.DATABASE_URL,\n", "")), []string{"MD053"}, "DATABASE_URL", ""},
		"no secrets": {both(without("JWT_SECRET", "COOKIE_SECRET"), config(` || "supersecret",
      cookieSecret: process.env.COOKIE_SECRET || "supersecret"`, "")), []string{"MD053"}, "no JWT_SECRET, no COOKIE_SECRET", ""},
		"default secrets":        {without("JWT_SECRET", "COOKIE_SECRET"), []string{"MD054"}, "JWT_SECRET and COOKIE_SECRET are from a template", "openssl rand -base64 48"},
		"default secrets, local": {local(without("JWT_SECRET", "COOKIE_SECRET")), nil, "", ""},
		"not production":         {both(container(func(_ *release.Service, c *release.ContainerDefinition) { c.Environment["NODE_ENV"] = "development" }), without("JWT_SECRET"), config(` || "supersecret"`, "")), []string{"MD054"}, "JWT_SECRET is from a template", ""},
		"a plain default":        {func(p *shop) { p.env("web", "JWT_SECRET", "supersecret") }, []string{"MD054", "MD055"}, "JWT_SECRET is", ""},
		"a plain secret":         {func(p *shop) { p.env("web", "COOKIE_SECRET", "hunter2hunter2") }, []string{"MD055"}, "COOKIE_SECRET", "/shop/COOKIE_SECRET"},
		"a plain password": {func(p *shop) {
			p.env("web", "DATABASE_URL", "postgres://shop:hunter2@db/shop")
			p.env("web", "S3_SECRET_ACCESS_KEY", "hunter2")
		}, []string{"MD055"}, "in its plain environment: DATABASE_URL, S3_SECRET_ACCESS_KEY", ""},
		"plain, local": {local(func(p *shop) { p.env("web", "COOKIE_SECRET", "hunter2") }), nil, "", ""},
		"no secrets in plain": {func(p *shop) {
			p.env("web", "REDIS_URL", "redis://cache:6379")
			p.env("web", "S3_ACCESS_KEY_ID", "AKIA")
			p.env("web", "JWT_TOKEN_AGE", "7d")
			p.env("web", "STRIPE_PUBLISHABLE_KEY", "pk")
		}, nil, "", ""},
		"no CORS":                 {without("STORE_CORS", "AUTH_CORS"), []string{"MD056"}, "no origin is allowed by STORE_CORS, AUTH_CORS", `"STORE_CORS"`},
		"CORS on localhost":       {func(p *shop) { p.env("web", "ADMIN_CORS", "http://localhost:5173,http://127.0.0.1:9000") }, []string{"MD056"}, "only this machine (localhost) is allowed by ADMIN_CORS", ""},
		"the default CORS":        {both(without("STORE_CORS"), config("      storeCors: process.env.STORE_CORS!,\n", "")), []string{"MD056"}, "(localhost) is allowed by STORE_CORS", ""},
		"no CORS, local":          {local(without("STORE_CORS")), nil, "", ""},
		"no CORS in a worker":     {both(pair, func(p *shop) { p.env("server", "STORE_CORS", "") }), []string{"MD056"}, "no origin is allowed by STORE_CORS", ""},
		"in memory":               {modules(filesOnly), []string{"MD057"}, "with 2 tasks, each keeps in its own memory: events, workflows, locks, the cache", "@medusajs/medusa/event-bus-redis"},
		"in memory, local":        {local(modules(filesOnly)), []string{"MD057"}, "with 2 tasks", ""},
		"in memory without Redis": {both(modules("process.env.REDIS_URL ? "+shopModules+" : "+filesOnly), without("REDIS_URL")), []string{"MD057"}, "events, workflows, locks, the cache, sessions", "projectConfig.redisUrl"},
		"sessions in memory":      {config("    redisUrl: process.env.REDIS_URL,\n", ""), []string{"MD057"}, "memory: sessions", "projectConfig.redisUrl"},
		"only a cache":            {modules(strings.Replace(shopModules, "medusa/caching\", options: { providers: [{ resolve: \"@medusajs/caching-redis\", id: \"caching-redis\", is_default: true }] }", "medusa/cache-inmemory\"", 1)), []string{"MD057"}, "memory: the cache", ""},
		"in memory, a worker":     {both(pair, modules(filesOnly), func(p *shop) { p.desired("server", 1) }), []string{"MD057"}, "with 2 tasks, each keeps in its own memory: events", ""},
		"local files":             {modules(strings.Replace(shopModules, "file-s3", "file-local", 1)), []string{"MD058"}, "provider file-local", "@medusajs/medusa/file-s3"},
		"local files, local":      {local(modules(strings.Replace(shopModules, "file-s3", "file-local", 1))), nil, "", ""},
		"all shared": {both(pair, func(p *shop) {
			p.env("server", "MEDUSA_WORKER_MODE", "shared")
			p.env("worker", "MEDUSA_WORKER_MODE", "")
			p.env("worker", "STORE_CORS", "https://a")
			p.env("worker", "ADMIN_CORS", "https://a")
			p.env("worker", "AUTH_CORS", "https://a")
		}), []string{"MD059"}, "all 2 services are in shared mode", "MEDUSA_WORKER_MODE"},
		"a worker alone": {func(p *shop) {
			p.env("web", "MEDUSA_WORKER_MODE", "worker")
			p.change("web", func(s *release.Service, _ *release.ContainerDefinition) { s.LoadBalanced = false })
		}, []string{"MD059"}, "there are workers, and no server", ""},
		"a server alone": {func(p *shop) { p.env("web", "MEDUSA_WORKER_MODE", "server") }, []string{"MD059"}, "there are servers, and no worker", ""},
		"a worker, load balanced": {both(pair, func(p *shop) {
			p.change("worker", func(s *release.Service, _ *release.ContainerDefinition) { s.LoadBalanced = true })
		}), []string{"MD059"}, "service worker is a worker and has a load balancer", ""},
		"migrates at start": {docker(`["node_modules/.bin/medusa", "start"]`, `["sh", "-c", "npx medusa db:migrate && exec npx medusa start"]`), []string{"MD060"}, "the start command migrates the database", "db:migrate"},
		"migrates in a script": {both(docker(`"node_modules/.bin/medusa", "start"`, `"npm", "run", "predeploy:start"`), func(p *shop) {
			p.files["package.json"] = strings.Replace(shopManifest, `"start":`, `"predeploy:start": "medusa db:migrate && medusa start", "start":`, 1)
		}), []string{"MD060"}, "the script predeploy:start of package.json migrates", ""},
		"migrates in an entrypoint": {func(p *shop) { entrypoint(p); p.files["docker-start.sh"] += "npx medusa db:migrate\n" }, []string{"MD060"}, "docker-start.sh migrates the database", ""},
		"the task migrates": {container(func(_ *release.Service, c *release.ContainerDefinition) {
			c.Command = []string{"sh", "-c", "medusa db:migrate; medusa start"}
		}), []string{"MD060"}, "the start command", ""},
		"it may ask": {func(p *shop) { p.req.Target.Migrate.Command = []string{"npx", "medusa", "db:migrate"} }, []string{"MD061"}, "without --execute-safe-links", "--execute-safe-links"},
		"it may ask, by a script": {func(p *shop) {
			p.files["package.json"] = strings.Replace(shopManifest, `"start":`, `"migrate": "medusa db:migrate", "start":`, 1)
			p.req.Target.Migrate.Command = []string{"npm", "run", "migrate"}
		}, []string{"MD061"}, "npm run migrate", ""},
		"nothing migrates":                   {func(p *shop) { p.req.Target.Migrate = nil }, []string{"MD062"}, "it has no migrate", "db:migrate"},
		"not where it is built":              {docker("COPY --from=build /app/.medusa/server ./", "COPY --from=build /app ./"), []string{"MD063"}, "does not run in .medusa/server, where line 7 ", "COPY --from=build /app/.medusa/server ./"},
		"one stage, not there":               {func(p *shop) { p.dockerfile = npmStart }, []string{"MD063"}, "line 6", ""},
		"develop":                            {docker(`["node_modules/.bin/medusa", "start"]`, `["npm", "run", "dev"]`), []string{"MD064"}, "the script dev of package.json runs `medusa develop`", ""},
		"an old Node":                        {docker("node:22-bookworm-slim", "node:18-alpine"), []string{"MD065"}, "node:18-alpine does not have the Node that package.json asks for: >=20", "node:22"},
		"one between":                        {docker("node:22-bookworm-slim", "node:22.11.0-slim"), []string{"MD065"}, "Medusa asks for: ^20.19.0 || >=22.12.0", ""},
		"an odd one":                         {docker("FROM node:22-bookworm-slim\nENV", "FROM gcr.io/distroless/nodejs21-debian12:nonroot\nENV"), []string{"MD065"}, "nodejs21", ""},
		"little memory":                      {container(func(s *release.Service, _ *release.ContainerDefinition) { s.TaskDefinition.Memory = 512 }), []string{"MD066"}, "has 512 MiB", "set memory to 2048"},
		"little of its own":                  {container(func(_ *release.Service, c *release.ContainerDefinition) { c.Memory = 600 }), []string{"MD066"}, "has 600 MiB", ""},
		"an admin that is not built":         {both(config("modules:", admin), docker("RUN npx", "ENV DISABLE_MEDUSA_ADMIN=true\nRUN npx")), []string{"MD067"}, "serves the admin, which line 8 ", "admin.disable"},
		"an admin nobody serves":             {both(config("modules:", admin), func(p *shop) { p.env("web", "DISABLE_MEDUSA_ADMIN", "true") }), []string{"MD068"}, "no task serves it", ""},
		"an admin apart, that nobody serves": {both(builtApart, func(p *shop) { p.env("server", "DISABLE_MEDUSA_ADMIN", "true") }), []string{"MD068"}, "no task serves it", ""},
		"an admin for localhost":             {config("modules:", admin), []string{"MD069"}, "is built for http://localhost:9000", "ARG MEDUSA_BACKEND_URL"},
		"an admin for elsewhere":             {both(config("modules:", admin), docker("RUN npx", "ENV MEDUSA_BACKEND_URL=https://old.example.com\nRUN npx"), func(p *shop) { p.env("web", "MEDUSA_BACKEND_URL", "https://api.example.com") }), []string{"MD069"}, "is built for https://old.example.com, and the task says https://api.example.com", ""},
		"an admin for localhost here":        {local(config("modules:", admin)), nil, "", ""},
		"slow and impatient": {container(func(s *release.Service, c *release.ContainerDefinition) {
			s.TaskDefinition.CPU = 256
			c.StartPeriod = 20e9
		}), []string{"MD070"}, "with cpu 256, container app has 50s", "startPeriod to 90"},
		"fast and impatient": {container(func(_ *release.Service, c *release.ContainerDefinition) { c.StartPeriod = 0 }), nil, "", ""},
		"liveness": {func(p *shop) {
			p.files["src/api/ready/route.ts"] = ""
			p.change("web", func(s *release.Service, _ *release.ContainerDefinition) { s.HealthPath = "/health" })
		}, []string{"MD071"}, "has a route /ready", "medusa-deploy:health-check-path"},
		"readiness": {func(p *shop) {
			p.files["src/api/ready/route.ts"] = ""
			p.change("web", func(s *release.Service, _ *release.ContainerDefinition) { s.HealthPath = "/ready" })
		}, nil, "", ""},
		"telemetry":                 {docker(" MEDUSA_DISABLE_TELEMETRY=true", ""), []string{"MD072"}, "has no MEDUSA_DISABLE_TELEMETRY", ""},
		"a config nobody can judge": {config("modules:", "...require(\"presets\").shop(),\n  modules:"), []string{"MD073"}, "depends on", "process.env"},
		"another config":            {docker("RUN npx", "RUN cp medusa-config.prod.ts medusa-config.ts && npx"), []string{"MD073"}, "line 7 of the Dockerfile puts another one in its place", ""},
		"another config, copied":    {docker("RUN npx", "COPY medusa-config.prod.ts medusa-config.ts\nRUN npx"), []string{"MD073"}, "line 7", ""},
		"a config that is edited":   {docker("RUN npx", "RUN sed -i s/a/b/ medusa-config.ts\nRUN npx"), []string{"MD073"}, "line 7", ""},
		"a config with a mistake":   {func(p *shop) { p.files["medusa-config.ts"] = "module.exports = {" }, []string{"MD073"}, "line 1 of medusa-config.ts", "medusa build"},
		"a config that refuses":     {config("module.exports", `if (!process.env.SHOP_ID) throw new Error("SHOP_ID is missing")`+"\nmodule.exports"), []string{"MD073"}, "SHOP_ID is missing", "names a variable that the task definition lacks"},
		"rare checks":               {container(func(_ *release.Service, c *release.ContainerDefinition) { c.HealthInterval = 60e9 }), []string{"MD074"}, "checked every 1m", "set interval to 10"},
		"rare, but waited for": {func(p *shop) {
			p.req.Target.Settle = 120e9
			p.change("web", func(_ *release.Service, c *release.ContainerDefinition) { c.HealthInterval = 60e9 })
		}, nil, "", ""},
		"rare checks, local": {local(container(func(_ *release.Service, c *release.ContainerDefinition) { c.HealthInterval = 60e9 })), nil, "", ""},
		"all at once": {both(docker("COPY --from=build /app/.medusa/server ./", "COPY --from=build /app ./"), modules("[]"), without("JWT_SECRET", "STORE_CORS"), func(p *shop) { p.req.Target.Migrate = nil }),
			[]string{"MD054", "MD056", "MD057", "MD058", "MD062", "MD063"}, "JWT_SECRET is", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := aShop()
			tc.change(p)
			findings := p.check(t)
			if diff := cmp.Diff(tc.want, codes(findings)); diff != "" {
				t.Fatalf("(-want +got):\n%s\n%+v", diff, findings)
			}
			if text := fmt.Sprintf("%+v", findings); strings.Contains(text, "hunter2") {
				t.Errorf("a value is shown: %s", text)
			}
			if len(findings) > 0 && (!strings.Contains(findings[0].Problem, tc.problem) || !strings.Contains(findings[0].Cure, tc.cure)) {
				t.Errorf("problem %s\ncure %s\nwant %q, %q", findings[0].Problem, findings[0].Cure, tc.problem, tc.cure)
			}
		})
	}
}

// TestWhereShopsAreWrong: the finding names the file and the line where there is one.
func TestWhereShopsAreWrong(t *testing.T) {
	p := aShop()
	p.dockerfile = strings.Replace(shopDockerfile, `["node_modules/.bin/medusa", "start"]`, `["sh", "-c", "medusa db:migrate && medusa start"]`, 1)
	p.files["medusa-config.ts"] = withModules(filesOnly)
	var got []string
	for _, f := range p.check(t) {
		got = append(got, strings.ReplaceAll(f.Where, p.req.ContextDir+"/", ""))
	}
	if diff := cmp.Diff([]string{"medusa-config.ts", "Dockerfile:17"}, got); diff != "" {
		t.Error(diff)
	}
}

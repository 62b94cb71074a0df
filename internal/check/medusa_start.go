package check

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/check/medusa"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// migrates reports whether a command changes the database.
func migrates(c medusa.Command) bool {
	return c.Is("db:migrate") || c.Is("db:setup") || c.Is("migrations")
}

// called says what leads to a command.
func called(c medusa.Command) string {
	if c.Via == "" {
		return "the start command"
	}
	return c.Via
}

// judgeRace: tasks that start together migrate together.
func judgeRace(t medusaTask) []release.Finding {
	i := slices.IndexFunc(t.commands, migrates)
	if i < 0 {
		return nil
	}
	return one(finding(codeMigrateRace, t.started, called(t.commands[i])+" migrates the database",
		"all tasks that start together migrate together, and those that do not get the lock go on as if all were done; a migration that fails ends the rollout half way, instead of before it",
		"start with `medusa start` alone, and migrate before the rollout: "+migrateCure))
}

const migrateCure = `migrate: {command: [npx, medusa, "db:migrate", --execute-safe-links]} in the target in medusa-deploy.yaml`

// judgeMigration: Medusa's tables have to be there, and change with its versions.
func judgeMigration(t release.Target, m medusaLook) []release.Finding {
	if t.Migrate == nil {
		if len(m.tasks) == 0 || slices.ContainsFunc(m.tasks, func(t medusaTask) bool { return slices.ContainsFunc(t.commands, migrates) }) {
			return nil
		}
		return one(finding(codeNoMigration, "target "+t.Name, "it has no migrate", "Medusa does not start without its tables, and a new version may need other ones", migrateCure))
	}
	commands := m.app.Commands(t.Migrate.Command)
	answered := func(c medusa.Command) bool {
		return slices.ContainsFunc([]string{"--execute-safe-links", "--execute-all-links", "--skip-links"}, c.Has)
	}
	if !slices.ContainsFunc(commands, migrates) || slices.ContainsFunc(commands, answered) {
		return nil
	}
	return one(finding(codeMigratePrompt, "target "+t.Name, "migrate runs "+strings.Join(t.Migrate.Command, " ")+" without --execute-safe-links",
		"db:migrate asks what to do with links that change, and in a task nobody answers", migrateCure))
}

// buildDir is where `medusa build` puts an app of its own, which runs where its files lie.
const buildDir = ".medusa/server"

// judgeServerDir: the build names the paths of the admin and of the compiled files from where it lies.
func judgeServerDir(m medusaLook, d dockerfile, all []release.Instruction) []release.Finding {
	if !m.build.found || slices.ContainsFunc(all, mentionsBuild) {
		return nil
	}
	for _, t := range m.tasks {
		starts := slices.ContainsFunc(t.commands, func(c medusa.Command) bool { return c.Is("start") })
		moved := slices.ContainsFunc(t.commands, func(c medusa.Command) bool { return len(c.Words) > 1 && c.Words[0] == "cd" && inBuild(c.Words[1]) })
		if !starts || moved || inBuild(t.container.WorkingDirectory) {
			continue
		}
		return one(finding(codeServerDir, t.started, "`medusa start` does not run in "+buildDir+", where line "+d.line(m.build.run)+" of the Dockerfile builds to",
			"it does not find the admin (Could not find index.html in the admin build directory) and reads sources in place of what was built",
			"copy "+buildDir+" to where the app runs (COPY --from=build /app/"+buildDir+" ./), or set WORKDIR to it after the build"))
	}
	return nil
}

// mentionsBuild reports whether an instruction has to do with where the build lies: then it is not for us to say it is wrong.
func mentionsBuild(i release.Instruction) bool {
	if i.Name == "WORKDIR" {
		return inBuild(i.Word(0)) || path.Base(i.Word(0)) == "server"
	}
	within := func(word string) bool { return strings.Contains(word, path.Dir(buildDir)+"/") }
	return slices.ContainsFunc(append(slices.Clone(i.Words), i.To), within)
}

func inBuild(text string) bool { return strings.Contains(text, buildDir) }

// judgeDevelop: the development server compiles at start and watches files.
func judgeDevelop(t medusaTask) []release.Finding {
	i := slices.IndexFunc(t.commands, func(c medusa.Command) bool { return c.Is("develop") })
	if i < 0 {
		return nil
	}
	return one(finding(codeDevelop, t.started, called(t.commands[i])+" runs `medusa develop`",
		"it compiles everything at each start, takes several times the memory, and shows errors to everybody", "run `medusa build` in the Dockerfile, and `medusa start` in "+buildDir))
}

// leastMemory is what a Medusa takes at rest, three times, in MiB: a server has 323 MB, a worker 258 MB.
const leastMemory = 1024

// judgeMemory: what exceeds its memory is killed.
func judgeMemory(t medusaTask) []release.Finding {
	limit := t.view.facts.TaskDefinition.Memory
	if own := t.container.Memory; own > 0 {
		limit = own
	}
	if limit == 0 || limit >= leastMemory {
		return nil
	}
	return one(finding(codeMemory, t.whereTask(), fmt.Sprintf("container %s has %d MiB", t.container.Name, limit),
		"Medusa takes 320 MB at rest and several times that at work: ECS kills the task when it exceeds its memory (OutOfMemoryError)",
		changeTaskDefinition(t.view, "set memory to 2048 (1024 at least)")))
}

// Small tasks start slowly: 13 s with half a vCPU, 27 s with a quarter, and longer with modules and data.
const (
	smallCPU   = 512
	leastStart = time.Minute
)

// judgeSlowStart: a task that is unhealthy before it has started is replaced, for ever.
func judgeSlowStart(t medusaTask) []release.Finding {
	c, cpu := t.container, t.view.facts.TaskDefinition.CPU
	patience := c.StartPeriod + time.Duration(c.HealthRetries)*c.HealthInterval
	if !c.HealthCheck || cpu == 0 || cpu > smallCPU || patience >= leastStart {
		return nil
	}
	return one(finding(codeSlowStart, t.whereTask(), fmt.Sprintf("with cpu %d, container %s has %s to become healthy (startPeriod, and retries times interval)", cpu, c.Name, span(patience)),
		"on so little CPU Medusa takes half a minute and more to start: ECS may stop each task before it is up, and every rollout fails",
		changeTaskDefinition(t.view, "set startPeriod to 90 in the container's healthCheck")))
}

// judgeLiveness: Medusa's /health answers 200 while its database is down. Where the app has a route that knows better, the
// load balancer should ask it.
func judgeLiveness(app medusa.App) func(medusaTask) []release.Finding {
	return func(t medusaTask) []release.Finding {
		if app.Ready == "" || !t.view.facts.LoadBalanced || t.view.facts.HealthPath != "/health" {
			return nil
		}
		return one(finding(codeLiveness, t.whereService(), "the load balancer asks /health, and the app has a route "+app.Ready,
			"Medusa answers 200 on /health also while its database is down: the load balancer goes on sending requests to a task that cannot answer them",
			"let the load balancer ask "+app.Ready+", if that touches the database: the tag medusa-deploy:health-check-path, and the target group's health check on AWS"))
	}
}

// judgeTelemetry says that usage is reported, which is a decision and no mistake.
func judgeTelemetry(t medusaTask) []release.Finding {
	if t.env.Open || t.env.Has("MEDUSA_DISABLE_TELEMETRY") || t.env.Has("MEDUSA_FF_ANALYTICS") {
		return nil
	}
	return one(finding(codeTelemetry, t.whereTask(), "container "+t.container.Name+" has no MEDUSA_DISABLE_TELEMETRY",
		"Medusa sends anonymous facts about its use to its makers, when it starts and works", `leave it, or set MEDUSA_DISABLE_TELEMETRY to "true" (ENV in the Dockerfile)`))
}

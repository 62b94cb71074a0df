package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/medusa-deploy/medusa-deploy/internal/check/medusa"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// shared are the things that several tasks must share, and what Medusa offers for it.
var shared = []struct {
	kind       medusa.Kind
	name, cure string
}{
	{medusa.Events, "events", "@medusajs/medusa/event-bus-redis"},
	{medusa.Workflows, "workflows", "@medusajs/medusa/workflow-engine-redis"},
	{medusa.Locks, "locks", "@medusajs/medusa/locking with the provider @medusajs/medusa/locking-redis"},
	{medusa.Cache, "the cache", "@medusajs/medusa/caching with the provider @medusajs/caching-redis"},
}

// judgeInMemory: what one task keeps in its memory, the others do not know.
func judgeInMemory(m medusaLook) []release.Finding {
	tasks, serving := 0, 0
	for _, t := range m.tasks {
		tasks += t.view.facts.Desired
		if t.serves() {
			serving += t.view.facts.Desired
		}
	}
	if tasks < 2 {
		return nil
	}
	var names, cures []string
	for _, s := range shared {
		if slices.ContainsFunc(m.tasks, func(t medusaTask) bool { return t.known && t.facts.Kept[s.kind] }) {
			names, cures = append(names, s.name), append(cures, s.cure)
		}
	}
	alone := func(t medusaTask) bool { return t.serves() && t.facts.RedisURL == "" && !t.facts.SessionStore }
	if serving > 1 && slices.ContainsFunc(m.tasks, alone) {
		names, cures = append(names, "sessions"), append(cures, "projectConfig.redisUrl")
	}
	if len(names) == 0 {
		return nil
	}
	return one(finding(codeInMemory, m.app.Config, fmt.Sprintf("with %d tasks, each keeps in its own memory: %s", tasks, strings.Join(names, ", ")),
		"what one task has noted, locked, cached or announced the others never hear of: jobs are done twice or not at all, and who signed in at one task is unknown at the next",
		"configure "+strings.Join(cures, ", ")+", with REDIS_URL from the container's secrets"))
}

// judgeFiles: a task's disk goes with the task. Local AWS is a rehearsal.
func judgeFiles(t medusaTask) []release.Finding {
	if !t.known || t.target.Local || !t.facts.Kept[medusa.Files] || len(t.container.Mounts) > 0 || t.view.facts.Desired == 0 {
		return nil
	}
	why := "every release replaces the tasks, and with them all files that were uploaded"
	if t.view.facts.Desired > 1 {
		why = "a file is found in one task and missing in the others, and " + why
	}
	return one(finding(codeLocalFiles, t.whereTask(), "container "+t.container.Name+" keeps uploaded files on its own disk (provider file-local)", why,
		"configure @medusajs/medusa/file with the provider @medusajs/medusa/file-s3; or mount a volume that outlives the task"))
}

// judgeModes: a server hands its jobs to a worker, and a worker answers no request but /health.
func judgeModes(t release.Target, m medusaLook) []release.Finding {
	if len(m.tasks) == 0 || slices.ContainsFunc(m.tasks, func(t medusaTask) bool { return !t.known || !medusa.Known(t.facts.WorkerMode) }) {
		return nil
	}
	modes := map[string][]medusaTask{}
	for _, task := range m.tasks {
		modes[task.facts.WorkerMode] = append(modes[task.facts.WorkerMode], task)
	}
	where := func(tasks []medusaTask) string {
		var all []string
		for _, t := range tasks {
			all = append(all, t.whereTask())
		}
		return strings.Join(slices.Compact(all), ", ")
	}
	const set = "set MEDUSA_WORKER_MODE in the containers' environment: server for the service behind the load balancer, worker for the other one"
	var findings []release.Finding
	add := func(tasks []medusaTask, problem, why, cure string) {
		findings = append(findings, finding(codeWorkerModes, where(tasks), problem, why, cure))
	}
	server, worker, both := modes["server"], modes["worker"], modes["shared"]
	switch {
	case len(t.Services) > 1 && len(both) == len(m.tasks) && len(both) > 1:
		add(both, fmt.Sprintf("all %d services are in shared mode", len(both)), "each of them serves requests and does jobs: a heavy job slows the shop down, which a worker of its own is to prevent", set)
	case len(worker) == len(m.tasks):
		add(worker, "there are workers, and no server", "a worker answers no request but /health", set+"; nothing, when another target has the servers")
	case len(server) == len(m.tasks):
		add(server, "there are servers, and no worker", "subscribers, scheduled jobs and long workflows wait for a worker that never comes",
			"add a service with MEDUSA_WORKER_MODE worker, or set it to shared; nothing, when another target has the workers")
	}
	for _, w := range worker {
		if w.view.facts.LoadBalanced {
			add([]medusaTask{w}, "service "+w.name+" is a worker and has a load balancer", "a worker is healthy and answers everything but /health with 404: so does the shop, for the requests that reach it",
				"take the load balancer from the service, or set MEDUSA_WORKER_MODE to server")
		}
	}
	return findings
}

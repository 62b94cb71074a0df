package check

import (
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/medusa-deploy/medusa-deploy/internal/check/medusa"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// medusaLook is what was found out about the Medusa app that will be built and run.
type medusaLook struct {
	present bool // there is one
	app     medusa.App
	// unjudged is why the config could not be judged, for some environment; nil: it could, or there is none.
	unjudged error
	tasks    []medusaTask
	build    medusaBuild
	envFiles bool // the image has a file of variables
}

// medusaTask is one container that runs Medusa.
type medusaTask struct {
	view
	container release.ContainerDefinition
	env       medusa.Environment
	facts     medusa.Facts // what the config says there
	known     bool         // facts are known
	commands  []medusa.Command
	started   string // where the command stands: the task definition, or a line of the Dockerfile
}

// serves reports whether the task answers requests; false when nobody knows.
func (t medusaTask) serves() bool {
	return t.known && (t.facts.WorkerMode == "server" || t.facts.WorkerMode == "shared")
}

// medusaBuild is the first stage that runs `medusa build`: where the admin and the server are built apart, that of the admin
// by what init writes.
type medusaBuild struct {
	run   release.Instruction
	found bool
	facts medusa.Facts
	known bool // facts are known
}

// lookAtMedusa runs the app's config in every environment that it will run in. It asks nobody.
func (c *Checker) lookAtMedusa(ctx context.Context, req release.CheckRequest, seen *look) medusaLook {
	if req.ContextDir == "" || req.Dockerfile == "" {
		return medusaLook{}
	}
	m := medusaLook{}
	if m.app, m.present = medusa.Find(req.ContextDir, req.Dockerfile); !m.present {
		return m
	}
	all := reachable(seen.build.instructions, c.Stage)
	final := lineage(all, finalStage(all, ""))
	m.envFiles = hasEnvFiles(all, seen.build.files.secretFiles)
	for _, s := range seen.services {
		if s.err != nil || s.previewErr != nil {
			continue
		}
		v := viewOf(req, seen, s)
		for _, container := range v.apps() {
			m.tasks = append(m.tasks, m.task(v, container, final, req.Dockerfile))
		}
	}
	m.build = m.lookAtBuild(all)
	m.runConfig(ctx, all, len(seen.build.instructions) > 0)
	return m
}

// task is a container as its image and its definition make it.
func (m *medusaLook) task(v view, c release.ContainerDefinition, final []release.Instruction, dockerfile string) medusaTask {
	t := medusaTask{view: v, container: c, env: environmentOf(final), started: v.whereTask()}
	for name, value := range c.Environment {
		t.env.Values[name] = value
		t.env.Hidden = slices.DeleteFunc(t.env.Hidden, func(hidden string) bool { return hidden == name })
	}
	for _, s := range c.Secrets {
		if s.Name != "" {
			delete(t.env.Values, s.Name)
			t.env.Hidden = append(t.env.Hidden, s.Name)
		}
	}
	t.env.Open = c.EnvironmentFiles || m.envFiles
	if t.env.Values["NODE_ENV"] == "" { // `medusa start` sets it
		t.env.Values["NODE_ENV"] = "production"
	}
	entry, command := c.EntryPoint, c.Command
	i, ok := last(final, "CMD")
	if command == nil && entry == nil && ok {
		command = argv(i)
		t.started = dockerfile + ":" + strconv.Itoa(i.Line)
	}
	if i, ok := last(final, "ENTRYPOINT"); entry == nil && ok {
		if entry = argv(i); i.Shell {
			command = nil
		}
		if len(command) == 0 {
			t.started = dockerfile + ":" + strconv.Itoa(i.Line)
		}
	}
	t.commands = m.app.Commands(slices.Concat(entry, command))
	return t
}

// argv is the command of a CMD or ENTRYPOINT as it is run.
func argv(i release.Instruction) []string {
	if i.Shell {
		return []string{"/bin/sh", "-c", commandOf(i)}
	}
	return i.Words
}

// environmentOf is what ENV sets.
func environmentOf(chain []release.Instruction) medusa.Environment {
	env := medusa.Environment{Values: map[string]string{}}
	for _, i := range chain {
		if i.Name != "ENV" {
			continue
		}
		for name, value := range i.Values {
			env.Values[name] = value
		}
		for _, name := range i.Words {
			if _, known := i.Values[name]; !known {
				delete(env.Values, name)
				env.Hidden = append(env.Hidden, name)
			}
		}
	}
	return env
}

// namesEnvFile finds a file of variables in a command or a path.
var namesEnvFile = regexp.MustCompile(`(?:^|[\s/'"=])\.env(?:\.\w+)?\b`)

// hasEnvFiles reports whether the image may have files that Medusa takes variables from: which they are, nobody knows here.
func hasEnvFiles(all []release.Instruction, copied []string) bool {
	for _, i := range all {
		if i.Name == "MOUNT" {
			continue
		}
		for _, word := range append(slices.Clone(i.Words), i.To) {
			if namesEnvFile.MatchString(word) && !exampleEnv(word) {
				return true
			}
		}
	}
	return slices.ContainsFunc(copied, func(name string) bool { return strings.HasPrefix(path.Base(name), ".env") })
}

func exampleEnv(name string) bool {
	for _, word := range []string{"template", "example", "sample", "test"} {
		if strings.HasSuffix(strings.TrimSpace(name), "."+word) {
			return true
		}
	}
	return false
}

// lookAtBuild finds the step that builds the app.
func (m *medusaLook) lookAtBuild(all []release.Instruction) medusaBuild {
	for _, i := range all {
		if i.Name != "RUN" {
			continue
		}
		commands := m.app.Commands(i.Words)
		if i.Shell {
			commands = m.app.ShellCommands(commandOf(i))
		}
		if slices.ContainsFunc(commands, func(c medusa.Command) bool { return c.Is("build") }) {
			return medusaBuild{run: i, found: true}
		}
	}
	return medusaBuild{}
}

// ownSwitch finds a variable that a step sets for itself.
var ownSwitch = regexp.MustCompile(`\b\w+=`)

// configName finds files that are named like a config, usualConfig those that are one.
var (
	configName  = regexp.MustCompile(`[\w.-]*medusa-config[\w.-]*`)
	usualConfig = regexp.MustCompile(`^medusa-config(?:\.(?:[cm]?[jt]s)?)?$`) // also medusa-config.*
	edits       = command(`(?:sed|envsubst|perl|awk)\s`)
)

// changesConfig reports whether an instruction has another config take the place of the one that is there.
func changesConfig(i release.Instruction) bool {
	if i.Name != "RUN" && i.Name != "COPY" && i.Name != "ADD" {
		return false
	}
	for _, word := range append(slices.Clone(i.Words), i.To) {
		for _, name := range configName.FindAllString(word, -1) {
			if !usualConfig.MatchString(name) || i.Name == "RUN" && edits.MatchString(word) {
				return true
			}
		}
	}
	return false
}

// runConfig runs the config for every task, and for the build.
func (m *medusaLook) runConfig(ctx context.Context, all []release.Instruction, imageKnown bool) {
	if m.app.Config == "" || !imageKnown {
		return
	}
	if at := slices.IndexFunc(all, changesConfig); at >= 0 {
		m.unjudged = fmt.Errorf("line %d of the Dockerfile puts another one in its place", all[at].Line)
		return
	}
	config, err := medusa.LoadConfig(m.app.Config)
	if err != nil {
		m.unjudged = err
		return
	}
	for i := range m.tasks {
		t := &m.tasks[i]
		if t.facts, err = config.Run(ctx, t.env); err != nil {
			if !t.env.Open { // else it is only natural
				m.unjudged = err
			}
			if errors.Is(err, medusa.ErrSlow) {
				return // it would be no faster the next time
			}
			continue
		}
		t.known = true
	}
	if !m.build.found {
		return
	}
	chain := lineage(all, m.build.run.Stage)
	env := environmentOf(chain)
	env.Open = m.envFiles || ownSwitch.MatchString(commandOf(m.build.run))
	for _, i := range all {
		if i.Name == "ARG" && (i.Stage < 0 || i.Stage == m.build.run.Stage) {
			env.Maybe = append(env.Maybe, i.Words...)
		}
	}
	if env.Values["NODE_ENV"] == "" {
		env.Values["NODE_ENV"] = "production"
	}
	if m.build.facts, err = config.Run(ctx, env); err == nil {
		m.build.known = true
	}
}

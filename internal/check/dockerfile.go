package check

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// commandOf is the command of RUN, CMD or ENTRYPOINT, with the scripts that stand below it.
func commandOf(i release.Instruction) string {
	if i.Shell {
		return strings.TrimSpace(strings.Join(i.Words, "\n"))
	}
	return strings.Join(i.Words, " ")
}

// dockerfile is a Dockerfile with all that is needed to judge it.
type dockerfile struct {
	path    string
	all     []release.Instruction // of the stages that the build comes to
	offline bool
	apps    []release.ContainerDefinition
	context string       // the directory of the build context
	files   contextFiles // what the build reads of it
}

func (d dockerfile) at(line int) string { return fmt.Sprintf("%s:%d", d.path, line) }

// judge gives what is wrong with a Dockerfile, in the order of its lines.
func (d dockerfile) judge() []release.Finding {
	type placed struct {
		line int
		release.Finding
	}
	var found []placed
	add := func(line int, code, problem, why, cure string) {
		found = append(found, placed{line, finding(code, d.at(line), problem, why, cure)})
	}
	for _, trap := range []func(report){d.frontend, d.bases, d.user, d.healthcheck, d.shellForms, d.cacheOrder, d.downloads, d.secrets, d.secretFiles} {
		trap(add)
	}
	slices.SortStableFunc(found, func(a, b placed) int { return a.line - b.line })
	var findings []release.Finding
	for _, p := range found {
		findings = append(findings, p.Finding)
	}
	return findings
}

// report notes a finding on a line.
type report func(line int, code, problem, why, cure string)

// frontend: the line names an image that has to be downloaded before anything is built.
func (d dockerfile) frontend(add report) {
	i, ok := last(d.all, "SYNTAX")
	if !ok || !d.offline {
		return
	}
	add(i.Line, codeFrontend, "# syntax="+i.Word(0)+" has the builder download a frontend",
		"the built-in engine has one of its own; where there is no network, or no mirror, the build fails before its first step",
		"remove the line, unless the Dockerfile uses what only that frontend knows")
}

// bases: a base image without a version is another one tomorrow.
func (d dockerfile) bases(add report) {
	for _, i := range d.all {
		image := i.Word(0)
		if i.Name != "FROM" || image == "scratch" || stageNamed(d.all, image, i.Stage) >= 0 || strings.Contains(image, "$") {
			continue
		}
		if r := parseReference(image); r.tag == "latest" {
			add(i.Line, codeFloatingBase, "the base image "+image+" has no version",
				"the same commit gives another image once somebody moves that tag, and nobody sees the change",
				"name a version, best with a digest: FROM "+r.name+":VERSION@sha256:…")
		}
	}
}

// quiet are words in a base image's name that tell that it does not run as root.
var quiet = []string{"nonroot", "rootless", "unprivileged"}

// user: without USER an app runs as root, unless its base image or its task definition says otherwise.
func (d dockerfile) user(add report) {
	if len(d.apps) > 0 && !slices.ContainsFunc(d.apps, func(c release.ContainerDefinition) bool { return c.User == "" || asRoot(c.User) }) {
		return
	}
	chain := lineage(d.all, finalStage(d.all, ""))
	if len(chain) == 0 {
		return
	}
	if u, ok := last(chain, "USER"); ok {
		if asRoot(u.Word(0)) {
			add(u.Line, codeRoot, "USER "+u.Word(0)+" has the app run as root", whyRoot, cureRoot)
		}
		return
	}
	base := chain[0].Word(0)
	if slices.ContainsFunc(quiet, func(word string) bool { return strings.Contains(base, word) }) {
		return
	}
	from, _ := last(chain, "FROM")
	add(from.Line, codeRoot, "no USER: the app runs as root, unless "+base+" says otherwise", whyRoot, cureRoot)
}

const (
	whyRoot  = "whoever gets into the app owns the container, and has one barrier less to the machine"
	cureRoot = "add USER 65532:65532 (or the base image's own user, such as node) before ENTRYPOINT"
)

func asRoot(user string) bool {
	name, _, _ := strings.Cut(user, ":")
	return name == "root" || name == "0"
}

// healthcheck: ECS looks at the task definition alone.
func (d dockerfile) healthcheck(add report) {
	i, ok := last(lineage(d.all, finalStage(d.all, "")), "HEALTHCHECK")
	if !ok || i.Word(0) == "NONE" {
		return
	}
	if len(d.apps) > 0 && !slices.ContainsFunc(d.apps, func(c release.ContainerDefinition) bool { return !c.HealthCheck }) {
		return
	}
	add(i.Line, codeHealthcheck, "HEALTHCHECK has no effect on ECS", "a task counts as healthy although this check fails",
		"put it into the task definition, at the container: "+asHealthCheck(i))
}

// asHealthCheck is a HEALTHCHECK as a task definition has it.
func asHealthCheck(i release.Instruction) string {
	var command strings.Builder
	e := json.NewEncoder(&command)
	e.SetEscapeHTML(false) // && is no HTML
	_ = e.Encode(i.Words)  // strings always marshal
	return fmt.Sprintf(`"healthCheck": {"command": %s, "interval": 10, "timeout": 5, "retries": 3, "startPeriod": 60}`, strings.TrimSpace(command.String()))
}

// shellForms: /bin/sh -c does not hand signals on.
func (d dockerfile) shellForms(add report) {
	chain := lineage(d.all, finalStage(d.all, ""))
	entry, hasEntry := last(chain, "ENTRYPOINT")
	command, hasCommand := last(chain, "CMD")
	if hasEntry && entry.Shell {
		hasCommand = false // it is ignored
	}
	for _, one := range []struct {
		release.Instruction
		there bool
	}{{entry, hasEntry}, {command, hasCommand}} {
		text := commandOf(one.Instruction)
		if !one.there || !one.Shell || handsOver.MatchString(text) || text == "" {
			continue
		}
		add(one.Line, codeShellForm, one.Name+" is run by a shell",
			"the shell gets SIGTERM and keeps it: at every rollout ECS waits for stopTimeout and then kills the app, with the requests that it is busy with",
			"write it as a JSON array: "+one.Name+" "+jsonForm(text))
	}
}

// handsOver matches a shell's command that puts the app in the shell's own place.
var handsOver = command(`exec\s`)

// jsonForm is a command as an array; a shell's own words stay with a shell, which hands over to the last command.
func jsonForm(command string) string {
	if strings.ContainsAny(command, "$&|;<>*?`\"'\\(){}~#") {
		return `["/bin/sh", "-c", "exec …"]`
	}
	words := strings.Fields(command)
	for i, w := range words {
		words[i] = `"` + w + `"`
	}
	return "[" + strings.Join(words, ", ") + "]"
}

// installs are commands that install an app's dependencies, by tool. One that is told what to install is about something
// else.
var installs = []struct {
	tool    string
	command *regexp.Regexp
}{
	{"npm", command(`npm\s+(?:ci|i|install)` + optionsOnly)},
	{"pnpm", command(`pnpm\s+(?:i|install)` + optionsOnly)},
	{"yarn", command(`yarn(?:\s+install)?` + optionsOnly)},
	{"bun", command(`bun\s+install` + optionsOnly)},
	{"pip", command(`pip3?\s+install\b[^&|;\n]*\s(?:-r|--requirement)\b`)},
	{"poetry", command(`poetry\s+install\b`)},
	{"uv", command(`uv\s+sync\b`)},
	{"bundle", command(`bundle\s+install\b`)},
	{"composer", command(`composer\s+install\b`)},
	{"go", command(`go\s+mod\s+download\b`)},
	{"cargo", command(`cargo\s+fetch\b`)},
}

// optionsOnly is the rest of a command that has nothing but options.
const optionsOnly = `(?:\s+-[\w=.-]+)*\s*(?:$|[&|;\n)>])`

// command matches a command where a shell would see one, also behind variables that are set for it.
func command(pattern string) *regexp.Regexp {
	return regexp.MustCompile(`(?:^|[&|;\n(])\s*(?:\w+=\S*\s+)*` + pattern)
}

// cacheOrder: what follows a COPY of everything is done again at every change.
func (d dockerfile) cacheOrder(add report) {
	for stage := range finalStage(d.all, "") + 1 {
		copied, done := release.Instruction{}, map[string]bool{}
		for _, i := range lineage(d.all, stage) {
			switch {
			case i.Name == "COPY" && i.From == "" && slices.ContainsFunc(sources([]release.Instruction{i}), source.whole):
				if copied.Line == 0 {
					copied = i
				}
			case i.Name == "RUN":
				tool := installed(commandOf(i))
				if tool == "" || done[tool] {
					continue
				}
				done[tool] = true
				if copied.Line == 0 || i.Stage != stage {
					continue
				}
				add(copied.Line, codeCacheOrder, fmt.Sprintf("%s copies everything before line %d installs the dependencies (%s)", copied.Name, i.Line, tool),
					"a change of any file throws the installed dependencies out of the cache: each build takes as long as the first",
					"copy the list of dependencies first, install them, and copy the rest afterwards")
			}
		}
	}
}

// installed is the tool that a command installs dependencies with; empty: none.
func installed(text string) string {
	for _, i := range installs {
		if m := i.command.FindString(text); m != "" && !strings.Contains(m, " -g") && !strings.Contains(m, "--global") {
			return i.tool
		}
	}
	return ""
}

// downloads: ADD takes whatever the address gives today.
func (d dockerfile) downloads(add report) {
	for _, i := range d.all {
		if i.Name != "ADD" || i.Verified || !slices.ContainsFunc(i.Words, remote) {
			continue
		}
		add(i.Line, codeAddURL, "ADD downloads "+i.Words[slices.IndexFunc(i.Words, remote)],
			"nobody checks what comes, the same commit can give another image tomorrow, and the build needs that server",
			"add --checksum=sha256:…, or keep the file in the repository")
	}
}

// secretName is how names of secrets look: by their words.
var (
	secretName = regexp.MustCompile(`(?i)(?:^|_)(?:PASSWORD|PASSWD|PASSPHRASE|PWD|SECRETS?|TOKEN|CREDENTIALS?|APIKEY|(?:API|PRIVATE|ACCESS|SECRET|SIGNING|ENCRYPTION)_?KEY)(?:$|_)`)
	// openName are words that tell the opposite: what anybody may see, or where something is and how large.
	openName = regexp.MustCompile(`(?i)(?:^|_)(?:PUBLIC|PUBLISHABLE)(?:$|_)|_(?:FILE|PATH|DIR|NAME|URL|URI|ARN|TTL|LENGTH|EXPIRY|ENABLED|TYPE|MODE|METHOD|HEADER)$`)
)

// secrets: values of ARG and ENV stay in the image and its history, for whoever can pull it.
func (d dockerfile) secrets(add report) {
	for _, i := range d.all {
		if i.Name != "ARG" && i.Name != "ENV" {
			continue
		}
		for _, name := range i.Words {
			if !secretName.MatchString(name) || openName.MatchString(name) || name == "PWD" {
				continue
			}
			cure := "give it to the one step that needs it: RUN --mount=type=secret,id=" + strings.ToLower(name) + " …"
			if i.Name == "ENV" {
				cure = "leave it out, and give it to the container by `secrets` in the task definition"
			}
			add(i.Line, codeSecretInImage, i.Name+" "+name+" looks like a secret", "its value stays in the image and its history, for everybody who can pull it", cure)
		}
	}
}

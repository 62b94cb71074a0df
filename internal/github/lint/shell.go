package lint

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// shell is what runs a script.
type shell struct {
	dialect  dialect
	pipefail bool // a pipe fails when any part of it does
	// told is false when nothing in the file names the shell.
	told bool
}

type dialect int

const (
	foreign dialect = iota // PowerShell, Python, cmd: not read here
	bash
	posix
)

// shellOf finds out which shell runs a step: the step's own, the job's, the workflow's, or the runner's.
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idstepsshell
func shellOf(s *step) shell {
	defaults := []field{s.get("shell")}
	if s.job != nil {
		defaults = append(defaults,
			lookup(lookup(s.job.get("defaults").val, "run").val, "shell"),
			lookup(lookup(lookup(s.of.root, "defaults").val, "run").val, "shell"))
	}
	for _, f := range defaults {
		if text := f.text(); text != "" {
			return namedShell(text)
		}
	}
	if s.job != nil && (slices.ContainsFunc(s.job.runners(), isWindows) || !slices.ContainsFunc(s.job.runners(), isUnix) && powerShell.MatchString(s.run.text())) {
		return shell{dialect: foreign}
	}
	return shell{dialect: bash} // bash -e {0}: without pipefail
}

// namedShell reads a `shell:`, which is a name or a whole command.
func namedShell(text string) shell {
	words := strings.Fields(text)
	sh := shell{told: true}
	switch path.Base(words[0]) {
	case "bash":
		// The bare name stands for: bash --noprofile --norc -eo pipefail {0}
		sh.dialect, sh.pipefail = bash, len(words) == 1 || strings.Contains(text, "pipefail")
	case "sh", "dash", "ash":
		sh.dialect, sh.pipefail = posix, strings.Contains(text, "pipefail")
	}
	return sh
}

// runners are the labels that the job may run on: those of `runs-on`, and what a matrix puts in their place.
func (j *job) runners() []string {
	on := j.get("runs-on").val
	labels := texts(on)
	if labels == nil {
		labels = texts(lookup(on, "labels").val)
	}
	var all []string
	for _, label := range labels {
		found, _ := expressions(label)
		if len(found) == 0 {
			all = append(all, label)
		}
		for _, e := range found {
			for _, read := range reads(e.node) {
				if row, isMatrix := strings.CutPrefix(read, "matrix."); isMatrix {
					all = append(all, j.matrixValues(row)...)
				}
			}
		}
	}
	return all
}

// matrixValues are the values that a property of the matrix can take, as far as they are written out.
func (j *job) matrixValues(property string) []string {
	name, rest, _ := strings.Cut(property, ".")
	matrix := lookup(j.get("strategy").val, "matrix").val
	row := lookupFold(matrix, name).val
	values := texts(row)
	for _, list := range []field{{val: row}, lookup(matrix, "include")} {
		for _, item := range items(list.val) {
			value := item
			if list.key != nil { // an entry of include holds all properties
				value = lookupFold(item, name).val
			}
			if rest != "" {
				value = lookupFold(value, rest).val
			}
			if value != nil && (list.key != nil || rest != "") {
				values = append(values, texts(value)...)
			}
		}
	}
	return values
}

// powerShell finds what only that shell writes. Labels of one's own do not always tell the system.
var powerShell = regexp.MustCompile(`\$env:|\$LASTEXITCODE|\b(?:Write|Get|Set|New|Remove|Invoke|Import|Start|Stop|Test|Join|Out|Copy|Move|Expand)-[A-Z]\w+`)

func isUnix(label string) bool {
	lower := strings.ToLower(label)
	return strings.Contains(lower, "ubuntu") || strings.Contains(lower, "linux") || strings.Contains(lower, "macos")
}

func isWindows(label string) bool { return strings.HasPrefix(strings.ToLower(label), "windows") }

// hosted tells whether the job surely runs on a fresh machine of GitHub's: there nothing is left over from other runs.
// https://docs.github.com/en/actions/reference/runners/github-hosted-runners
func (j *job) hosted() bool {
	if j == nil {
		return false
	}
	labels := j.runners()
	return len(labels) > 0 && !slices.ContainsFunc(labels, func(label string) bool {
		name, _, _ := strings.Cut(strings.ToLower(label), "-")
		return name != "ubuntu" && name != "macos" && name != "windows"
	})
}

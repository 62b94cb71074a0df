package check

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/medusa-deploy/medusa-deploy/internal/check/medusa"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

func (d dockerfile) line(i release.Instruction) string { return strconv.Itoa(i.Line) }

// nodeTag finds Node's version in the tag of its image, distroless in the name.
var (
	nodeTag    = regexp.MustCompile(`^v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?(?:-|$)`)
	distroless = regexp.MustCompile(`^nodejs([0-9]+)(?:-|$)`)
)

// nodeVersion is what the name of an image tells of its Node: the first numbers of a version.
type nodeVersion []uint64

// nodeOf reads it; ok is false when the name does not tell.
func nodeOf(image string) (v nodeVersion, ok bool) {
	r := parseReference(image)
	parts := nodeTag.FindStringSubmatch(r.tag)
	switch name := path.Base(r.name); {
	case distroless.MatchString(name):
		parts = distroless.FindStringSubmatch(name)
	case name != "node" || parts == nil:
		return nil, false
	}
	for _, text := range parts[1:] {
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			break // it says no more
		}
		v = append(v, n)
	}
	return v, len(v) > 0
}

// exactVersion finds the versions that a range names.
var exactVersion = regexp.MustCompile(`([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?`)

// mayBe reports whether an image may have a Node of a range: its newest one, or one that the range names.
func (v nodeVersion) mayBe(wanted *semver.Constraints, text string) bool {
	const newest = 999
	candidates := [][]uint64{{newest, newest, newest}}
	for _, m := range exactVersion.FindAllStringSubmatch(text, -1) {
		var named []uint64
		for _, number := range m[1:] {
			n, _ := strconv.ParseUint(number, 10, 32) // none is 0
			named = append(named, n)
		}
		candidates = append(candidates, named)
	}
	for _, c := range candidates {
		copy(c, v)
		if wanted.Check(semver.New(c[0], c[1], c[2], "", "")) {
			return true
		}
	}
	return false
}

// judgeNode: an old Node does not know what a package is written in, and some packages refuse to be installed on it.
func judgeNode(m medusaLook, d dockerfile, all []release.Instruction) []release.Finding {
	var findings []release.Finding
	for _, i := range all {
		if i.Name != "FROM" {
			continue
		}
		node, ok := nodeOf(i.Word(0))
		if !ok || stageNamed(all, i.Word(0), i.Stage) >= 0 {
			continue
		}
		for _, e := range m.app.Engines {
			wanted, err := semver.NewConstraint(e.Range)
			if err != nil || node.mayBe(wanted, e.Range) {
				continue
			}
			findings = append(findings, finding(codeNode, d.at(i.Line), fmt.Sprintf("the image %s does not have the Node that %s asks for: %s", i.Word(0), e.Of, e.Range),
				"the installation refuses it, or the app fails where it needs what that Node does not have", "name a Node of that range: FROM node:22-bookworm-slim"))
			break
		}
	}
	return findings
}

// judgeAdmin: the admin is a page that is made when the app is built, for one address.
func judgeAdmin(m medusaLook, d dockerfile) []release.Finding {
	if !m.build.known || !m.build.facts.AdminKnown {
		return nil
	}
	var findings []release.Finding
	served, serving := false, false
	for _, t := range m.tasks {
		if !t.serves() {
			continue
		}
		serving, served = true, served || !t.facts.AdminOff
		if t.facts.AdminOff || !t.facts.AdminKnown {
			continue
		}
		switch {
		case m.build.facts.AdminOff:
			findings = append(findings, finding(codeNoAdmin, t.whereTask(), "container "+t.container.Name+" serves the admin, which line "+d.line(m.build.run)+" of the Dockerfile does not build",
				"Medusa does not start: Could not find index.html in the admin build directory",
				"have both the same admin.disable: set its variable for the build (ENV in that stage) and for the task alike"))
		case otherBackend(m.build.facts.BackendURL, t):
			findings = append(findings, finding(codeAdminURL, t.whereTask(), fmt.Sprintf("the admin of container %s is built for %s, and the task says %s", t.container.Name, m.build.facts.BackendURL, t.facts.BackendURL),
				"the address is written into the admin when it is built, and from there browsers will ask it: what the task says has no effect",
				"give it to the build: ARG MEDUSA_BACKEND_URL and ENV MEDUSA_BACKEND_URL=$MEDUSA_BACKEND_URL in that stage, and image.args in medusa-deploy.yaml; or leave it out where the admin is served by Medusa itself"))
		}
	}
	if serving && !served && !m.build.facts.AdminOff && allKnown(m.tasks) {
		findings = append(findings, finding(codeIdleAdmin, d.at(m.build.run.Line), "the admin is built, and no task serves it",
			"the admin is most of the build's time and memory (2 GB)", "disable it for the build, too, with the variable that disables it in the tasks"))
	}
	return findings
}

// otherBackend reports whether an admin is built for another address than the task's. One that is built for "/" asks whoever
// served it.
func otherBackend(built string, t medusaTask) bool {
	run := t.facts.BackendURL
	if built == "" || strings.HasPrefix(built, "/") || !medusa.Known(built) || !medusa.Known(run) {
		return false
	}
	return strings.TrimSuffix(built, "/") != strings.TrimSuffix(run, "/") || !t.target.Local && !elsewhere(built)
}

func allKnown(tasks []medusaTask) bool {
	return !slices.ContainsFunc(tasks, func(t medusaTask) bool { return !t.known })
}

package check

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// Builder is what would build.
type Builder struct {
	Name string // with the reason why it was chosen, for people
	// Platforms are those whose programs it runs: its own processor's first, emulated ones after it; empty: it does not say.
	Platforms []string
	// Several is set when it consists of several machines, whose own processors differ.
	Several bool
}

// builderLook is which builder there is, or why there is none.
type builderLook struct {
	Builder
	looked bool
	err    error
}

func (c *Checker) lookAtBuilder(ctx context.Context, req release.CheckRequest) builderLook {
	if c.Builder == nil || req.Dockerfile == "" {
		return builderLook{}
	}
	look := builderLook{looked: true}
	look.Builder, look.err = c.Builder(ctx)
	return look
}

// judgeBuilder: a build needs a builder, and one that can run what the Dockerfile has it run.
func judgeBuilder(req release.CheckRequest, d dockerfile, b builderLook) []release.Finding {
	switch {
	case !b.looked:
		return nil
	case b.err != nil:
		problem, cure := splitCure(b.err.Error())
		return one(finding(codeNoBuilder, "this machine", problem, "ship, build and push need one, unless the registry has the commit's image already; deploy and rollback do without", cure))
	case len(b.Platforms) == 0:
		return nil
	}
	var findings []release.Finding
	for _, p := range req.Platforms {
		findings = append(findings, judgeFor(p, d, b.Builder)...)
	}
	return findings
}

// splitCure takes an error for people apart: what is wrong, in one line, and what to do, which is its last line.
func splitCure(text string) (problem, cure string) {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	if len(lines) == 1 {
		return lines[0], "docs/build.md says how a builder is chosen"
	}
	problem = lines[0]
	if all := lines[1 : len(lines)-1]; len(all) > 0 {
		problem += ": " + strings.Join(all, "; ")
	}
	return problem, lines[len(lines)-1]
}

// judgeFor judges a build for one platform.
func judgeFor(platform string, d dockerfile, b Builder) []release.Finding {
	if sameProcessor(platform, b.Platforms[0]) || b.Several && runs(b, platform) {
		return nil
	}
	foreign, crossed := foreignRun(d.all, platform)
	switch {
	case foreign.Line > 0 && !runs(b, platform):
		return one(finding(codeForeign, d.at(foreign.Line),
			fmt.Sprintf("RUN needs %s, and the builder has %s: %s", platform, strings.Join(b.Platforms, ", "), b.Name),
			"it runs programs of that platform, which the builder has neither the processor nor an emulator for: exec format error",
			"have that stage run on the builder's own processor and compile for the other one: FROM --platform=$BUILDPLATFORM …, and TARGETARCH; or install an emulator: docker run --privileged --rm tonistiigi/binfmt --install "+
				architecture(platform)+" (on GitHub: docker/setup-qemu-action); or add a machine to the builder: docker buildx create --append"))
	case foreign.Line > 0:
		return one(finding(codeEmulated, d.at(foreign.Line), fmt.Sprintf("RUN is emulated for %s", platform),
			"the builder's own processor is another one ("+b.Platforms[0]+"): such steps take several times as long",
			"if that matters, compile on the builder's own processor: FROM --platform=$BUILDPLATFORM …, and TARGETARCH"))
	case crossed:
		return one(finding(codeCrossed, d.path, fmt.Sprintf("%s is made by cross-compilation", platform),
			"every RUN runs on the builder's own processor ($BUILDPLATFORM), and what is for "+platform+" is only copied: no emulator is needed",
			"nothing; whether the programs are for "+platform+" is up to the steps that compile them"))
	}
	return nil
}

// foreignRun is the first RUN of a stage that is for a platform, rather than for the builder's own; crossed tells that
// there are stages of the builder's own, with a RUN.
func foreignRun(all []release.Instruction, platform string) (foreign release.Instruction, crossed bool) {
	for _, i := range all {
		if i.Name != "RUN" {
			continue
		}
		root := rootOf(all, i.Stage)
		switch {
		case strings.Contains(root.Platform, "BUILDPLATFORM"), root.Platform != "" && !strings.Contains(root.Platform, "$") && !sameProcessor(root.Platform, platform):
			crossed = true
		case foreign.Line == 0:
			foreign = i
		}
	}
	return foreign, crossed
}

// rootOf is the FROM that says which platform a stage is for: its own, or that of the stage that it is built on.
func rootOf(all []release.Instruction, stage int) release.Instruction {
	for _, i := range all {
		if i.Name != "FROM" || i.Stage != stage {
			continue
		}
		if base := stageNamed(all, i.Word(0), stage); base >= 0 {
			return rootOf(all, base) // a stage has the platform that it was made for
		}
		return i
	}
	return release.Instruction{}
}

// runs tells whether a builder runs a platform's programs.
func runs(b Builder, platform string) bool {
	return slices.ContainsFunc(b.Platforms, func(has string) bool { return sameProcessor(platform, has) })
}

// sameProcessor compares OS/ARCHITECTURE, whatever the variant.
func sameProcessor(a, b string) bool {
	return architecture(a) == architecture(b) && strings.HasPrefix(a, strings.SplitN(b, "/", 2)[0]+"/")
}

func architecture(platform string) string {
	parts := strings.SplitN(platform, "/", 3)
	if len(parts) < 2 {
		return platform
	}
	return parts[1]
}

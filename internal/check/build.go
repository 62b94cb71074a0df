package check

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// buildLook is what was found out about what will be built.
type buildLook struct {
	instructions []release.Instruction
	err          error // of the Dockerfile
	files        contextFiles
	filesErr     error // of the build context
}

// lookAtBuild reads what a build would read; nothing when nothing will be built.
func (c *Checker) lookAtBuild(ctx context.Context, req release.CheckRequest) buildLook {
	if req.Dockerfile == "" || c.Dockerfile == nil {
		return buildLook{}
	}
	var b buildLook
	b.instructions, b.err = c.Dockerfile(req.Dockerfile)
	b.files, b.filesErr = lookAtContext(ctx, req.ContextDir, req.Dockerfile, sources(reachable(b.instructions, c.Stage)))
	return b
}

// NoCommit is the finding that there is nothing to ship: git gives no commit.
func NoCommit(dir string, err error) release.Finding {
	return finding(codeNoCommit, dir, err.Error(), "ship and push need a commit to name the image after; deploy and rollback do without",
		"do what the message says; where nothing is built, leave it out: medusa-deploy check --no-build")
}

// judgeBuild gives what is wrong with what will be built.
func (c *Checker) judgeBuild(req release.CheckRequest, seen *look) []release.Finding {
	findings := judgeDirty(req.Commit)
	if req.Dockerfile == "" {
		return findings
	}
	if seen.build.err != nil {
		findings = append(findings, unusable(req.Dockerfile, seen.build.err))
	}
	if seen.build.filesErr != nil {
		findings = append(findings, unusable(req.ContextDir, seen.build.filesErr))
	}
	d := dockerfile{
		path: req.Dockerfile, all: reachable(seen.build.instructions, c.Stage), offline: c.Offline, apps: appsOf(req, seen),
		context: req.ContextDir, files: seen.build.files,
	}
	findings = append(findings, d.judge()...)
	findings = append(findings, judgeBuilder(req, d, seen.builder)...)
	return append(findings, judgeContext(req, seen.build.files)...)
}

// appsOf are the containers that will run the image, of all services that could be looked at.
func appsOf(req release.CheckRequest, seen *look) []release.ContainerDefinition {
	var all []release.ContainerDefinition
	for _, s := range seen.services {
		if s.err == nil && s.previewErr == nil {
			all = append(all, view{serviceLook: s, target: req.Target, account: seen.account, host: seen.host}.apps()...)
		}
	}
	return all
}

func judgeDirty(c release.Commit) []release.Finding {
	if !c.Dirty {
		return nil
	}
	return one(finding(codeDirty, "work tree of commit "+c.Short(), "it has changes that are not committed",
		"the image is named git-"+c.Short()+"…-dirty-…: nobody else can build it again, and history cannot tell what is in it",
		"git add --all && git commit"))
}

// unusable is a file or directory that would end the build before it starts.
func unusable(path string, err error) release.Finding {
	cure := "correct what the message names"
	var wrong *release.BuildError
	var ignore *ignoreError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		cure = "write it, or set image.dockerfile and image.context in medusa-deploy.yaml to where they are; `medusa-deploy check --no-build` leaves them out"
	case errors.As(err, &wrong):
		err = wrong.Err
		if wrong.Line > 0 {
			path = fmt.Sprintf("%s:%d", path, wrong.Line)
		}
	case errors.As(err, &ignore):
		path = ignore.path
	}
	return finding(codeBuildFile, path, err.Error(), "the build would fail before its first step", cure)
}

// judgeContext: what the Dockerfile copies is read, compared and sent at every build.
func judgeContext(req release.CheckRequest, files contextFiles) []release.Finding {
	var findings []release.Finding
	where := req.ContextDir
	if len(files.unneeded) > 0 {
		problem := some(files.unneeded) + " would go into the build"
		if files.ignoreFile == "" {
			problem += ", and there is no .dockerignore"
		}
		findings = append(findings, finding(codeUnignored, where, problem,
			"the build gets slower, its cache is lost with every git command or npm install, and the image may hold what was never meant to leave this machine",
			ignore(req.ContextDir, files, files.unneeded)))
	}
	if !files.huge() {
		return findings
	}
	var largest, names []string
	for _, d := range files.largest() {
		largest = append(largest, fmt.Sprintf("%s %s in %d files", d.name, megabytes(d.bytes), d.files))
		if d.name != "." {
			names = append(names, d.name)
		}
	}
	amount := fmt.Sprintf("%s in %d files", megabytes(files.bytes), files.files)
	if files.cutShort {
		amount = "at least " + amount + " (the count was cut short)"
	}
	return append(findings, finding(codeHugeContext, where, "the build reads "+amount+"; most of it: "+strings.Join(largest, ", "),
		"every build walks all of it and sends what changed; what is copied makes the image larger and each start slower", ignore(req.ContextDir, files, names)))
}

// ignore is how to leave things out of the build that it may have a use for.
func ignore(dir string, files contextFiles, names []string) string {
	if len(names) == 0 {
		return "name what the image needs in COPY, and the rest in " + ignoreFile(dir, files)
	}
	return leaveOut(dir, files, names) + ", less what the image needs"
}

// leaveOut is the command that leaves things out of the build.
func leaveOut(dir string, files contextFiles, names []string) string {
	words := make([]string, len(names))
	for i, name := range names {
		words[i] = quoted(name)
	}
	slices.Sort(words)
	return `printf '%s\n' ` + strings.Join(words, " ") + " >> " + quoted(ignoreFile(dir, files))
}

func ignoreFile(dir string, files contextFiles) string {
	if files.ignoreFile != "" {
		return files.ignoreFile
	}
	return strings.TrimSuffix(dir, "/") + "/.dockerignore"
}

func megabytes(n int64) string { return fmt.Sprintf("%d MB", (n+500_000)/1_000_000) }

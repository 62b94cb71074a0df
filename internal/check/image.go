package check

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// reference is an image as a task definition names it.
type reference struct {
	host, name, tag, digest string
}

// parseReference splits HOST/NAME[:TAG][@DIGEST]. The first part is a host when it looks like one; an image without
// tag and digest means :latest.
func parseReference(image string) reference {
	var r reference
	rest, digest, _ := strings.Cut(image, "@")
	r.digest = digest
	if i := strings.LastIndex(rest, ":"); i > strings.LastIndex(rest, "/") {
		rest, r.tag = rest[:i], rest[i+1:]
	}
	if host, name, ok := strings.Cut(rest, "/"); ok && (strings.ContainsAny(host, ".:") || host == "localhost") {
		r.host, rest = host, name
	}
	r.name = rest
	if r.tag == "" && r.digest == "" {
		r.tag = "latest"
	}
	return r
}

// ecrHost is every form in which the host of an account's registry is written: plain, FIPS, dual-stack.
// https://docs.aws.amazon.com/general/latest/gr/ecr.html
var ecrHost = regexp.MustCompile(`^([0-9]{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|amazonaws\.eu|on\.aws|on\.amazonwebservices\.com\.cn)$`)

// inRegistry reports whether a host is the registry that the release pushes to. On a local target every ECR host is.
func (v view) inRegistry(host string) bool {
	if host == v.host && host != "" {
		return true
	}
	match := ecrHost.FindStringSubmatch(host)
	switch {
	case match == nil:
		return false
	case v.target.Local:
		return true
	case v.host == "": // it could not be found out: the account's own, as far as that is known
		return (v.account == "" || v.account == match[1]) && v.target.Region == match[2]
	}
	own := ecrHost.FindStringSubmatch(v.host)
	return own != nil && slices.Equal(own[1:], match[1:])
}

// moved gives the references to the repository that the release moves a tag of.
func (v view) moved() []reference {
	var found []reference
	for _, c := range v.facts.TaskDefinition.Containers {
		if r := parseReference(c.Image); r.name == v.target.Repository && v.inRegistry(r.host) {
			found = append(found, r)
		}
	}
	return found
}

// judgeReference: moving a tag changes nothing for a task definition that does not name it.
func judgeReference(v view) []release.Finding {
	found := v.moved()
	want := v.wanted()
	if len(found) == 0 {
		return one(noReference(v, want))
	}
	if v.target.Strategy == release.StrategyPinned {
		return nil // a revision with the digest is registered anyway
	}
	for _, r := range found {
		if r.digest == "" && r.tag == v.target.Tag {
			return nil
		}
	}
	const why = "ECS would start the same image again: the release moves another name"
	cure := changeTaskDefinition(v, "set the image to "+want)
	if r := found[0]; r.digest != "" {
		return one(finding(codeByDigest, v.whereTask(), "the image is named by digest: "+r.digest, why, cure+"; or set strategy: pinned in medusa-deploy.yaml"))
	}
	return one(finding(codeOtherTag, v.whereTask(), fmt.Sprintf("the image is named %s:%s, the release moves :%s", found[0].name, found[0].tag, v.target.Tag), why, cure))
}

// wanted is the image that the task definition should name.
func (v view) wanted() string {
	host := v.host
	if v.target.Local || host == "" {
		account := v.account
		if account == "" {
			account = "ACCOUNT"
		}
		host = account + ".dkr.ecr." + v.target.Region + ".amazonaws.com"
	}
	return host + "/" + v.target.Repository + ":" + v.target.Tag
}

func noReference(v view, want string) release.Finding {
	var images []string
	sameName := false
	for _, c := range v.facts.TaskDefinition.Containers {
		images = append(images, c.Image)
		sameName = sameName || parseReference(c.Image).name == v.target.Repository
	}
	problem := "no container uses the repository " + v.target.Repository + " (it uses: " + strings.Join(images, ", ") + ")"
	if sameName {
		problem = "the repository " + v.target.Repository + " is another registry's (it uses: " + strings.Join(images, ", ") + ")"
	}
	return finding(codeNoReference, v.whereTask(), problem, "ECS would start the same images again: the release pushes to "+want,
		changeTaskDefinition(v, "set the container's image to "+want)+", or correct image.repository in medusa-deploy.yaml")
}

// judgePlatform: a task on one architecture cannot run an image for another (exec format error).
func judgePlatform(v view) []release.Finding {
	task := taskPlatform(v.facts.TaskDefinition)
	if len(v.platforms) == 0 {
		return nil // the builder decides, and nobody knows yet
	}
	for _, p := range v.platforms {
		if p == task || strings.HasPrefix(p, task+"/") {
			return nil
		}
	}
	return one(finding(codePlatform, v.whereTask(),
		fmt.Sprintf("its tasks are %s, the image is for %s", task, strings.Join(v.platforms, ", ")),
		"every task would stop at once, with exec format error or a manifest that is not found",
		"set image.platforms: ["+task+"] in medusa-deploy.yaml, or "+changeTaskDefinition(v, "correct runtimePlatform")))
}

// taskPlatform writes runtimePlatform the way images do. ECS's defaults are X86_64 and LINUX.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RuntimePlatform.html
func taskPlatform(t release.TaskDefinition) string {
	os, arch := "linux", "amd64"
	if strings.HasPrefix(t.OS, "WINDOWS") {
		os = "windows"
	}
	if t.Architecture == "ARM64" {
		arch = "arm64"
	}
	return os + "/" + arch
}

// judgeConsistency: with version consistency off, every task resolves the tag for itself.
func judgeConsistency(v view) []release.Finding {
	for _, c := range v.facts.TaskDefinition.Containers {
		if c.VersionConsistency != "disabled" || parseReference(c.Image).name != v.target.Repository {
			continue
		}
		return one(finding(codeConsistency, v.whereTask(), "container "+c.Name+" has versionConsistency: disabled",
			"each task resolves the tag when it starts, so that a scale-out runs whatever the tag names by then",
			changeTaskDefinition(v, `set versionConsistency to "enabled"`)))
	}
	return nil
}

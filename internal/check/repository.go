package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// maxFilters is how many exclusion filters a repository takes.
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImageTagMutability.html
const maxFilters = 5

// judgeTag: a release moves its tag. Where services pin digests, the tag may stay.
func judgeTag(t release.Target, seen *look) []release.Finding {
	if seen.mutability == nil || seen.mutability.moves(t.Tag) || t.Strategy == release.StrategyPinned {
		return nil
	}
	problem := "tags are immutable, " + t.Tag + " among them"
	if !seen.mutability.Immutable {
		problem = "an exclusion filter (" + strings.Join(seen.mutability.Except, ", ") + ") makes the tag " + t.Tag + " immutable"
	}
	return one(finding(codeTagStays, "repository "+t.Repository, problem,
		"the release could not move :"+t.Tag+" to its image, nor back when it fails", freeTag(t, *seen.mutability)))
}

// freeTag is the command that lets a tag move and leaves all else as it is.
func freeTag(t release.Target, m Mutability) string {
	setting, filters := "IMMUTABLE_WITH_EXCLUSION", slices.Clone(m.Except)
	if m.Immutable {
		if len(filters) == 0 {
			filters = []string{"cache*"} // as in the repositories that a release creates
		}
		filters = append([]string{t.Tag}, filters[:min(len(filters), maxFilters-1)]...)
	} else {
		setting = "MUTABLE_WITH_EXCLUSION"
		filters = slices.DeleteFunc(filters, func(f string) bool { return wildcard(f, t.Tag) })
	}
	command := "ecr put-image-tag-mutability --repository-name " + t.Repository + " --image-tag-mutability "
	if len(filters) == 0 {
		return aws(t, command+"MUTABLE")
	}
	command += setting + " --image-tag-mutability-exclusion-filters"
	for _, f := range filters {
		command += " 'filterType=WILDCARD,filter=" + f + "'"
	}
	return aws(t, command)
}

// judgeLifecycle: ECS pulls an image again whenever it starts a task, also long after the rollout.
func judgeLifecycle(req release.CheckRequest, seen *look) []release.Finding {
	t := req.Target
	threats := map[int][]string{} // by the rule's priority: which images it takes
	described := map[int]string{}
	add := func(tags []string, what string) {
		r, ok := deciding(seen.rules, tags)
		if !ok || r.Selection.CountType == "sinceImageTransitioned" || slices.Contains(tags, t.Tag) && r.spares(t.Tag) {
			return
		}
		described[r.Priority] = r.String()
		threats[r.Priority] = append(threats[r.Priority], what)
	}
	add([]string{t.Tag, nextTag(req.Commit)}, "the image that :"+t.Tag+" names")
	for _, image := range seen.running {
		if !image.known || seen.tagged.Is(image.digest) || len(image.tags) == 0 && len(seen.tagged.Manifests) > 0 {
			continue // said already; or a platform's manifest, which its index keeps and which has no tag of its own
		}
		what := strings.Join(image.services, ", ") + " runs " + image.digest.Short() + ", tagged " + strings.Join(image.tags, ", ")
		if len(image.tags) == 0 {
			what = strings.Join(image.services, ", ") + " runs " + image.digest.Short() + ", which has no tag"
		}
		add(image.tags, what)
	}
	var findings []release.Finding
	for _, r := range seen.rules {
		if what := threats[r.Priority]; what != nil {
			findings = append(findings, finding(codeLifecycle, fmt.Sprintf("lifecycle policy of repository %s, rule %d", t.Repository, r.Priority),
				described[r.Priority]+": "+strings.Join(what, "; "),
				"ECS pulls the image again for every task that it starts, and cannot once it is gone: a scale-out or a restart fails long after a good release",
				keep(req, seen, what)))
		}
	}
	return findings
}

// nextTag is the tag of the commit's image, or what one looks like.
func nextTag(c release.Commit) string {
	if c.SHA == "" {
		c.SHA = strings.Repeat("0", 40)
	}
	return release.ImageTag(c, "sha256:"+release.Digest(strings.Repeat("0", 64)))
}

// keep says how to have what runs kept: it is what the release tag names, and a first rule of its own keeps that.
func keep(req release.CheckRequest, seen *look, what []string) string {
	t, cure := req.Target, ""
	if slices.ContainsFunc(what, func(w string) bool { return strings.Contains(w, " runs ") }) {
		cure = "bring every service to what :" + t.Tag + " names: medusa-deploy deploy " + t.Tag + " --target " + t.Name
	}
	if r, ok := deciding(seen.rules, []string{t.Tag, nextTag(req.Commit)}); ok && r.spares(t.Tag) {
		return cure
	}
	protected, err := protecting(seen.policy, t.Tag)
	if err != nil {
		return "correct the policy: " + err.Error()
	}
	if cure != "" {
		cure += "; then "
	}
	return cure + "put a rule before the others that keeps it: " +
		aws(t, "ecr put-lifecycle-policy --repository-name "+t.Repository+" --lifecycle-policy-text "+quoted(protected))
}

// judgeGone: what runs goes on running without its image, until a task has to be started.
func judgeGone(t release.Target, seen *look) []release.Finding {
	var findings []release.Finding
	for _, image := range seen.running {
		if !image.gone {
			continue
		}
		findings = append(findings, finding(codeGone, "service "+strings.Join(image.services, ", "),
			"it runs "+t.Repository+"@"+image.digest.Short()+", which is no longer in the registry",
			"no further task of it can be started: neither a scale-out, nor a restart, nor a way back when the next release fails",
			"release an image that is there: medusa-deploy deploy "+t.Tag+" --target "+t.Name+"; and see what deleted the image: "+
				aws(t, "ecr get-lifecycle-policy --repository-name "+t.Repository)))
	}
	return findings
}

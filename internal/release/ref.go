package release

import (
	"fmt"
	"regexp"
	"strings"
)

// RefKind is what a reference given to trace is.
type RefKind string

// The kinds of reference.
const (
	RefCommit     RefKind = "commit"
	RefTag        RefKind = "tag"
	RefDigest     RefKind = "digest"
	RefDeployment RefKind = "service deployment"
	RefRevision   RefKind = "service revision"
	RefDefinition RefKind = "task definition"
	RefTask       RefKind = "task"
)

// parsedRef is what a reference looks like: what it may be, before anyone is asked whether it is.
type parsedRef struct {
	text  string // a commit's revision, a tag, an id, FAMILY:REVISION
	arn   string // as given; empty when it is none
	hex   string // of a digest, or its beginning
	tag   string // a tag, without the repository
	kinds []RefKind
}

const (
	digestPrefixMin = 12 // hex digits: fewer could lead anywhere
	taskPrefixMin   = 6
	commitPrefixMin = 7
)

var (
	hexPattern        = regexp.MustCompile(`^[0-9a-f]+$`)
	decimalPattern    = regexp.MustCompile(`^[0-9]+$`)
	definitionPattern = regexp.MustCompile(`^[A-Za-z0-9_-]+:[0-9]+$`)
	// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pull
	tagPattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)
	// idPattern is how ECS makes the ids of service deployments; their length is not documented.
	idPattern   = regexp.MustCompile(`^[A-Za-z0-9_-]{16,64}$`)
	taskPattern = regexp.MustCompile(`^[0-9a-f]{32}$`)
)

// parseRef tells what a reference may be. The error says why it can be nothing at all.
func parseRef(ref string, t Target) (parsedRef, error) {
	switch {
	case ref == "" || strings.ContainsAny(ref, " \t\r\n\x00"):
		return parsedRef{}, fmt.Errorf("%q is no reference: give a commit, tag, digest, deployment, revision, task definition or task", ref)
	case strings.HasPrefix(ref, "arn:"):
		return parseARN(ref, t)
	case strings.Contains(ref, "@") && strings.Contains(ref, "sha256:"):
		repository, digest, _ := strings.Cut(ref, "@")
		if !SameRepository(repository, t.Repository) {
			return parsedRef{}, fmt.Errorf("%s is not of repository %s, which target %s releases", ref, t.Repository, t.Name)
		}
		return parseDigest(digest)
	case strings.HasPrefix(ref, "sha256:"):
		return parseDigest(ref)
	}
	return parseName(ref, t), nil
}

func parseDigest(ref string) (parsedRef, error) {
	hex := strings.ToLower(strings.TrimPrefix(ref, "sha256:"))
	if !hexPattern.MatchString(hex) || len(hex) > 64 {
		return parsedRef{}, fmt.Errorf("%q is no digest: sha256: is followed by up to 64 hex digits", ref)
	}
	if len(hex) < digestPrefixMin {
		return parsedRef{}, fmt.Errorf("%q is too short: give at least %d digits of a digest", ref, digestPrefixMin)
	}
	return parsedRef{hex: hex, kinds: []RefKind{RefDigest}}, nil
}

// arnKinds are the resources of ECS that lead to an image.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerservice.html#amazonelasticcontainerservice-resources-for-iam-policies
var arnKinds = map[string]RefKind{
	"service-deployment": RefDeployment, "service-revision": RefRevision, "task-definition": RefDefinition, "task": RefTask,
}

// parseARN reads arn:PARTITION:ecs:REGION:ACCOUNT:RESOURCE/….
func parseARN(ref string, t Target) (parsedRef, error) {
	parts := strings.SplitN(ref, ":", 6)
	if len(parts) < 6 || parts[2] != "ecs" {
		return parsedRef{}, fmt.Errorf("%s is no ARN of ECS: trace takes those of service deployments, service revisions, task definitions and tasks", ref)
	}
	path := strings.Split(parts[5], "/")
	kind, ok := arnKinds[path[0]]
	switch {
	case !ok || path[len(path)-1] == "" || len(path) < 2:
		return parsedRef{}, fmt.Errorf("%s: an ARN of a %s leads to no one image: trace takes those of service deployments, service revisions, task definitions and tasks", ref, path[0])
	case t.Region != "" && parts[3] != t.Region:
		return parsedRef{}, fmt.Errorf("%s is in region %s, target %s in %s", ref, parts[3], t.Name, t.Region)
	case kind != RefDefinition && len(path) > 2 && path[1] != t.Cluster:
		return parsedRef{}, fmt.Errorf("%s is in cluster %s, target %s in %s", ref, path[1], t.Name, t.Cluster)
	}
	return parsedRef{text: path[len(path)-1], arn: ref, kinds: []RefKind{kind}}, nil
}

// parseName tells what a plain name may be.
func parseName(ref string, t Target) parsedRef {
	p := parsedRef{text: ref, tag: ref}
	may := func(kind RefKind, yes bool) {
		if yes {
			p.kinds = append(p.kinds, kind)
		}
	}
	if at := strings.LastIndex(ref, ":"); at > strings.LastIndex(ref, "/") && SameRepository(ref[:at], t.Repository) {
		p.tag = ref[at+1:]
	}
	isHex := hexPattern.MatchString(ref)
	if isHex {
		p.hex = ref
	}
	may(RefCommit, p.tag == ref && !strings.HasPrefix(ref, "-"))
	may(RefTag, tagPattern.MatchString(p.tag))
	may(RefDigest, isHex && len(ref) >= digestPrefixMin && len(ref) <= 64)
	may(RefDeployment, idPattern.MatchString(ref))
	may(RefRevision, decimalPattern.MatchString(ref))
	may(RefDefinition, definitionPattern.MatchString(ref))
	may(RefTask, isHex && len(ref) >= taskPrefixMin && len(ref) <= 32)
	return p
}

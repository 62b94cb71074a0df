package provenance

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	slsa "github.com/in-toto/attestation/go/predicates/provenance/v1"
	intoto "github.com/in-toto/attestation/go/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

const (
	// buildType says how to read the parameters; docs/provenance.md is its text.
	buildType = "https://github.com/medusa-deploy/medusa-deploy/blob/main/docs/provenance.md#build-type-dockerfile-v1"
	// localBuilder is who built where nobody can tell: one's own machine.
	localBuilder = "https://github.com/medusa-deploy/medusa-deploy/blob/main/docs/provenance.md#local-builder"
	programName  = "medusa-deploy"
)

// origin is who runs the build, and how the run is called.
type origin struct {
	builder    string // URI
	invocation string
	ref, sha   string // git ref that the run was started for, and the commit it named then; empty: unknown
}

// originOf tells where this program runs. In GitHub Actions that is the workflow file at its commit, and the run.
// https://docs.github.com/en/actions/reference/workflows-and-actions/variables
func originOf(env LookupEnv, id func() string) origin {
	get := func(name string) string { v, _ := env(name); return v }
	server, repository := strings.TrimSuffix(get("GITHUB_SERVER_URL"), "/"), get("GITHUB_REPOSITORY")
	workflow, run := get("GITHUB_WORKFLOW_REF"), get("GITHUB_RUN_ID")
	if get("GITHUB_ACTIONS") != "true" || server == "" || workflow == "" || run == "" {
		return origin{builder: localBuilder, invocation: id()}
	}
	attempt := get("GITHUB_RUN_ATTEMPT")
	if attempt == "" {
		attempt = "1"
	}
	return origin{
		builder:    server + "/" + workflow,
		invocation: server + "/" + repository + "/actions/runs/" + run + "/attempts/" + attempt,
		ref:        get("GITHUB_REF"),
		sha:        get("GITHUB_SHA"),
	}
}

// provenanceOf is the SLSA provenance of a build.
// https://slsa.dev/spec/v1.0/provenance
func provenanceOf(req release.AttestRequest, from origin, c Config) (*slsa.Provenance, error) {
	external, err := structpb.NewStruct(externalParameters(req, c))
	if err != nil {
		return nil, fmt.Errorf("write the build's parameters: %w", err)
	}
	p := &slsa.Provenance{
		BuildDefinition: &slsa.BuildDefinition{
			BuildType: buildType, ExternalParameters: external, ResolvedDependencies: dependencies(req, from),
		},
		RunDetails: &slsa.RunDetails{
			Builder:  &slsa.Builder{Id: from.builder, Version: map[string]string{programName: c.Version, "builder": req.Builder}},
			Metadata: &slsa.BuildMetadata{InvocationId: from.invocation, StartedOn: stamp(req.Started), FinishedOn: stamp(req.Finished)},
		},
	}
	if err := p.Validate(); err != nil {
		return nil, fmt.Errorf("the provenance would not be valid: %w", err)
	}
	return p, nil
}

// stamp is a time to the second; nil when it is not known.
func stamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t.UTC().Truncate(time.Second))
}

// externalParameters are what whoever started the build could choose. Of build arguments only the names are told: a value
// may be a secret, and what is attached can be read by everybody who may pull.
func externalParameters(req release.AttestRequest, c Config) map[string]any {
	all := map[string]any{
		"dockerfile": relative(c.Root, req.Build.Dockerfile),
		"context":    relative(c.Root, req.Build.ContextDir),
		"platforms":  list(req.Build.Platforms),
		"argNames":   list(slices.Sorted(maps.Keys(req.Build.Args))),
		"dirty":      req.Commit.Dirty,
	}
	if req.Build.Stage != "" {
		all["stage"] = req.Build.Stage
	}
	if len(c.Prepare) > 0 {
		all["prepare"] = list(c.Prepare)
	}
	return all
}

func list(texts []string) []any {
	all := make([]any, len(texts))
	for i, t := range texts {
		all[i] = t
	}
	return all
}

// relative is a path as it is in the repository. One outside of it says nothing of the machine but its name.
func relative(root, path string) string {
	rel, err := filepath.Rel(root, path)
	if err != nil || !filepath.IsLocal(rel) {
		return filepath.Base(path)
	}
	return filepath.ToSlash(rel)
}

// dependencies are what went into the build: the commit, and the images that it started from.
func dependencies(req release.AttestRequest, from origin) []*intoto.ResourceDescriptor {
	source := &intoto.ResourceDescriptor{Name: "source", Digest: map[string]string{"gitCommit": req.Commit.SHA}}
	if req.Commit.Remote != "" {
		source.Uri = gitURI(req.Commit.Remote)
		if ref := refOf(req.Commit, from); ref != "" {
			source.Uri += "@" + ref
		}
	}
	all := []*intoto.ResourceDescriptor{source}
	for _, base := range req.Bases {
		all = append(all, &intoto.ResourceDescriptor{
			Uri: "docker-image://" + base.Ref, Digest: map[string]string{"sha256": strings.TrimPrefix(string(base.Digest), "sha256:")},
		})
	}
	return all
}

// gitURI is a remote as SPDX and SLSA write it, git+https://… or git+ssh://…; git's short form of SSH is spelled out.
func gitURI(remote string) string {
	if strings.HasPrefix(remote, "git+") {
		return remote
	}
	if !strings.Contains(remote, "://") {
		host, path, _ := strings.Cut(remote, ":")
		return "git+ssh://" + host + "/" + strings.TrimPrefix(path, "/")
	}
	return "git+" + remote
}

// refOf is the git ref of a commit: the one that the run was started for, else the branch that is checked out.
func refOf(c release.Commit, from origin) string {
	if from.ref != "" && from.sha == c.SHA {
		return from.ref
	}
	if c.Branch != "" {
		return "refs/heads/" + c.Branch
	}
	return ""
}

// sameBuild reports whether a statement says what p says, apart from which run it was.
func sameBuild(s statement, p *slsa.Provenance) bool {
	var other slsa.Provenance
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(s.Predicate, &other); err != nil {
		return false
	}
	return proto.Equal(other.BuildDefinition, p.BuildDefinition) && other.GetRunDetails().GetBuilder().GetId() == p.GetRunDetails().GetBuilder().GetId()
}

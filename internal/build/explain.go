package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/solver/errdefs"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// unreachable explains a daemon that does not answer.
func (b *BuildKit) unreachable(err error) error {
	if b.door != nil {
		return b.door.explain(err)
	}
	return fmt.Errorf("no BuildKit daemon answers at %s (chosen by %s): %w\n  start it, or set BUILDKIT_HOST to one that runs; `medusa-deploy local up` starts the built-in engine",
		b.config.Address, orElse(b.config.Reason, "configuration"), dialed(err))
}

// dialed takes the wrapping of gRPC's client off the error of a connection.
func dialed(err error) error {
	_, cause, found := strings.Cut(err.Error(), "transport: Error while dialing: ")
	if !found {
		return err
	}
	return errors.New(strings.TrimSuffix(cause, `"`))
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// explain turns a failed solve into an error that says where, why and what to do.
func (b *BuildKit) explain(ctx context.Context, s *solving, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	cause := errors.New(s.progress.censor(err.Error()))
	failed := s.progress.find(failedVertex(err))
	if isPush(failed) {
		host, _, _ := strings.Cut(s.req.Repository, "/")
		return explainPush(host, s.req.Repository, s.auth, cause)
	}
	if hint := explainSyntax(s.req, cause); hint != nil {
		return hint
	}
	first, last := failedLines(err)
	built := &release.BuildError{Step: "Dockerfile", Dockerfile: s.req.Dockerfile, Line: first, Excerpt: excerpt(s.req.Dockerfile, first, last), Err: cause}
	if failed != nil {
		built.Log = failed.output.last
		if failed.name != "" {
			built.Step = failed.name
		}
	}
	built.Err = withCure(s.req, built, cause)
	return built
}

// failedVertex is the digest of the step that failed; empty when the daemon does not say.
func failedVertex(err error) string {
	var vertex *errdefs.VertexError
	if errors.As(err, &vertex) {
		return vertex.GetDigest()
	}
	return ""
}

// failedLines are the first and the last line of the Dockerfile instruction that failed; 0 when the daemon does not say.
func failedLines(err error) (first, last int) {
	for _, source := range errdefs.Sources(err) {
		for _, r := range source.GetRanges() {
			if line := int(r.GetStart().GetLine()); line > 0 {
				return line, max(line, int(r.GetEnd().GetLine()))
			}
		}
	}
	return 0, 0
}

// excerptAround is how many lines an excerpt shows before and after the failed ones, and excerptMost how many of those.
const excerptAround, excerptMost = 2, 8

// excerpt shows lines of a file with their numbers, the failed ones marked; nil when there are none.
func excerpt(path string, first, last int) []string {
	raw, err := os.ReadFile(path)
	if err != nil || first < 1 {
		return nil // the error itself says where
	}
	all := strings.Split(strings.TrimRight(string(raw), "\n"), "\n")
	last = min(last, first+excerptMost-1)
	var shown []string
	for n := max(1, first-excerptAround); n <= min(len(all), last+excerptAround); n++ {
		mark := " "
		if n >= first && n <= last {
			mark = ">"
		}
		shown = append(shown, strings.TrimRight(fmt.Sprintf("%s %4d  %s", mark, n, all[n-1]), " \r"))
	}
	return shown
}

func isPush(s *step) bool { return s != nil && strings.HasPrefix(s.name, "exporting to image") }

// explainPush names the registry and what its answer means.
func explainPush(host, name string, auth release.Credentials, cause error) error {
	text, kind := cause.Error(), troubleOf(cause)
	switch {
	case containsAny(text, quotas...):
		return fmt.Errorf("push to %s: a quota of the registry is reached: %w\n  delete images that nobody needs (a lifecycle policy does so for good), or have the quota raised: https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html",
			name, cause)
	case containsAny(text, unknownNames...):
		return fmt.Errorf("push to %s: the registry %s has no such repository (any more): %w\n  run the command again, which makes it where it may; or: aws ecr create-repository --repository-name %s",
			name, host, cause, repositoryName(name))
	case kind == troubleRefused:
		return &pushError{kind, fmt.Errorf("push to %s: the registry %s refused the credentials of %q: %w\n  they may have expired (run the command again), or lack ecr:InitiateLayerUpload, ecr:UploadLayerPart, ecr:CompleteLayerUpload, ecr:BatchCheckLayerAvailability and ecr:PutImage; ECR answers the same when the repository is full",
			name, host, auth.Username, cause)}
	case containsAny(text, "TAG_INVALID", "ImageTagAlreadyExists", "tag is immutable"):
		return fmt.Errorf("push to %s: the tag is immutable and names another image: %w\n  the same commit must keep its image: commit what made them differ, then ship again", name, cause)
	case kind == troubleLasting && containsAny(text, "server gave HTTP response to HTTPS client"):
		return fmt.Errorf("push to %s: the registry %s speaks plain HTTP and the builder expects TLS: %w\n  tell the BuildKit daemon so in its buildkitd.toml: [registry.%q] http = true",
			name, host, cause, host)
	}
	return &pushError{kind, fmt.Errorf("push to %s: %w", name, cause)}
}

// quotas are how ECR says that a repository, or an image, has as many as it may have; it answers with 403 then, as to those
// who may not push. https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html
var quotas = []string{"maximum allowed number of", "LimitExceeded", "Limit on number of layers"}

// unknownNames are how a registry says that it has no such repository.
var unknownNames = []string{"NAME_UNKNOWN", "name unknown", "does not exist in the registry"}

// repositoryName is a reference without its host, tag and digest.
func repositoryName(reference string) string {
	_, name, _ := strings.Cut(reference, "/")
	name, _, _ = strings.Cut(name, "@")
	name, _, _ = strings.Cut(name, ":")
	return name
}

// refusals are the ways in which a registry, or the daemon, says that the credentials are no good.
var refusals = []string{"401 Unauthorized", "UNAUTHORIZED", "unauthorized: ", "403 Forbidden", "DENIED", "denied: ", "no basic auth credentials", "authorization failed"}

// explainSyntax recognises a frontend that could not be downloaded.
func explainSyntax(req release.BuildRequest, cause error) error {
	raw, err := os.ReadFile(req.Dockerfile)
	if err != nil {
		return nil // the build read it a moment ago; its own error says more
	}
	frontend, _, ranges, ok := parser.DetectSyntax(raw)
	if !ok || !strings.Contains(cause.Error(), strings.TrimPrefix(frontend, "docker.io/")) || !unfetched(cause) {
		return nil
	}
	line := 1
	if len(ranges) > 0 {
		line = ranges[0].Start.Line
	}
	return &release.BuildError{
		Step: "# syntax=" + frontend, Dockerfile: req.Dockerfile, Line: line, Excerpt: excerpt(req.Dockerfile, line, line),
		Err: fmt.Errorf("this line has the builder download a Dockerfile frontend, and it could not: %w\n  remove the line: the builder has a frontend of its own; or give the builder access to the registry", cause),
	}
}

// withCure adds what to do, where that is known.
func withCure(req release.BuildRequest, failed *release.BuildError, cause error) error {
	text := cause.Error() + "\n" + strings.Join(failed.Log, "\n")
	switch {
	case containsAny(text, "exec format error", "runtime execution on platform"):
		return fmt.Errorf("%w\n  the step runs a program of another processor than the builder's (%s), and the builder cannot emulate it: install QEMU's binfmt handlers there, build on such a machine, or compile with FROM --platform=$BUILDPLATFORM",
			cause, orElse(strings.Join(req.Platforms, ", "), "the base image's"))
	case strings.Contains(text, "failed to resolve source metadata") && unfetched(cause):
		return fmt.Errorf("%w\n  the builder could not reach the base image's registry: check its network, or name an image in a registry that it reaches", cause)
	case strings.Contains(text, "failed to resolve source metadata") && containsAny(cause.Error(), "not found", "pull access denied"):
		return fmt.Errorf("%w\n  there is no such image, or not for this user: look at its name and tag, and whether it has been pushed there", cause)
	case strings.Contains(text, "no space left on device"):
		return fmt.Errorf("%w\n  the disk that the builder keeps its work on is full: free some, or have it forget its cache (docker buildx prune, buildctl prune; of the built-in engine: medusa-deploy local reset)", cause)
	case missingSecret.MatchString(text):
		id := missingSecret.FindStringSubmatch(text)[1]
		return fmt.Errorf("%w\n  the Dockerfile asks for a secret that the config does not give: image.secrets: {%s: {env: NAME}} or {%s: {file: PATH}}", cause, id, id)
	case missingAgent.MatchString(text):
		return fmt.Errorf("%w\n  the Dockerfile asks for an SSH agent that the config does not give: image.ssh: [%s]", cause, orElse(missingAgent.FindStringSubmatch(text)[1], "default"))
	case strings.Contains(text, "failed to compute cache key") && strings.Contains(text, "not found"):
		return fmt.Errorf("%w\n  the path is taken from the build context %s: is it there, and does .dockerignore let it through?", cause, req.ContextDir)
	}
	return cause
}

// How BuildKit says that a step requires what the session does not have.
var (
	missingSecret = regexp.MustCompile(`secret ([^\s:]+): not found`)
	missingAgent  = regexp.MustCompile(`(?:no SSH key|unset ssh forward key) "?([^\s"]*)"?`)
)

// unfetched says whether an error is a registry that could not be reached, rather than one that answered.
func unfetched(err error) bool {
	return containsAny(err.Error(), "dial tcp", "no such host", "i/o timeout", "connection refused", "TLS handshake", "EOF", "x509", "proxyconnect", "Forbidden", "failed to do request")
}

func containsAny(text string, parts ...string) bool {
	for _, part := range parts {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

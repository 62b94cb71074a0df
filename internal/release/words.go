package release

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"
)

// ErrNotFound says that the named thing does not exist in the target.
// Ports wrap it; callers test with errors.Is.
var ErrNotFound = errors.New("not found")

// ErrImmutable says that a tag names another image and may not move.
// Registries wrap it; callers test with errors.Is.
var ErrImmutable = errors.New("the tag is immutable")

// Digest is an OCI content digest, "sha256:" and 64 hex digits.
// https://github.com/opencontainers/image-spec/blob/main/descriptor.md#digests
type Digest string

var digestPattern = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// Valid reports whether d is a well-formed sha256 digest.
func (d Digest) Valid() bool { return digestPattern.MatchString(string(d)) }

// Short is the first twelve hex digits, for people.
func (d Digest) Short() string {
	hex := strings.TrimPrefix(string(d), "sha256:")
	return hex[:min(12, len(hex))]
}

// Commit is a git revision.
type Commit struct {
	SHA     string    `json:"sha"`
	Branch  string    `json:"branch,omitempty"`
	Subject string    `json:"subject,omitempty"`
	Author  string    `json:"author,omitempty"`
	Time    time.Time `json:"time"`
	Remote  string    `json:"remote,omitempty"` // web or clone URL, without credentials
	Dirty   bool      `json:"dirty"`            // the work tree differs from SHA
}

// Short is the first twelve hex digits of the sha.
func (c Commit) Short() string { return c.SHA[:min(12, len(c.SHA))] }

// Image is a repository and a manifest digest. The digest is the identity; tags are names.
type Image struct {
	Repository string            `json:"repository"`          // full URI without tag: HOST/NAME
	Digest     Digest            `json:"digest"`              // of the manifest, or of the index of a multi-platform image
	Manifests  []Digest          `json:"manifests,omitempty"` // platform manifests, when Digest names an index
	Tags       []string          `json:"tags,omitempty"`
	Platforms  []string          `json:"platforms,omitempty"` // "linux/amd64"
	Labels     map[string]string `json:"labels,omitempty"`
	PushedAt   time.Time         `json:"pushed_at,omitzero"`
	SizeBytes  int64             `json:"size_bytes,omitempty"` // compressed
}

// Ref is REPOSITORY@DIGEST.
func (i Image) Ref() string { return i.Repository + "@" + string(i.Digest) }

// Is reports whether d names this image: its own digest, or one of its platform manifests
// (ECS may report either for a task that runs an index).
func (i Image) Is(d Digest) bool {
	return d != "" && (d == i.Digest || slices.Contains(i.Manifests, d))
}

// Labels that every image built here carries.
// https://github.com/opencontainers/image-spec/blob/main/annotations.md
const (
	LabelRevision = "org.opencontainers.image.revision"
	LabelSource   = "org.opencontainers.image.source"
	LabelCreated  = "org.opencontainers.image.created"
	LabelVersion  = "org.opencontainers.image.version"
)

// Strategy is how a service is moved to a new digest.
type Strategy string

const (
	// StrategyLatest moves the tag that the task definition names and forces a new deployment.
	StrategyLatest Strategy = "latest"
	// StrategyPinned registers a task-definition revision that names the digest.
	StrategyPinned Strategy = "pinned"
)

// Target is where to deploy.
type Target struct {
	Name       string
	Region     string
	Endpoint   string // base URL in place of AWS's own; empty on AWS
	Local      bool   // the built-in local AWS: every ECR host name stands for its registry
	Cluster    string
	Services   []string
	Repository string // ECR repository name, without host
	Tag        string // the tag that a release moves: "latest"
	Strategy   Strategy
	Timeout    time.Duration // for the rollouts of one release
	// Settle is how long every task must have been running before a rollout is green.
	Settle time.Duration
	// InTurn moves the services one after the other, in their order, each verified before the next; else all together.
	InTurn bool
	// GiveUpAfter is how many tasks may stop for one and the same fatal reason before a rollout is given up; 0: the default.
	GiveUpAfter int
	// Migrate runs before any service changes; nil: nothing to migrate.
	Migrate *Migration
	// Apply brings task definitions and service settings in step with Definitions.
	Apply bool
	// Definitions are the services' ECS JSON, by service name, where there is any. They create a local target's services
	// that do not exist yet, and bring existing ones in step when Apply is set.
	Definitions map[string]Definition
}

// Creates reports whether a release creates the service when it does not exist: on local AWS, and where definitions are
// applied.
func (t Target) Creates(service string) bool {
	return (t.Local || t.Apply) && t.Definitions[service].Service != nil
}

// Definition is the plain ECS JSON that creates one service.
type Definition struct {
	TaskDefinitionPath string // for messages
	TaskDefinition     []byte // RegisterTaskDefinition input
	ServicePath        string
	Service            []byte // CreateService input
}

// Phase is a step of the pipeline.
type Phase string

// The phases, in the order in which a release walks them.
const (
	PhaseCheck        Phase = "check"
	PhaseBuild        Phase = "build"
	PhaseAuthenticate Phase = "authenticate"
	PhaseLoad         Phase = "load"
	PhasePush         Phase = "push"
	PhaseMigrate      Phase = "migrate"
	PhaseDeploy       Phase = "deploy"
	PhaseVerify       Phase = "verify"
	PhaseRollback     Phase = "rollback"
)

// Outcome is how a release ended.
type Outcome string

// The outcomes. Only OutcomeSucceeded and OutcomeUnchanged are green.
const (
	OutcomeSucceeded      Outcome = "succeeded"
	OutcomeUnchanged      Outcome = "unchanged"
	OutcomeFailed         Outcome = "failed"
	OutcomeRolledBack     Outcome = "rolled_back"
	OutcomeSuperseded     Outcome = "superseded"
	OutcomeTimedOut       Outcome = "timed_out"
	OutcomeNothingRunning Outcome = "nothing_running"
	OutcomeInterrupted    Outcome = "interrupted"
	OutcomeRefused        Outcome = "refused"
)

// Severity of a finding.
type Severity string

const (
	// SeverityError would break the deploy: nothing is started.
	SeverityError Severity = "error"
	// SeverityWarning deserves a look; the deploy goes on.
	SeverityWarning Severity = "warning"
	// SeverityInfo is worth knowing; nothing is wrong.
	SeverityInfo Severity = "info"
	// SeverityUnknown could not be checked (say, for want of a permission).
	SeverityUnknown Severity = "unknown"
)

// Finding is one thing that check found.
type Finding struct {
	Code     string   `json:"code"` // stable: "MD012"
	Severity Severity `json:"severity"`
	Where    string   `json:"where"`         // file:line:col, or the AWS thing
	Problem  string   `json:"problem"`       // what is wrong
	Why      string   `json:"why,omitempty"` // what would happen
	Cure     string   `json:"cure"`          // what to do, a command where there is one
}

// Explanation is the one block that says why a release failed and what to type next.
type Explanation struct {
	Service  string   `json:"service,omitempty"`
	Task     string   `json:"task,omitempty"` // task id
	Cause    string   `json:"cause"`          // probable cause, one line
	StopCode string   `json:"stop_code,omitempty"`
	Reason   string   `json:"reason,omitempty"` // ECS's own words
	ExitCode *int     `json:"exit_code,omitempty"`
	Source   []string `json:"source,omitempty"` // lines of the Dockerfile around the one that failed
	Log      []string `json:"log,omitempty"`    // last lines of the container, or of the build's step
	Next     []string `json:"next"`             // commands to type
}

// lastPart is what follows the last slash of an ARN.
func lastPart(arn string) string { return arn[strings.LastIndex(arn, "/")+1:] }

package release

import (
	"context"
	"time"
)

// Builder turns a commit's build context into an image.
type Builder interface {
	// Name says which builder this is and why it was chosen, for people.
	Name() string
	// Build builds and keeps the result with the builder. It pushes nothing. The image's Repository is req.Repository,
	// its Digest the manifest digest that a puller would see after Push. A failed step is a *BuildError.
	Build(ctx context.Context, req BuildRequest, emit Emit) (Image, error)
	// Push sends what Build built (same req) to req.Repository:tag, moving only missing layers, and fails when the
	// digest that arrives is not want.
	Push(ctx context.Context, req BuildRequest, want Digest, tag string, auth Credentials, emit Emit) error
}

// BuildRequest is everything that a build depends on: the same request gives the same digest.
type BuildRequest struct {
	ContextDir string            // absolute
	Dockerfile string            // absolute
	Stage      string            // target stage; empty: the last
	Platforms  []string          // "linux/amd64"; empty: the builder's own
	Args       map[string]string // build args
	Labels     map[string]string // image labels
	Epoch      time.Time         // SOURCE_DATE_EPOCH: the commit's time
	Repository string            // full URI without tag
	Cache      BuildCache        // where results are kept for the next builder; zero: nowhere
	NoCache    bool
	// Secrets are what RUN --mount=type=secret reads. They are no input of the digest: no layer, history or cache key has them.
	Secrets []BuildSecret
	// SSH are the agents that RUN --mount=type=ssh reaches.
	SSH []BuildSSH
	// Contexts are named contexts, beside the main one: a name, or an image that a FROM names, and what stands for it. The
	// value is an absolute directory, or docker-image://REF, or a git or https URL, as docker buildx takes it.
	Contexts map[string]string
	// Compression of the layers: one of the Compression constants; empty: gzip.
	Compression string
	// Reproducible lowers the times in all layers of the image's own to Epoch, so that every builder of one version gives
	// the same digest, also without a cache. BuildKit then unpacks and packs each of them in each build and each push, and
	// each commit gives each of them a new digest. Without it, files that a COPY takes from the context have the same time
	// everywhere, and so has a WORKDIR; what a RUN writes, and the directories that a COPY writes into, have the time when
	// that step really ran. That is kept, and the digest with it, as long as a cache has it.
	Reproducible bool
}

// The compressions of layers.
const (
	CompressionGzip = "gzip" // what every puller understands
	CompressionZstd = "zstd" // faster both ways; containerd 1.5, Docker 23 and Fargate's platform 1.4 pull it
)

// BuildCache says where build results are kept for the next builder, beside its own memory.
type BuildCache struct {
	Kind string // one of the Cache constants; empty: nowhere
	// Ref is a registry reference (a lone word is a tag in the image's own repository), the scope of GitHub's cache, or an
	// absolute directory.
	Ref string
}

// The kinds of a BuildCache.
const (
	CacheRegistry  = "registry"
	CacheGHA       = "gha"
	CacheDirectory = "directory"
)

// BuildSecret is one secret of a build; either Env or File says where its value is.
type BuildSecret struct {
	ID   string
	Env  string // name of a variable of this process
	File string // absolute path
}

// BuildSSH is one SSH agent, or keys that are served as one, under an ID ("default").
type BuildSSH struct {
	ID string
	// Paths are the agent's socket, or private keys; empty: the agent of SSH_AUTH_SOCK.
	Paths []string
}

// BuildError is a build that failed at one step.
type BuildError struct {
	Step       string   // "[2/3] RUN npm ci"
	Dockerfile string   // path, when the step has a place in it
	Line       int      // 1-based; 0: unknown
	Excerpt    []string // the lines of the Dockerfile around the failed ones, numbered, those marked with >
	Log        []string // the step's last lines
	Err        error
}

// Error names the step, its place and the cause.
func (e *BuildError) Error() string { return e.message() }

// Unwrap gives the cause.
func (e *BuildError) Unwrap() error { return e.Err }

// Credentials open a registry. They must never reach an event, a log or a process argument.
type Credentials struct {
	Host     string // HOST[:PORT]
	Username string
	Password string
	Expires  time.Time
}

// String hides the password.
func (c Credentials) String() string { return c.Username + "@" + c.Host }

// Registry is where images live.
type Registry interface {
	// Host is the registry's HOST[:PORT].
	Host(ctx context.Context) (string, error)
	// Authenticate gets short-lived credentials.
	Authenticate(ctx context.Context) (Credentials, error)
	// EnsureRepository creates the repository where it is missing.
	EnsureRepository(ctx context.Context, name string) (created bool, err error)
	// Image resolves a tag or a digest in a repository, with its labels, platforms, tags; ErrNotFound when it does not exist.
	Image(ctx context.Context, repository, reference string) (Image, error)
	// Tag makes tag name digest: one manifest PUT. A tag that already does is a success.
	Tag(ctx context.Context, repository string, digest Digest, tag string) error
	// Untag removes a tag; a missing one is a success.
	Untag(ctx context.Context, repository, tag string) error
}

// Orchestrator is where services run.
type Orchestrator interface {
	// Service gives the facts of a service; ErrNotFound when it or its cluster does not exist.
	Service(ctx context.Context, cluster, service string) (Service, error)
	// Preview gives the facts that a service made from def would have. It touches nothing.
	Preview(def Definition) (Service, error)
	// Create makes the cluster, task definition and service of def where they are missing; its first deployment is the
	// rollout. A taskDefinition (an ARN) is used in place of def's own.
	Create(ctx context.Context, cluster string, def Definition, taskDefinition string) (Rollout, error)
	// Deploy starts a new deployment of a service.
	Deploy(ctx context.Context, cluster, service string, c Change) (Rollout, error)
	// Pin gives the ARN of a revision of the task definition (an ARN) in which every container from image's repository
	// names image by digest and all else is the same. It is registered only when the family's newest revision says otherwise.
	Pin(ctx context.Context, taskDefinition string, image Image) (arn string, err error)
	// Register gives the ARN of a revision that says what def's task definition says; with a pin (not zero) the containers
	// from its repository name it by digest. It is registered only when the family's newest revision says otherwise.
	Register(ctx context.Context, def Definition, pin Image) (arn string, err error)
	// Compare tells what def would change on a service as it is, task definition and settings; nothing when they agree.
	// Containers from repository agree whatever tag or digest they name. It reads only.
	Compare(ctx context.Context, cluster string, def Definition, repository string) ([]Difference, error)
	// StartMigration starts a migration's one-off task, or finds the one that an interrupted release of the same image
	// started and that still runs.
	StartMigration(ctx context.Context, req MigrationRequest) (MigrationTask, error)
	// AwaitTask follows a one-off task to its end, sends what it writes as LogLine events, and gives the task as it ended.
	// When ctx ends, it stops following and the task goes on.
	AwaitTask(ctx context.Context, t MigrationTask, emit Emit) (Task, error)
	// StopTask stops a task; one that has stopped, or is forgotten, is a success.
	StopTask(ctx context.Context, cluster, arn, reason string) error
	// Observe takes one look at a rollout. Transient errors (throttling, 5xx, dropped connections) are retried inside.
	Observe(ctx context.Context, cluster string, r Rollout) (Observation, error)
	// Running gives the tasks of a service that are not stopped.
	Running(ctx context.Context, cluster, service string) ([]Task, error)
	// Stop ends a rollout and has ECS go back to the last successful revision. One that already ended is a success.
	Stop(ctx context.Context, r Rollout) error
	// Past lists a service's deployments, newest first, at most 100, with their resolved digests.
	Past(ctx context.Context, cluster, service string) ([]PastRollout, error)
	// TaskLog gives the last n lines of a task's container.
	TaskLog(ctx context.Context, t Task, container string, n int) ([]string, error)
	// Logs sends a service's log lines since a time, oldest first; with follow until ctx ends.
	Logs(ctx context.Context, cluster, service string, since time.Time, follow bool, emit Emit) error
}

// Checker finds what would break a deploy, before it does. It only reads.
type Checker interface {
	Check(ctx context.Context, req CheckRequest) ([]Finding, error)
}

// CheckRequest is what a check looks at.
type CheckRequest struct {
	Target    Target
	Platforms []string // of the image that will be deployed
	// Commit, ContextDir and Dockerfile say what will be built; zero when nothing will be.
	Commit     Commit
	ContextDir string
	Dockerfile string
}

// Change is what a new deployment of a service changes besides resolving its image anew.
type Change struct {
	TaskDefinition string     // ARN of the revision to move to; empty: the service keeps the one it has
	Settings       Definition // the settings of its service file are applied as well; zero: the service keeps its own
}

// Difference is one thing that a definition says otherwise than what exists.
type Difference struct {
	Where string `json:"where"`          // "task definition medusa", "service medusa-service"
	Path  string `json:"path"`           // "containerDefinitions[medusa].memory"
	From  string `json:"from,omitempty"` // as JSON; empty: it is not there
	To    string `json:"to,omitempty"`   // as JSON; empty: it goes
}

// Migration is a one-off task that must succeed before any service changes.
type Migration struct {
	Command []string
	Expect  []string // one of these must be in a line of its log; empty: the exit code alone counts
	Timeout time.Duration
}

// MigrationRequest says what a migration runs on: the new image, in the service's task definition and network. A
// service that does not exist yet lends its definition.
type MigrationRequest struct {
	Cluster    string
	Service    string
	Definition Definition // for a service that does not exist; zero otherwise
	Image      Image
	Command    []string
}

// MigrationTask is a migration's task on its way.
type MigrationTask struct {
	Cluster   string
	Task      Task
	Container string // whose exit code and log count
	Joined    bool   // it was running already
}

// Service is what ECS knows about one service.
type Service struct {
	Name                  string
	ARN                   string
	Cluster               string
	Status                string // ACTIVE | DRAINING | INACTIVE
	Desired               int
	Running               int
	Pending               int
	Controller            string // ECS | CODE_DEPLOY | EXTERNAL
	DeploymentStrategy    string // ROLLING | BLUE_GREEN | LINEAR | CANARY
	MinimumHealthyPercent int
	MaximumPercent        int
	Breaker               bool
	BreakerRollback       bool
	LoadBalanced          bool
	HealthPath            string        // of the load balancer's own check, where the service's tags say it; empty: unknown
	GracePeriod           time.Duration // in which ECS ignores what the load balancer says of a new task's health
	Bake                  time.Duration // what the strategy waits by design, however well all goes; 0 for ROLLING
	CurrentDeployment     string        // service deployment ARN
	DeploymentInFlight    bool          // CurrentDeployment has not ended
	TaskDefinition        TaskDefinition
}

// TaskDefinition is what a task is made from.
type TaskDefinition struct {
	ARN          string // empty in a preview
	Family       string
	Revision     int
	Architecture string // runtimePlatform.cpuArchitecture: X86_64 | ARM64; empty: X86_64
	OS           string
	// ExecutionRole is the ARN of the role that pulls images, reads secrets and writes logs; empty: none.
	ExecutionRole string
	CPU           int // units, 1024 a vCPU, for the whole task; 0: nothing is said
	Memory        int // MiB for the whole task; 0: nothing is said
	Containers    []ContainerDefinition
}

// ContainerDefinition is one container of a task definition.
type ContainerDefinition struct {
	Name               string
	Image              string
	Essential          bool
	VersionConsistency string // enabled | disabled; empty: enabled
	HealthCheck        bool
	StartPeriod        time.Duration  // of the health check: failures within it don't count
	HealthInterval     time.Duration  // from one health check to the next; 0 without one
	HealthRetries      int            // failures in a row that make it unhealthy; 0 without a health check
	StopTimeout        *time.Duration // from SIGTERM to SIGKILL; nil: ECS's own 30 s
	User               string         // empty: the image's own
	LogDriver          string         // awslogs, awsfirelens, …; empty: no logConfiguration
	LogGroup           string         // awslogs-group
	LogRegion          string         // awslogs-region
	LogPrefix          string         // awslogs-stream-prefix
	LogCreatesGroup    bool           // awslogs-create-group
	Secrets            []SecretReference
	EntryPoint         []string // nil: the image's own
	Command            []string // nil: the image's own
	WorkingDirectory   string   // empty: the image's own
	Memory             int      // MiB that it may not exceed; 0: the task's alone count
	// Environment are its plain variables. A value may be a secret that does not belong there: it must never reach a
	// message, a log or an event.
	Environment      map[string]string
	EnvironmentFiles bool     // there are more variables, in files that are not read here
	Mounts           []string // paths of the volumes that it can write to
}

// SecretReference is a secret that a container is given, by name alone: its value is nobody's business here.
type SecretReference struct {
	Name string // of the environment variable or log option; empty for a registry's credentials
	From string // ARN in Secrets Manager or Parameter Store, or a parameter's name
}

// Rollout is one ECS service deployment.
type Rollout struct {
	Service    string
	Deployment string // service deployment ARN: arn:…:service-deployment/CLUSTER/SERVICE/ID
	Revision   string // target service revision ARN
	StartedBy  string // ecs-svc/N, the tasks' startedBy
	Started    time.Time
}

// Observation is one look at a rollout: everything the verdict is made from.
type Observation struct {
	Status       string // ECS's service deployment status: PENDING … ROLLBACK_FAILED
	StatusReason string
	Stage        string   // lifecycle stage of a BLUE_GREEN, LINEAR or CANARY deployment; empty: none
	Alarms       []string // CloudWatch alarms that ended the deployment
	// Resolved is what our deployment's own image resolved to, by container; empty as long as ECS has not said.
	Resolved map[string]Digest
	Refs     map[string]string // by container: as the task definition names the image
	// Newer is the newest deployment of the same service that is not a rollback of this one; nil: none is newer.
	Newer    *PastRollout
	Desired  int    // tasks that the service wants
	Pending  int    // of this deployment
	Running  int    // of this deployment
	Failed   int    // tasks of this deployment that failed to start or stay up
	Tasks    []Task // of the service: running and recently stopped
	Messages []ServiceMessage
}

// Task is one running or stopped copy.
type Task struct {
	ARN            string
	ID             string
	Service        string
	StartedBy      string // ecs-svc/N
	TaskDefinition string // ARN
	LastStatus     string // PROVISIONING … STOPPED
	DesiredStatus  string // RUNNING | STOPPED
	Health         string // HEALTHY | UNHEALTHY | UNKNOWN
	StopCode       string
	StoppedReason  string
	Created        time.Time
	Started        time.Time
	Stopped        time.Time
	Containers     []Container
}

// Container is one container of a task.
type Container struct {
	Name     string
	Image    string // as the task definition names it
	Digest   Digest // what really runs
	Status   string
	Health   string
	ExitCode *int
	Reason   string
}

// PastRollout is one service deployment in a service's history.
type PastRollout struct {
	Rollout
	TaskDefinition string // ARN; empty: ECS has not said
	Status         string
	StatusReason   string
	Finished       time.Time
	Images         map[string]Digest // container name → resolved digest
	Refs           map[string]string // container name → image as named
}

package config

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// FileName is the name of the config file.
const FileName = "medusa-deploy.yaml"

// LocalTarget is the name of the target that exists without being written down: the local AWS.
const LocalTarget = "local"

// TargetVariable is the environment variable that chooses a target when no flag does.
const TargetVariable = "MEDUSA_DEPLOY_TARGET"

// Ways to keep build results for the next build (image.cache).
const (
	CacheRegistry  = "registry"  // in the image's own repository
	CacheGHA       = "gha"       // GitHub Actions' cache service
	CacheDirectory = "directory" // in a directory, which CI may keep; written as {directory: PATH}
	CacheLocal     = "local"     // with the builder alone
	CacheNone      = "none"      // build everything anew
)

// Compressions of an image's layers (image.compression).
const (
	CompressionGzip = "gzip"
	CompressionZstd = "zstd"
)

// Ways to move a service to a new image (strategy).
const (
	StrategyLatest = "latest" // move the tag that the task definition names
	StrategyPinned = "pinned" // register a revision that names the digest
)

// Orders in which several services are moved (order).
const (
	OrderTogether = "together" // all at once
	OrderInTurn   = "in-turn"  // one after the other, each verified before the next
)

// Defaults of keys that may be left out.
const (
	DefaultRegion         = "us-east-1"
	DefaultCluster        = "medusa-cluster"
	DefaultService        = "medusa-service"
	DefaultPlatform       = "linux/amd64"
	DefaultTimeout        = 15 * time.Minute
	DefaultMigrateTimeout = 10 * time.Minute
	// DefaultSettle costs nothing on AWS, where a rollout takes longer. Local rollouts are over before a task has settled.
	DefaultSettle      = 10 * time.Second
	DefaultGiveUpAfter = 2
)

// Config is one medusa-deploy.yaml.
type Config struct {
	File  string // as it was named to Load
	Dir   string // absolute: the directory that relative paths in the file start from
	App   string
	Image Image

	targets map[string]*targetEntry
	order   []string // of the file
	chosen  string   // what TargetVariable says
}

// Image says how to build the image. Paths are absolute.
type Image struct {
	Repository string            // ECR repository name, without host; default: the app's name
	Context    string            // Docker build context
	Dockerfile string            // default: Dockerfile in Context
	Stage      string            // stage of the Dockerfile to build; empty: the last
	Platforms  []string          // "linux/amd64", "linux/arm64"
	Cache      string            // one of the Cache constants
	CacheDir   string            // of CacheDirectory: an absolute path
	Args       map[string]string // build arguments beside COMMIT and SOURCE_DATE_EPOCH, which every build gets
	Secrets    []Secret          // what RUN --mount=type=secret reads, by ID
	SSH        []SSH             // the agents that RUN --mount=type=ssh reaches
	// Contexts are named contexts: a name, and what stands for it: an absolute directory, docker-image://REF,
	// oci-layout://PATH with an absolute path, or the URL of a git repository or a file.
	Contexts     map[string]string
	Compression  string   // of the layers; one of the Compression constants
	Reproducible bool     // the same digest from every builder, also without a cache
	Prepare      *Prepare // nil: nothing to do before the build
	Provenance   bool     // attach how the image was built
	SBOM         bool     // attach what is in it
	Sign         *Sign    // nil: nothing is signed
}

// Secret is a secret of the build, in a variable of the environment or in a file.
type Secret struct {
	ID   string
	Env  string // the variable's name; empty: File says where
	File string // absolute path
}

// SSH is an SSH agent that the build reaches, or a key that is served as one.
type SSH struct {
	ID   string
	Path string // of the agent's socket or a private key, absolute; empty: the agent of SSH_AUTH_SOCK
}

// Sign says what signs an image and what is attached to it.
type Sign struct {
	// Key is a private key: an absolute path, or env://NAME. Empty: keyless, with an identity token.
	Key string
	// SigningConfig and TrustedRoot describe a Sigstore instance of one's own; absolute paths. Empty: the public one.
	SigningConfig string
	TrustedRoot   string
}

// RequireSignature says whose signature an image must bear to be deployed.
type RequireSignature struct {
	// Key is a public key: an absolute path, or env://NAME. Empty: a keyless signature of Identity.
	Key         string
	Identity    string // whom the certificate must name; * stands for any characters
	Issuer      string // who says so: https://token.actions.githubusercontent.com
	TrustedRoot string // of a Sigstore instance of one's own; empty: the public one
}

// Prepare is a program that runs before the build, in Image.Context, to make what the Dockerfile copies.
type Prepare struct {
	Command []string          // program and arguments; no shell is involved
	Env     map[string]string // added to the caller's environment
}

// Target is where to deploy, with every default filled in.
type Target struct {
	Name        string
	Local       bool // the local AWS
	Region      string
	Role        string // ARN of the role to take; empty: the credentials are used as they are
	Registry    string // HOST[:PORT]; empty: the account's own, or the local AWS's
	Cluster     string
	Services    []string // never empty
	Strategy    string   // one of the Strategy constants
	Timeout     time.Duration
	Settle      time.Duration // every task must have run for this long before a rollout is green
	Order       string        // one of the Order constants
	GiveUpAfter int           // tasks that may stop for one and the same fatal reason before a rollout is given up
	Migrate     *Migrate      // nil: no migration
	Definitions map[string]Definition
	// RequireSignature is nil when an image may be deployed without.
	RequireSignature *RequireSignature
}

// Migrate is a one-off task that must succeed before any service changes.
type Migrate struct {
	Command []string
	// Expect is text of which some must have appeared in the log; empty: the exit code alone counts.
	Expect  []string
	Timeout time.Duration
}

// Definition is where the ECS JSON of one service lies; absolute paths. The files need not exist.
type Definition struct {
	TaskDefinition string // input of RegisterTaskDefinition
	Service        string // input of CreateService
}

// targetEntry is a target as the file has it, with what can only be complained about once it is used.
type targetEntry struct {
	Target
	definitions   map[string]Definition // as written
	definitionsAt map[string]position   // of its keys
	registryAt    position              // zero: not written
	late          Errors                // unset environment variables: no reason to refuse another target

	registryRepository string // what follows the host in the registry's value
}

// Load reads the file at path. env looks up environment variables (os.LookupEnv). What is wrong with the file comes
// back as Errors, all of it.
func Load(path string, env func(string) (string, bool)) (*Config, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("resolve %s: %w", path, err)
	}
	source, err := readFile(path)
	if err != nil {
		return nil, err
	}
	c := &Config{File: path, Dir: filepath.Dir(abs), Image: Image{Provenance: true}}
	d := newDecoder(path, source, env)
	d.decode(c)
	if len(d.errs) > 0 {
		return nil, d.errs.sorted()
	}
	c.chosen, _ = env(TargetVariable)
	return c, nil
}

// maxSize bounds what is read: a config file is a page, and the parser's time grows with the square of some files.
const maxSize = 64 << 10

func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case os.IsNotExist(err):
		return nil, Errors{{File: path, Message: "no such file", Hint: smallest}}
	case err != nil:
		return nil, fmt.Errorf("read the config file: %w", err)
	case info.IsDir():
		return nil, Errors{{File: path, Message: "is a directory", Hint: "name the file in it: " + filepath.Join(path, FileName)}}
	case info.Size() > maxSize:
		return nil, Errors{{File: path, Message: fmt.Sprintf("is %d bytes long, a config file has at most %d", info.Size(), maxSize),
			Hint: "is this the right file?"}}
	}
	source, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the config file: %w", err)
	}
	return source, nil
}

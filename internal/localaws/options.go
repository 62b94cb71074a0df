package localaws

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/loopback"
)

const (
	// DefaultListen is where local AWS listens for the first time: the port that tools for local AWSes look for.
	DefaultListen = "127.0.0.1:4566"
	// Region is the one that Info names. Any other works as well; state is per region.
	Region = "us-east-1"
	// DirVariable names the environment variable of the state directory.
	DirVariable = "MEDUSA_DEPLOY_LOCAL_DIR"
)

// The engines that Options.Engine can name.
const (
	EngineContainerd = "containerd" // real containers, by programs of its own: needs root on Linux
	EngineDocker     = "docker"     // real containers, on a Docker Engine
	EngineSimulated  = "simulated"  // none: for scale tests of the API alone
)

// RatesAWS, in Options.Rates, refuses calls beyond the rates that AWS documents.
const RatesAWS = "aws"

// Options say how to serve.
type Options struct {
	Dir string // of the state; see DefaultDir
	// Listen is HOST:PORT. Empty: where the server of this directory listened before, else DefaultListen. Port 0: the port
	// of before when it is free, else any free one; Info tells it.
	Listen string
	// AllowRemote permits an address in Listen that is not a loopback one. Whoever reaches it can run containers as root
	// once they know the key.
	AllowRemote bool
	// Advertise is the HOST:PORT by which clients reach the server, when it is another one than where it listens: a port
	// forward, or a proxy. Every address that the server tells has it.
	Advertise string
	Rates     string       // RatesAWS, or empty: none. A call beyond them is answered ThrottlingException
	Engine    string       // empty: the first of EngineContainerd and EngineDocker that can run here
	EngineDir string       // of the engine's programs; empty: see containerd.FindBinaries
	Log       *slog.Logger // nil: none
	// SteadyAfter is how long a task must run to count when it has neither load balancer nor health check; 0: as on AWS.
	SteadyAfter time.Duration
	// HealthyAfter is how long a task must run to count although its checks pass. On AWS a load balancer's first check
	// comes up to 30 s after the start; here it comes at once, and a crash that comes late would be missed.
	HealthyAfter time.Duration
}

// complete checks the options and fills in the defaults.
func (o Options) complete() (Options, error) {
	if o.Dir == "" {
		return o, errors.New("local AWS needs a directory for its state")
	}
	var err error
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return o, fmt.Errorf("state directory: %w", err)
	}
	if o.EngineDir != "" {
		if o.EngineDir, err = filepath.Abs(o.EngineDir); err != nil {
			return o, fmt.Errorf("engine directory: %w", err)
		}
	}
	switch o.Engine {
	case "", EngineContainerd, EngineDocker, EngineSimulated:
	default:
		return o, fmt.Errorf("there is no engine %q (known: %s, %s, %s)", o.Engine, EngineContainerd, EngineDocker, EngineSimulated)
	}
	if o.Rates != "" && o.Rates != RatesAWS {
		return o, fmt.Errorf("there are no rates %q (known: %s)", o.Rates, RatesAWS)
	}
	if o.Advertise != "" {
		if host, port, err := net.SplitHostPort(o.Advertise); err != nil || host == "" || port == "" || port == "0" {
			return o, fmt.Errorf("the address to advertise, %q, is not HOST:PORT", o.Advertise)
		}
	}
	if o.Listen != "" && !o.AllowRemote {
		if err := loopback.Check(o.Listen); err != nil {
			return o, fmt.Errorf("cannot listen: %w", err)
		}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

// DefaultDir is $MEDUSA_DEPLOY_LOCAL_DIR, else medusa-deploy/local below $XDG_STATE_HOME or ~/.local/state.
func DefaultDir() (string, error) {
	if dir := os.Getenv(DirVariable); dir != "" {
		return filepath.Abs(dir)
	}
	state := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(state) { // a relative one is to be ignored (XDG Base Directory Specification)
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("find a directory for local AWS's state: %w; name one in %s", err, DirVariable)
		}
		state = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(state, "medusa-deploy", "local"), nil
}

// Info is a server that is ready.
type Info struct {
	PID             int       `json:"pid"`
	Endpoint        string    `json:"endpoint"` // http://HOST:PORT of every API
	Host            string    `json:"host"`     // HOST:PORT, as image names have it
	Listen          string    `json:"listen"`   // HOST:PORT where it really listens: another one when it advertises one
	Region          string    `json:"region"`
	AccessKeyID     string    `json:"accessKeyId"`
	SecretAccessKey string    `json:"-"`                  // only in the file that its user alone can read
	BuildKit        string    `json:"buildkit,omitempty"` // address of BuildKit's daemon; empty when the engine has none
	Blobs           string    `json:"blobs,omitempty"`    // directory of the images' blobs, sha256/HEX; empty: no files
	Engine          string    `json:"engine"`
	EngineReason    string    `json:"engineReason,omitempty"` // why it is not the built-in one, when nobody named it
	Rates           string    `json:"rates,omitempty"`        // those that it enforces; empty: none
	Dir             string    `json:"dir"`
	Started         time.Time `json:"started"`
}

// Env is the variables, NAME=VALUE, that point AWS's tools, registry clients and BuildKit's at the server.
func (i Info) Env() []string {
	env := []string{
		"AWS_ENDPOINT_URL=" + i.Endpoint,
		"AWS_REGION=" + i.Region,
		"AWS_DEFAULT_REGION=" + i.Region,
		"AWS_ACCESS_KEY_ID=" + i.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + i.SecretAccessKey,
		"ECR_URL=" + i.Host,
	}
	if i.BuildKit != "" {
		env = append(env, "BUILDKIT_HOST="+i.BuildKit)
	}
	return env
}

// reachable is the address by which this machine reaches a listener.
func reachable(a net.Addr) string {
	tcp, ok := a.(*net.TCPAddr)
	if ok && tcp.IP.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", fmt.Sprint(tcp.Port))
	}
	return a.String()
}

// Package engine says what runs containers for local AWS: the Engine interface and its words. Implementations live in
// packages below it (containerd: the real one; simulated: for scale tests alone).
//
// It knows images, network sandboxes and containers. It must not know ECS, AWS wire formats or the release pipeline.
package engine

import (
	"context"
	"errors"
	"io"
	"time"
)

// Errors that ECS turns into its own stop codes and reasons. Implementations wrap them, with the detail.
var (
	// ErrImageNotFound: the registry has no such repository, tag or digest.
	ErrImageNotFound = errors.New("image not found")
	// ErrPull: the image exists but could not be pulled (authorization, network, disk).
	ErrPull = errors.New("cannot pull image")
	// ErrStart: the container was created but its process could not be started (no such executable, exec format error).
	ErrStart = errors.New("cannot start container")
	// ErrNotFound: no such sandbox or container.
	ErrNotFound = errors.New("no such container")
)

// Engine runs containers. All methods are safe for concurrent use and idempotent: creating what exists and removing
// what is gone succeed. Containers go on running when the process that holds the Engine dies; the next one finds them
// again with List.
type Engine interface {
	// Kind is "containerd", "docker" or "simulated".
	Kind() string
	// Pull makes an image available under its digest. ErrImageNotFound, ErrPull.
	Pull(ctx context.Context, req PullRequest) (Image, error)
	// CreateSandbox makes the network namespace of one task, with an address of its own.
	CreateSandbox(ctx context.Context, spec SandboxSpec) (Sandbox, error)
	// RemoveSandbox removes the namespace and every container in it, killing what still runs.
	RemoveSandbox(ctx context.Context, sandbox string) error
	// Start creates and starts a container in its sandbox. ErrStart.
	Start(ctx context.Context, spec ContainerSpec) error
	// Signal sends a POSIX signal ("SIGTERM", "SIGKILL") to the container's first process. A stopped container is a success.
	Signal(ctx context.Context, container, signal string) error
	// Wait blocks until the container has stopped. It works on containers that an earlier process started.
	Wait(ctx context.Context, container string) (Exit, error)
	// Exec runs a command in a running container and waits for it, at most until ctx ends (then the command is killed).
	Exec(ctx context.Context, container string, command []string) (ExecResult, error)
	// Logs reads what the container wrote (stdout and stderr in one stream) from a byte offset. With follow the reader
	// blocks for more until the container has stopped and all is read, or ctx ends; then it returns io.EOF.
	Logs(ctx context.Context, container string, offset int64, follow bool) (io.ReadCloser, error)
	// List gives every sandbox with its containers, running or stopped, that was not removed.
	List(ctx context.Context) ([]SandboxStatus, error)
	// Close lets go of the engine; containers keep running.
	Close() error
}

// PullRequest names an image and how to get it.
type PullRequest struct {
	Ref          string // HOST[:PORT]/NAME@sha256:…
	PlainHTTP    bool
	Username     string // empty: anonymous
	Password     string
	Architecture string // "amd64" | "arm64"; empty: the machine's own
}

// Image is a pulled image.
type Image struct {
	Ref          string // as pulled
	Digest       string // of the manifest or index that Ref named
	Manifest     string // digest of the platform's manifest
	Architecture string // of the image's config: it may differ from the machine's
}

// HostGateway, as an address in SandboxSpec.ExtraHosts, stands for the host's address as the sandbox sees it.
const HostGateway = "host-gateway"

// SandboxSpec is one task's network namespace to make. Every container in it sees the same names.
type SandboxSpec struct {
	ID         string            // unique in the engine
	Hostname   string            // empty: the engine's choice
	ExtraHosts map[string]string // name → address or HostGateway, in /etc/hosts
	Ports      []int             // TCP ports of its containers that this machine wants to reach; see Sandbox.Published
}

// Sandbox is one task's network namespace.
type Sandbox struct {
	ID string
	IP string
	// Gateway is the host's address as the sandbox sees it.
	Gateway string
	// Published are the addresses (HOST:PORT) of SandboxSpec.Ports by which this machine reaches them where it does not
	// reach IP, because the containers run in a virtual machine; nil where it reaches IP.
	Published map[int]string
}

// ContainerSpec is one container to start.
type ContainerSpec struct {
	ID         string // unique in the engine
	Sandbox    string
	Name       string // within the task
	Image      string // PullRequest.Ref of a pulled image
	Entrypoint []string
	Command    []string
	Env        []string // NAME=value; wins over the image's own
	// SecretEnv is more of Env, whose values are secret: they are in the container's process, and on disk only in what goes
	// when the container goes. No error, log or database has them.
	SecretEnv  []string
	WorkingDir string
	User       string

	MemoryBytes      int64 // hard limit; 0: none
	CPUShares        int64 // relative weight, 1024 a vCPU; 0: engine's default
	ReadonlyRootfs   bool
	Privileged       bool
	InitProcess      bool
	StopSignal       string // empty: the image's, or SIGTERM
	Labels           map[string]string
	Ulimits          []Ulimit
	LinuxAddCaps     []string
	LinuxDropCaps    []string
	TmpfsSizeByPath  map[string]int64 // bytes
	SharedMemorySize int64            // bytes; 0: 64 MiB
}

// Ulimit is one resource limit, by its POSIX name in lower case ("nofile").
type Ulimit struct {
	Name       string
	Soft, Hard uint64
}

// Exit is how a container stopped.
type Exit struct {
	Code      int // 128+signal when killed by one
	OOMKilled bool
	At        time.Time
}

// SandboxStatus is one sandbox as the engine finds it.
type SandboxStatus struct {
	Sandbox
	Containers []ContainerStatus
}

// ContainerStatus is one container as the engine finds it.
type ContainerStatus struct {
	ID      string
	Name    string
	Image   string
	Running bool
	Exit    Exit // when not running
	Labels  map[string]string
	Started time.Time
}

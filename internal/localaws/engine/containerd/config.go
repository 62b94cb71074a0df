// Package containerd runs local AWS's containers for real: it starts containerd and buildkitd as daemons of its own, or
// adopts those that an earlier process left running, and implements engine.Engine with them. Each task gets a network
// namespace with an address on a bridge of this engine's own.
//
// Everything it keeps lives below one directory, except unix sockets whose paths must be short (/run/medusa-deploy),
// one bridge and one cgroup; Shutdown and Teardown remove all of it. It writes no iptables rule and nothing to /etc,
// /opt or /var. It must not know ECS, AWS wire formats or the release pipeline.
package containerd

import "log/slog"

// Config says where an engine keeps its state and what it runs.
type Config struct {
	// Dir is the state directory of local AWS. The engine uses Dir/engine.
	Dir string
	// BinDir holds containerd, containerd-shim-runc-v2, runc, buildkitd and cni/; see FindBinaries.
	BinDir string
	// Registry is HOST:PORT of local ECR, which BuildKit is allowed to reach over plain HTTP.
	Registry string
	// Log is for operators; nil discards.
	Log *slog.Logger
}

func (c Config) logger() *slog.Logger {
	if c.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return c.Log
}

//go:build linux

package containerd

import (
	"fmt"
	"slices"
	"strings"

	"github.com/containerd/containerd/v2/pkg/cap"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

// defaultOpenFiles is the limit that AWS Fargate gives a container that asks for none.
const defaultOpenFiles = 65535

// dockerCapabilities is what Docker leaves a container.
func dockerCapabilities() []string {
	return []string{
		"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID", "CAP_SETUID",
		"CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE",
	}
}

// capabilities is Docker's default with add and drop applied; names may lack "CAP_", ALL stands for all that this
// process has. A default that this process lacks is left out: runc refuses to grant it.
func capabilities(add, drop []string) ([]string, error) {
	available, err := cap.Current()
	if err != nil {
		return nil, fmt.Errorf("read this process's capabilities: %w", err)
	}
	dropped := map[string]bool{}
	for _, name := range drop {
		dropped[capabilityName(name)] = true
	}
	granted := dockerCapabilities()
	for _, name := range add {
		switch name = capabilityName(name); {
		case name == "CAP_ALL":
			granted = append(granted, available...)
		case !slices.Contains(cap.Known(), name):
			return nil, fmt.Errorf("linuxParameters.capabilities.add: there is no capability %s", name)
		case !slices.Contains(available, name):
			return nil, fmt.Errorf("linuxParameters.capabilities.add: this machine does not let us grant %s", name)
		default:
			granted = append(granted, name)
		}
	}
	added := map[string]bool{}
	for _, name := range add {
		added[capabilityName(name)] = true
	}
	granted = slices.DeleteFunc(granted, func(name string) bool {
		return dropped[name] || (dropped["CAP_ALL"] && !added[name]) || !slices.Contains(available, name)
	})
	slices.Sort(granted)
	return slices.Compact(granted), nil
}

func capabilityName(name string) string {
	name = strings.ToUpper(name)
	if strings.HasPrefix(name, "CAP_") {
		return name
	}
	return "CAP_" + name
}

// resources maps ECS's ulimit names to the kernel's (setrlimit(2)).
func resources() map[string]int {
	return map[string]int{
		"core": unix.RLIMIT_CORE, "cpu": unix.RLIMIT_CPU, "data": unix.RLIMIT_DATA, "fsize": unix.RLIMIT_FSIZE,
		"locks": unix.RLIMIT_LOCKS, "memlock": unix.RLIMIT_MEMLOCK, "msgqueue": unix.RLIMIT_MSGQUEUE, "nice": unix.RLIMIT_NICE,
		"nofile": unix.RLIMIT_NOFILE, "nproc": unix.RLIMIT_NPROC, "rss": unix.RLIMIT_RSS, "rtprio": unix.RLIMIT_RTPRIO,
		"rttime": unix.RLIMIT_RTTIME, "sigpending": unix.RLIMIT_SIGPENDING, "stack": unix.RLIMIT_STACK,
	}
}

// rlimits turns ulimits into the spec's. Without CAP_SYS_RESOURCE a hard limit cannot be raised: what exceeds this
// process's own is lowered to it, said in the log when it was asked for.
func (e *Engine) rlimits(asked []engine.Ulimit) ([]specs.POSIXRlimit, error) {
	raise := canRaise()
	limits := []specs.POSIXRlimit{}
	has := false
	for _, u := range asked {
		resource, ok := resources()[u.Name]
		if !ok {
			return nil, fmt.Errorf("there is no ulimit %q", u.Name)
		}
		limit, err := clamp(resource, specs.POSIXRlimit{Type: "RLIMIT_" + strings.ToUpper(u.Name), Soft: u.Soft, Hard: u.Hard}, raise)
		if err != nil {
			return nil, err
		}
		if limit.Hard < u.Hard {
			e.log.Warn("ulimit lowered: raising it needs CAP_SYS_RESOURCE", "ulimit", u.Name, "asked", u.Hard, "given", limit.Hard)
		}
		limits = append(limits, limit)
		has = has || u.Name == "nofile"
	}
	if has {
		return limits, nil
	}
	files, err := clamp(unix.RLIMIT_NOFILE, specs.POSIXRlimit{Type: "RLIMIT_NOFILE", Soft: defaultOpenFiles, Hard: defaultOpenFiles}, raise)
	return append(limits, files), err
}

func canRaise() bool {
	available, err := cap.Current()
	return err == nil && slices.Contains(available, "CAP_SYS_RESOURCE")
}

func clamp(resource int, limit specs.POSIXRlimit, raise bool) (specs.POSIXRlimit, error) {
	if limit.Soft > limit.Hard {
		return limit, fmt.Errorf("%s: soft limit %d exceeds hard limit %d", limit.Type, limit.Soft, limit.Hard)
	}
	var own unix.Rlimit
	if err := unix.Getrlimit(resource, &own); err != nil {
		return limit, fmt.Errorf("read %s: %w", limit.Type, err)
	}
	if !raise {
		limit.Hard = min(limit.Hard, own.Max)
		limit.Soft = min(limit.Soft, limit.Hard)
	}
	return limit, nil
}

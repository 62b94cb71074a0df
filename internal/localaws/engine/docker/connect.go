package docker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/client"
)

// answerPatience is how long a daemon may take for its first answer before it counts as not running.
const answerPatience = 10 * time.Second

// ErrNoDocker says that no Docker Engine answers.
var ErrNoDocker = errors.New("no Docker Engine answers")

// Find says which daemon the docker command would use, as in DOCKER_HOST, and why: by $DOCKER_HOST, by the context that
// $DOCKER_CONTEXT or `docker context use` names, or the default one. host is empty for the client's own default.
// https://docs.docker.com/engine/manage-resources/contexts/
func Find() (host, reason string, err error) {
	if host := os.Getenv("DOCKER_HOST"); host != "" {
		return host, "DOCKER_HOST", nil
	}
	dir := os.Getenv("DOCKER_CONFIG")
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", "the default socket", nil //nolint:nilerr // without a home there is no context either
		}
		dir = filepath.Join(home, ".docker")
	}
	name := os.Getenv("DOCKER_CONTEXT")
	if name == "" {
		var config struct {
			CurrentContext string `json:"currentContext"`
		}
		if err := readJSON(filepath.Join(dir, "config.json"), &config); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", "", err
		}
		name = config.CurrentContext
	}
	if name == "" || name == "default" {
		return "", "the default socket", nil
	}
	host, err = contextHost(dir, name)
	return host, fmt.Sprintf("the docker context %q", name), err
}

// contextHost reads a context where the docker command keeps it: in a directory named for the hash of its name.
func contextHost(dir, name string) (string, error) {
	sum := sha256.Sum256([]byte(name))
	var meta struct {
		Endpoints map[string]struct{ Host string }
	}
	file := filepath.Join(dir, "contexts", "meta", hex.EncodeToString(sum[:]), "meta.json")
	if err := readJSON(file, &meta); err != nil {
		return "", fmt.Errorf("read the docker context %q: %w\n  choose another: docker context use default", name, err)
	}
	host := meta.Endpoints["docker"].Host
	if host == "" {
		return "", fmt.Errorf("the docker context %q names no Docker Engine\n  choose another: docker context use default", name)
	}
	return host, nil
}

func readJSON(file string, into any) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// Preflight says whether a Docker Engine answers that can run Linux containers, and how it was found. ErrNoDocker.
func Preflight(ctx context.Context) (reason string, err error) {
	host, reason, err := Find()
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoDocker, err)
	}
	api, info, err := connect(ctx, host)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("Docker Engine %s answers at %s (%s)", info.ServerVersion, api.DaemonHost(), reason), api.Close()
}

// connect opens the daemon and asks it what it is. ErrNoDocker.
func connect(ctx context.Context, host string) (*client.Client, system.Info, error) {
	options := []client.Opt{client.FromEnv}
	if host != "" {
		options = append(options, client.WithHost(host))
	}
	if strings.HasPrefix(host, "ssh://") {
		return nil, system.Info{}, fmt.Errorf("%w: %s is reached by ssh, which is not supported\n  use a Docker Engine on this machine: docker context use default", ErrNoDocker, host)
	}
	api, err := client.New(options...)
	if err != nil {
		return nil, system.Info{}, fmt.Errorf("%w: %w", ErrNoDocker, err)
	}
	ctx, cancel := context.WithTimeout(ctx, answerPatience)
	defer cancel()
	found, err := api.Info(ctx, client.InfoOptions{})
	if err == nil && found.Info.OSType != "linux" {
		err = fmt.Errorf("it runs %s containers\n  switch it to Linux containers", found.Info.OSType)
	}
	if err != nil {
		return nil, system.Info{}, errors.Join(unreachable(api.DaemonHost(), err), api.Close())
	}
	return api, found.Info, nil
}

// unreachable says what can be done about a daemon that does not answer.
func unreachable(host string, err error) error {
	cure := "start it, or name another one in DOCKER_HOST"
	if errors.Is(err, fs.ErrPermission) || strings.Contains(err.Error(), "permission denied") {
		cure = "join the group that may use it (sudo usermod -aG docker $USER) and log in again"
	}
	return fmt.Errorf("%w at %s: %w\n  %s", ErrNoDocker, host, err, cure)
}

// isApart says whether the daemon is on another network than this process.
func isApart(host string, info system.Info) bool {
	rootless := false
	for _, option := range info.SecurityOptions {
		rootless = rootless || option == "name=rootless"
	}
	return runtime.GOOS != "linux" || !strings.HasPrefix(host, "unix://") || rootless || strings.Contains(info.OperatingSystem, "Docker Desktop")
}

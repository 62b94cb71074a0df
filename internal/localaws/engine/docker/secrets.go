package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

// What Docker is told of a container, its environment above all, is in Docker's files and in `docker inspect`. So the
// secrets are not told to Docker. A container that has some starts with this program, which reads them from its standard
// input, keeps them in a file in the container's memory for commands that are run in the container later, and then becomes
// the container's own program. Become must therefore be the first thing that a program with this engine does.

const (
	programDir   = "/.medusa-deploy" // where the volume with this program is mounted
	programName  = "medusa-deploy-task"
	secretsDir   = "/.medusa-deploy-secrets" // a file system in memory
	secretsFile  = secretsDir + "/env"
	secretsSpace = 1 << 20 // bytes; what Secrets Manager keeps of a secret is at most 64 KiB
	maxSecrets   = secretsSpace / 2

	actRun  = "run"  // become the container's program
	actExec = "exec" // become a command in the container
	actEnd  = "end"  // kill the processes with a mark
	// actCgroups lets a program, which it becomes, write cgroups: as in a privileged container.
	actCgroups = "cgroups"

	// markVariable marks the processes of one command.
	markVariable = "MEDUSA_DEPLOY_EXEC"
)

// prepareSecrets puts this program before the container's own.
func (e *Engine) prepareSecrets(ctx context.Context, spec engine.ContainerSpec, img localImage, config *container.Config, host *container.HostConfig) error {
	if err := e.placeProgram(ctx); err != nil {
		return fmt.Errorf("prepare to start containers with secrets: %w", err)
	}
	config.Entrypoint = []string{path.Join(programDir, programName), actRun}
	config.Cmd = processArgs(spec, img)
	config.AttachStdin, config.OpenStdin, config.StdinOnce = true, true, true
	config.Labels[labelSecrets] = "true"
	host.Mounts = append(host.Mounts, e.programMount(true))
	host.Tmpfs[secretsDir] = fmt.Sprintf("rw,nosuid,nodev,noexec,mode=1777,size=%d", secretsSpace) // of whatever user the container has
	return nil
}

// withSecrets is a command that is run with the container's secrets.
func withSecrets(command []string) []string {
	return append([]string{path.Join(programDir, programName), actExec}, command...)
}

// runWithSecrets starts a container that was prepared and hands it its secrets.
func (e *Engine) runWithSecrets(ctx context.Context, name string, spec engine.ContainerSpec) error {
	raw, err := json.Marshal(spec.SecretEnv)
	if err != nil {
		return err
	}
	if len(raw) > maxSecrets {
		return fmt.Errorf("the secrets of the container have %d bytes, more than %d", len(raw), maxSecrets)
	}
	if err := e.checkProgram(ctx, name); err != nil {
		return err
	}
	attached, err := e.api.ContainerAttach(ctx, name, client.ContainerAttachOptions{Stream: true, Stdin: true})
	if err != nil {
		return err
	}
	defer attached.Close()
	if err := e.setGoing(ctx, name); err != nil {
		return err
	}
	_, err = attached.Conn.Write(raw)
	if err = errors.Join(err, attached.CloseWrite()); err != nil {
		return fmt.Errorf("hand the container its secrets: %w", err)
	}
	return nil
}

// checkProgram says in Docker's words that a container lacks its own program, which Docker no longer sees.
func (e *Engine) checkProgram(ctx context.Context, name string) error {
	out, err := e.api.ContainerInspect(ctx, name, client.ContainerInspectOptions{})
	if err != nil {
		return err
	}
	program, dirs := out.Container.Config.Cmd[0], []string{out.Container.Config.WorkingDir}
	if !strings.Contains(program, "/") {
		dirs = searchPath(out.Container.Config.Env)
	}
	for _, dir := range dirs {
		file := program
		if !path.IsAbs(file) {
			file = path.Join("/", dir, file)
		}
		stat, err := e.api.ContainerStatPath(ctx, name, client.ContainerStatPathOptions{Path: file})
		if there, err := found(err); err != nil {
			return err
		} else if there && !stat.Stat.Mode.IsDir() {
			return nil
		}
	}
	return fmt.Errorf("exec: %q: executable file not found in %s", program, strings.Join(dirs, ":"))
}

// searchPath is where a container looks for programs.
func searchPath(env []string) []string {
	for _, pair := range slices.Backward(env) {
		if value, ok := strings.CutPrefix(pair, "PATH="); ok {
			return strings.Split(value, ":")
		}
	}
	return []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"} // Docker's own
}

package rehearsal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// DockerLeftovers lists the containers, volumes and images that the local AWS of a state directory has in a Docker Engine.
// host is a DOCKER_HOST; empty: the docker command's own choice.
func DockerLeftovers(ctx context.Context, host, state string) ([]string, error) {
	sum := sha256.Sum256([]byte(state))
	tag := hex.EncodeToString(sum[:4])
	var found []string
	for _, args := range [][]string{
		{"ps", "--all", "--filter", "label=medusa-deploy.engine=" + tag, "--format", "container {{.Names}} {{.Status}}"},
		{"volume", "ls", "--filter", "name=medusa-deploy-" + tag, "--format", "volume {{.Name}}"},
		{"images", "--filter", "reference=medusa-deploy-" + tag, "--format", "image {{.Repository}}:{{.Tag}}"},
	} {
		command := exec.CommandContext(ctx, "docker", args...)
		if host != "" {
			command.Env = append(os.Environ(), "DOCKER_HOST="+host)
		}
		out, err := command.Output()
		if err != nil {
			return nil, fmt.Errorf("docker %s: %w", strings.Join(args, " "), err)
		}
		for line := range strings.Lines(string(out)) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found, nil
}

package build

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/secrets/secretsprovider"
	"github.com/moby/buildkit/session/sshforward/sshprovider"
	"golang.org/x/crypto/ssh"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// agentVariable names the socket of the user's SSH agent.
const agentVariable = "SSH_AUTH_SOCK"

// checkInputs says what is wrong with the secrets, agents and contexts of a build, all at once, before anything is sent.
func checkInputs(req release.BuildRequest) error {
	var wrong []error
	for _, s := range req.Secrets {
		_, err := secretValue(s)
		wrong = append(wrong, err)
	}
	for _, a := range req.SSH {
		wrong = append(wrong, checkAgent(a))
	}
	for name, source := range req.Contexts {
		_, err := parseContext(name, source)
		wrong = append(wrong, err)
	}
	return errors.Join(wrong...)
}

// secretValue reads a secret. An empty one is a mistake: it is what a CI gives for a secret that does not exist.
func secretValue(s release.BuildSecret) ([]byte, error) {
	if s.Env != "" {
		value, set := os.LookupEnv(s.Env)
		switch {
		case !set:
			return nil, fmt.Errorf("build secret %q: the environment variable %s is not set\n  set it, or have image.secrets name another place", s.ID, s.Env)
		case value == "":
			return nil, fmt.Errorf("build secret %q: the environment variable %s is empty\n  in a workflow, that is a secret that does not exist, or that this event may not see", s.ID, s.Env)
		}
		return []byte(value), nil
	}
	info, err := os.Stat(s.File)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("build secret %q: there is no file %s\n  write it, or have image.secrets name another place", s.ID, s.File)
	case err != nil:
		return nil, fmt.Errorf("build secret %q: %w", s.ID, err)
	case info.IsDir():
		return nil, fmt.Errorf("build secret %q: %s is a directory\n  have image.secrets name a file in it", s.ID, s.File)
	case info.Size() > secretsprovider.MaxSecretSize:
		return nil, fmt.Errorf("build secret %q: %s has %d bytes, and BuildKit takes %d\n  is this the right file?", s.ID, s.File, info.Size(), secretsprovider.MaxSecretSize)
	}
	value, err := os.ReadFile(s.File)
	if err != nil {
		return nil, fmt.Errorf("build secret %q: %w", s.ID, err)
	}
	if len(value) == 0 {
		return nil, fmt.Errorf("build secret %q: %s is empty", s.ID, s.File)
	}
	return value, nil
}

// checkAgent says what keeps an agent from being reached, or a key from being read.
func checkAgent(a release.BuildSSH) error {
	if len(a.Paths) == 0 {
		socket := os.Getenv(agentVariable)
		if socket == "" {
			return fmt.Errorf("SSH agent %q: none runs: %s is not set\n  start one (eval \"$(ssh-agent)\" && ssh-add), or have image.ssh name a key: {%s: PATH}", a.ID, agentVariable, a.ID)
		}
		if _, err := os.Stat(socket); err != nil {
			return fmt.Errorf("SSH agent %q: %s names a socket that is not there: %w\n  start an agent anew: eval \"$(ssh-agent)\" && ssh-add", a.ID, agentVariable, err)
		}
		return nil
	}
	for _, path := range a.Paths {
		info, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("SSH agent %q: %w\n  have image.ssh name a private key or an agent's socket", a.ID, err)
		}
		if info.Mode()&os.ModeSocket != 0 {
			continue
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("SSH agent %q: %w", a.ID, err)
		}
		_, err = ssh.ParseRawPrivateKey(raw)
		var locked *ssh.PassphraseMissingError
		switch {
		case errors.As(err, &locked):
			return fmt.Errorf("SSH agent %q: the key %s has a passphrase\n  add it to an agent (ssh-add %s) and write image.ssh: [%s]", a.ID, path, path, a.ID)
		case err != nil:
			return fmt.Errorf("SSH agent %q: %s is no private key: %w", a.ID, path, err)
		}
	}
	return nil
}

// attachables are what the daemon may ask for over the session, besides files: credentials, secrets, SSH agents. All
// goes from memory to the step that mounts it: the daemon keeps none of it.
func (b *BuildKit) attachables(req release.BuildRequest, auth release.Credentials) ([]session.Attachable, error) {
	all := []session.Attachable{&credentials{push: auth, others: b.config.Credentials}}
	if len(req.Secrets) > 0 {
		values := map[string][]byte{}
		for _, s := range req.Secrets {
			value, err := secretValue(s)
			if err != nil {
				return nil, err
			}
			values[s.ID] = value
		}
		all = append(all, secretsprovider.FromMap(values))
	}
	if len(req.SSH) > 0 {
		var agents []sshprovider.AgentConfig
		for _, a := range req.SSH {
			agents = append(agents, sshprovider.AgentConfig{ID: a.ID, Paths: a.Paths})
		}
		provider, err := sshprovider.NewSSHAgentProvider(agents)
		if err != nil {
			return nil, fmt.Errorf("SSH agents of the build: %w", err)
		}
		all = append(all, provider)
	}
	return all, nil
}

// Secrets are the values of a request's secrets that can be read, for whoever hides them.
func Secrets(req release.BuildRequest) []string {
	var values []string
	for _, s := range req.Secrets {
		if value, err := secretValue(s); err == nil {
			values = append(values, string(value))
		}
	}
	return values
}

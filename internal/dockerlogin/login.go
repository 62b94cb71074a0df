package dockerlogin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// Way is where a login went.
type Way string

// The ways, in the order in which they are preferred.
const (
	WayECRHelper Way = "ecr-helper" // Amazon's credential helper gets a password whenever one is needed
	WayDocker    Way = "docker"     // docker login
	WayStore     Way = "store"      // the credential store that the configuration names, without a docker client
	WayFile      Way = "file"       // config.json itself
)

// ecrHelper is Amazon's credential helper, as configurations name it: the program is docker-credential-ecr-login.
const ecrHelper = "ecr-login"

// ecrHost is the hosts that Amazon's helper knows.
// https://github.com/awslabs/amazon-ecr-credential-helper
var ecrHost = regexp.MustCompile(`^\d{12}\.dkr[.-]ecr(?:-fips)?\.[a-z0-9-]+\.(?:amazonaws\.com(?:\.cn)?|on\.aws|amazonaws\.eu|on\.amazonwebservices\.com\.cn)$|^public\.ecr\.aws$`)

// Login is what opens a registry.
type Login struct {
	Host     string // HOST[:PORT], as images are named
	Username string
	Password string
}

// Docker is the user's Docker configuration and the programs beside it.
type Docker struct {
	Dir      string   // where config.json is: DOCKER_CONFIG, or ~/.docker
	Env      []string // of the programs that are run, NAME=VALUE
	LookPath func(program string) (string, error)
}

// Done says what was written.
type Done struct {
	Way  Way
	Path string // of config.json
	Name string // of the credential store, for WayStore
}

// Login lets the clients of this machine use a registry. With noHelper Amazon's credential helper is not used although
// it is installed.
func (d Docker) Login(ctx context.Context, l Login, noHelper bool) (Done, error) {
	file, err := read(d.Dir)
	if err != nil {
		return Done{}, err
	}
	done := Done{Path: file.path}
	if !noHelper && ecrHost.MatchString(l.Host) && d.has(program(ecrHelper)) {
		done.Way = WayECRHelper
		return done, file.useHelper(l.Host)
	}
	helper := file.helper(l.Host)
	if noHelper && helper == ecrHelper { // it would be asked first, whatever is stored
		if _, err := file.set(keyHelpers, l.Host, nil); err != nil {
			return Done{}, err
		}
		if err := file.write(); err != nil {
			return Done{}, err
		}
		helper = file.helper(l.Host)
	}
	if helper != "" && !d.has(program(helper)) {
		return Done{}, fmt.Errorf("%s leaves the password of %s to %s, which is not installed\n  install it, or remove it from the file's credHelpers or credsStore", file.path, l.Host, program(helper))
	}
	if d.has("docker") {
		if done.Way, err = WayDocker, d.dockerLogin(ctx, l); !errors.Is(err, errNoDaemon) {
			return done, err
		}
	}
	if helper != "" {
		done.Way, done.Name = WayStore, helper
		return done, d.store(ctx, helper, l)
	}
	done.Way = WayFile
	if _, err := file.set(keyAuths, l.Host, basic(l)); err != nil {
		return Done{}, err
	}
	return done, file.write()
}

// useHelper makes Amazon's helper the one that is asked, and removes a password that would grow stale.
func (f *configFile) useHelper(host string) error {
	added, err := f.set(keyHelpers, host, ecrHelper)
	if err != nil {
		return err
	}
	removed, err := f.set(keyAuths, host, nil)
	if err != nil || !added && !removed {
		return err
	}
	return f.write()
}

// Logout undoes Login, in whatever way it was done. It tells whether there was anything to undo.
func (d Docker) Logout(ctx context.Context, host string) (Done, bool, error) {
	file, err := read(d.Dir)
	if err != nil {
		return Done{}, false, err
	}
	done := Done{Path: file.path}
	var own string
	wasHelper := json.Unmarshal(file.section(keyHelpers)[host], &own) == nil && own == ecrHelper
	if wasHelper {
		if _, err := file.set(keyHelpers, host, nil); err != nil {
			return done, false, err
		}
	}
	erased := false
	if helper := file.helper(host); helper != "" && d.has(program(helper)) {
		if erased, err = d.erase(ctx, helper, host); err != nil {
			return done, false, err
		}
	}
	removed, err := file.set(keyAuths, host, nil)
	if err == nil && (wasHelper || removed) {
		err = file.write()
	}
	return done, wasHelper || removed || erased, err
}

func program(helper string) string { return "docker-credential-" + helper }

func (d Docker) has(program string) bool {
	_, err := d.LookPath(program)
	return err == nil
}

// errNoDaemon is a docker client that can do nothing without a daemon, older ones' login among it.
var errNoDaemon = errors.New("the docker client reaches no daemon")

// dockerLogin has the docker client do it, which asks the registry whether it takes the password.
func (d Docker) dockerLogin(ctx context.Context, l Login) error {
	out, err := d.run(ctx, strings.NewReader(l.Password), "docker", "--config", d.Dir, "login", "--username", l.Username, "--password-stdin", l.Host)
	switch text := strings.TrimSpace(out); {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case strings.Contains(text, "Docker daemon") || strings.Contains(text, "docker daemon"):
		return errNoDaemon
	default:
		return fmt.Errorf("docker login %s: %s", l.Host, text)
	}
}

// stored is what credential helpers exchange.
// https://github.com/docker/docker-credential-helpers#development
type stored struct {
	ServerURL string
	Username  string
	Secret    string
}

func (d Docker) store(ctx context.Context, helper string, l Login) error {
	raw, err := json.Marshal(stored{ServerURL: l.Host, Username: l.Username, Secret: l.Password})
	if err != nil {
		return err
	}
	if out, err := d.run(ctx, bytes.NewReader(raw), program(helper), "store"); err != nil {
		return fmt.Errorf("%s store: %w: %s", program(helper), err, strings.TrimSpace(out))
	}
	return nil
}

// erase removes a host from a store. One that it does not have is no error.
func (d Docker) erase(ctx context.Context, helper, host string) (erased bool, err error) {
	if _, err := d.run(ctx, strings.NewReader(host), program(helper), "get"); err != nil {
		return false, nil //nolint:nilerr // a helper answers so for a host that it does not have
	}
	if out, err := d.run(ctx, strings.NewReader(host), program(helper), "erase"); err != nil {
		return false, fmt.Errorf("%s erase: %w: %s", program(helper), err, strings.TrimSpace(out))
	}
	return true, nil
}

// run runs a program with something on its standard input, and gives what it printed.
func (d Docker) run(ctx context.Context, stdin interface{ Read([]byte) (int, error) }, name string, args ...string) (string, error) {
	path, err := d.LookPath(name)
	if err != nil {
		return "", err
	}
	command := exec.CommandContext(ctx, filepath.Clean(path), args...)
	command.Stdin, command.Env = stdin, d.Env
	out, err := command.CombinedOutput()
	return string(out), err
}

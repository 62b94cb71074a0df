package rehearsal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// Stage is one program, one local AWS and one app's repository, apart from everything else on the machine.
type Stage struct {
	Program   string    // the medusa-deploy binary
	EngineDir string    // the engine's binaries
	Dir       string    // holds all that follows; removed by Close
	State     string    // of the local AWS
	App       string    // work tree of the app
	Echo      io.Writer // where the program's progress goes; nil: nowhere
	Env       []string  // NAME=VALUE: added to the program's environment
	As        *User     // whose the stage is; nil: this process's user
	listen    string
}

// New makes a stage below a new temporary directory, with the app copied from example into a git repository of its own.
// The directory's path is short, because Unix sockets live in it.
func New(program, engineDir, example string) (*Stage, error) {
	dir, err := os.MkdirTemp("", "md-")
	if err != nil {
		return nil, fmt.Errorf("make a stage: %w", err)
	}
	s := &Stage{Program: program, EngineDir: engineDir, Dir: dir, State: filepath.Join(dir, "s"), App: filepath.Join(dir, "app"), listen: "127.0.0.1:0"}
	if err := s.plant(example); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

func (s *Stage) plant(example string) error {
	if err := os.CopyFS(s.App, os.DirFS(example)); err != nil {
		return fmt.Errorf("copy %s: %w", example, err)
	}
	if err := s.git("init", "--quiet", "--initial-branch=main"); err != nil {
		return err
	}
	_, err := s.Commit("first version")
	return err
}

func (s *Stage) git(args ...string) error {
	command := exec.Command("git", args...)
	command.Dir = s.App
	command.Env = s.environment()
	s.As.run(command)
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// Commit commits everything in the work tree and gives the full sha.
func (s *Stage) Commit(subject string) (string, error) {
	if err := errors.Join(s.git("add", "--all"), s.git("commit", "--quiet", "--allow-empty", "--message", subject)); err != nil {
		return "", err
	}
	command := exec.Command("git", "rev-parse", "HEAD")
	command.Dir = s.App
	command.Env = s.environment()
	s.As.run(command)
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("git rev-parse: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// Edit replaces text in one of the app's files; the text must be there.
func (s *Stage) Edit(file, from, to string) error {
	path := filepath.Join(s.App, file)
	content, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("edit the app: %w", err)
	}
	if !bytes.Contains(content, []byte(from)) {
		return fmt.Errorf("edit the app: %s does not contain %q", file, from)
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("edit the app: %w", err)
	}
	return os.WriteFile(path, bytes.ReplaceAll(content, []byte(from), []byte(to)), info.Mode())
}

// environment is the caller's, less what would point the program elsewhere, with an identity for git.
func (s *Stage) environment() []string {
	env := slices.DeleteFunc(os.Environ(), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return strings.HasPrefix(name, "AWS_") && name != "AWS_CA_BUNDLE" || strings.HasPrefix(name, "GIT_") ||
			strings.HasPrefix(name, "MEDUSA_DEPLOY_") || name == "BUILDKIT_HOST" || name == "ECR_URL" || name == "GITHUB_ACTIONS"
	})
	return append(env,
		"MEDUSA_DEPLOY_LOCAL_DIR="+s.State, "MEDUSA_DEPLOY_ENGINE_DIR="+s.EngineDir, "MEDUSA_DEPLOY_TARGET=local",
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.com",
	)
}

// Output is what one run of a command printed, and how it ended.
type Output struct {
	Stdout, Stderr string
	Exit           int
	Took           time.Duration
}

// Command prepares a run of the program in the app's work tree.
func (s *Stage) Command(ctx context.Context, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, s.Program, args...)
	command.Dir = s.App
	command.Env = append(s.environment(), s.Env...)
	s.As.run(command)
	return command
}

// Run runs the program in the app's work tree. A non-zero exit is no error.
func (s *Stage) Run(ctx context.Context, args ...string) (Output, error) {
	return s.Finish(s.Command(ctx, args...))
}

// Finish runs a prepared command and gathers its output.
func (s *Stage) Finish(command *exec.Cmd) (Output, error) {
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if s.Echo != nil {
		command.Stderr = io.MultiWriter(&stderr, s.Echo)
	}
	begin := time.Now()
	err := command.Run()
	out := Output{Stdout: stdout.String(), Stderr: stderr.String(), Took: time.Since(begin)}
	var exited *exec.ExitError
	if errors.As(err, &exited) {
		out.Exit = exited.ExitCode()
		return out, nil
	}
	if err != nil {
		return out, fmt.Errorf("run %s: %w", strings.Join(command.Args, " "), err)
	}
	return out, nil
}

// Must runs the program and makes a non-zero exit an error that shows what it printed.
func (s *Stage) Must(ctx context.Context, args ...string) (Output, error) {
	out, err := s.Run(ctx, args...)
	if err == nil && out.Exit != 0 {
		err = fmt.Errorf("medusa-deploy %s: exit %d\n%s%s", strings.Join(args, " "), out.Exit, out.Stderr, out.Stdout)
	}
	return out, err
}

// Result is the result event of a release command, with its phases' seconds.
type Result struct {
	release.Result
	Phases map[string]float64 `json:"seconds"`
	Took   time.Duration      `json:"-"` // of the whole command, as its caller sees it
	Raw    string             `json:"-"` // all events
}

// Release runs a release command (ship, deploy, rollback) with JSON output and gives its result, whatever the outcome.
func (s *Stage) Release(ctx context.Context, args ...string) (Result, error) {
	out, err := s.Run(ctx, append(args, "--output", "json")...)
	if err != nil {
		return Result{}, err
	}
	lines := strings.Split(strings.TrimSpace(out.Stdout), "\n")
	result := Result{Took: out.Took, Raw: out.Stdout}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &result); err != nil || result.Outcome == "" {
		return result, fmt.Errorf("medusa-deploy %s: exit %d, and its last line is no result: %w\n%s%s", strings.Join(args, " "), out.Exit, err, out.Stderr, out.Stdout)
	}
	if result.Exit != out.Exit {
		return result, fmt.Errorf("medusa-deploy %s: exit %d, but its result says %d", strings.Join(args, " "), out.Exit, result.Exit)
	}
	return result, nil
}

// Green runs a release command that must end with outcome.
func (s *Stage) Green(ctx context.Context, outcome release.Outcome, args ...string) (Result, error) {
	result, err := s.Release(ctx, args...)
	if err == nil && result.Outcome != outcome {
		err = fmt.Errorf("medusa-deploy %s: %s (exit %d), want %s: %s\n%s", strings.Join(args, " "), result.Outcome, result.Exit, outcome, result.Error, result.Raw)
	}
	return result, err
}

// Up starts the stage's local AWS.
func (s *Stage) Up(ctx context.Context, flags ...string) error {
	_, err := s.Must(ctx, append([]string{"local", "up", "--listen", s.listen}, flags...)...)
	if err != nil {
		return err
	}
	status, err := s.LocalStatus(ctx)
	s.listen = status.Info.Listen // after a restart, the same port again
	return err
}

// LocalStatus is what `local status` says of a local AWS that runs.
type LocalStatus struct {
	Info struct {
		Listen string `json:"listen"` // HOST:PORT where it listens, whatever it advertises
	} `json:"info"`
	Services []struct {
		Name    string `json:"name"`
		Running int    `json:"running"`
		Pending int    `json:"pending"`
	} `json:"services"`
	Calls []LocalCalls `json:"calls"`
}

// LocalCalls is how often an operation of an AWS service was called.
type LocalCalls struct {
	Service   string `json:"service"`
	Operation string `json:"operation"`
	Calls     int    `json:"calls"`
	Throttled int    `json:"throttled"` // of the calls
}

// LocalStatus asks how the stage's local AWS is.
func (s *Stage) LocalStatus(ctx context.Context) (status LocalStatus, err error) {
	out, err := s.Must(ctx, "local", "status", "--output", "json")
	if err != nil {
		return status, err
	}
	if err := json.Unmarshal([]byte(out.Stdout), &status); err != nil {
		return status, fmt.Errorf("read the output of local status: %w", err)
	}
	return status, nil
}

// LocalEnv is what `local env` says.
func (s *Stage) LocalEnv(ctx context.Context) (map[string]string, error) {
	out, err := s.Must(ctx, "local", "env", "--output", "json")
	if err != nil {
		return nil, err
	}
	env := map[string]string{}
	if err := json.Unmarshal([]byte(out.Stdout), &env); err != nil {
		return nil, fmt.Errorf("read the output of local env: %w", err)
	}
	return env, nil
}

// Close stops the local AWS, forgets its state, some of which may be in Docker, and removes the stage.
func (s *Stage) Close(ctx context.Context) error {
	_, err := s.Must(ctx, "local", "reset")
	if err != nil {
		return err // its directory stays, for a look at what happened
	}
	return os.RemoveAll(s.Dir)
}

// FindRoot gives the repository's root: the directory above dir that holds go.mod and examples.
func FindRoot(dir string) (string, error) {
	for {
		if _, err := fs.Stat(os.DirFS(dir), "examples/hello"); err == nil {
			return dir, nil
		}
		if filepath.Dir(dir) == dir {
			return "", errors.New("not inside the repository")
		}
		dir = filepath.Dir(dir)
	}
}

// Write writes one of the app's files.
func (s *Stage) Write(file string, content []byte) error {
	path := filepath.Join(s.App, file)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return os.WriteFile(path, content, 0o644)
}

// Append adds to the end of one of the app's files.
func (s *Stage) Append(file, text string) error {
	content, err := os.ReadFile(filepath.Join(s.App, file))
	if err != nil {
		return fmt.Errorf("append to %s: %w", file, err)
	}
	return s.Write(file, append(content, text...))
}

// Read gives one of the app's files.
func (s *Stage) Read(file string) (string, error) {
	content, err := os.ReadFile(filepath.Join(s.App, file))
	return string(content), err
}

// Revert undoes the last commit by another one.
func (s *Stage) Revert() error { return s.git("revert", "--no-edit", "HEAD") }

// Absolute makes paths absolute: what they name is used from other directories.
func Absolute(paths ...*string) error {
	for _, path := range paths {
		absolute, err := filepath.Abs(*path)
		if err != nil {
			return err
		}
		*path = absolute
	}
	return nil
}

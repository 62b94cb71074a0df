package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/medusa-deploy/medusa-deploy/internal/childenv"
)

// Errors that say what is wrong with the place, for errors.Is. The error that wraps them carries the cure.
var (
	// ErrMissing: there is no git program.
	ErrMissing = errors.New("git is not installed")
	// ErrNotRepository: the directory is in no git repository.
	ErrNotRepository = errors.New("not a git repository")
	// ErrNoCommit: the repository has no commit yet.
	ErrNoCommit = errors.New("no commit yet")
	// ErrOwnership: git refuses to read a repository that belongs to another user.
	ErrOwnership = errors.New("the repository belongs to another user")
	// ErrUnknownCommit: the repository does not have the commit.
	ErrUnknownCommit = errors.New("unknown commit")
)

// placeVariables would make git look at another repository than the one that dir is in: git sets them for its hooks.
// Of `git rev-parse --local-env-vars`, those that say where things are; what configures git stays.
var placeVariables = []string{
	"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY",
	"GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_IMPLICIT_WORK_TREE", "GIT_GRAFT_FILE", "GIT_SHALLOW_FILE",
	"GIT_NAMESPACE", "GIT_QUARANTINE_PATH",
}

// run runs git in dir and gives what it printed.
func run(ctx context.Context, dir string, args ...string) (string, error) {
	if info, err := os.Stat(dir); err != nil {
		return "", fmt.Errorf("look for a git repository: %w", err)
	} else if !info.IsDir() {
		return "", fmt.Errorf("look for a git repository: %s is not a directory", dir)
	}
	command := exec.CommandContext(ctx, "git", append([]string{"-C", dir}, args...)...)
	command.Env = append(environ(), "LC_ALL=C", "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0")
	var out, problem strings.Builder
	command.Stdout, command.Stderr = &out, &problem
	if err := command.Run(); err != nil {
		if ctx.Err() != nil {
			return "", fmt.Errorf("git %s: %w", args[0], context.Cause(ctx))
		}
		return "", explain(dir, args, err, strings.TrimSpace(problem.String()))
	}
	return out.String(), nil
}

func environ() []string {
	return slices.DeleteFunc(childenv.ForHelper(os.Environ()), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return slices.Contains(placeVariables, name)
	})
}

// explain turns what git complained about into what the user can do.
func explain(dir string, args []string, err error, problem string) error {
	has := func(s string) bool { return strings.Contains(problem, s) }
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return fmt.Errorf("%w: the commit is what an image is named for; install git and try again", ErrMissing)
	case has("dubious ownership"):
		return fmt.Errorf("%w, and git refuses to read it: git config --global --add safe.directory %s", ErrOwnership, quote(safeDirectory(dir, problem)))
	case has("not a git repository"):
		return fmt.Errorf("%s is %w: an image is named for its commit; git init && git add . && git commit -m \"first\"", dir, ErrNotRepository)
	case has("must be run in a work tree"):
		return fmt.Errorf("%s is %w with files in it: clone it, and run this in the clone", dir, ErrNotRepository)
	case has("Invalid revision range"), has("bad object"), has("bad revision"), has("unknown revision"):
		return fmt.Errorf("%w in %s: git fetch --unshallow gets the whole history (in GitHub Actions: fetch-depth: 0 for actions/checkout)", ErrUnknownCommit, dir)
	}
	if problem == "" {
		return fmt.Errorf("git %s: %w", args[0], err)
	}
	return fmt.Errorf("git %s: %w: %s", args[0], err, problem)
}

// safeDirectory is the directory that git itself asks to be trusted: the last word of its advice.
func safeDirectory(dir, problem string) string {
	const advice = "--add safe.directory "
	if _, after, ok := strings.Cut(problem, advice); ok {
		line, _, _ := strings.Cut(after, "\n")
		return strings.Trim(strings.TrimSpace(line), "'")
	}
	return dir
}

// quote makes a word safe to paste into a shell.
func quote(word string) string {
	if strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-") == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

package localci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Dir is the directory of one local CI.
type Dir string

// In is the local CI below the state directory of a local AWS.
func In(state string) Dir { return Dir(filepath.Join(state, "ci")) }

// Repository is the bare repository that is pushed to.
func (d Dir) Repository() string { return d.path("repository.git") }

func (d Dir) runs() string            { return d.path("runs") }
func (d Dir) groups() string          { return d.path("groups") }   // of concurrency
func (d Dir) home() string            { return d.path("home") }     // $HOME of the steps: a runner has its own
func (d Dir) standins() string        { return d.path("standins") } // the actions that stand in for others
func (d Dir) settings() string        { return d.path("settings.json") }
func (d Dir) secrets() string         { return d.path("secrets.json") } // the user's own, where there are any
func (d Dir) variables() string       { return d.path("vars.json") }
func (d Dir) hook() string            { return filepath.Join(d.Repository(), "hooks", HookName) }
func (d Dir) path(name string) string { return filepath.Join(string(d), name) }

// HookName is the name of git's hook that starts runs. A program that is called by this name is the hook.
const HookName = "post-receive"

// settings are what a hook cannot know by itself.
type settings struct {
	Program string `json:"program"`          // the program that the hook and the stand-ins run
	Act     string `json:"act"`              // act's binary
	Name    string `json:"name"`             // OWNER/NAME of the repository, as github.repository has it
	Origin  string `json:"origin,omitempty"` // where the work tree came from; empty: nowhere
}

// Setup says how to make a local CI.
type Setup struct {
	Program  string // absolute path of this program
	Act      string // absolute path of act's binary
	WorkTree string // whose remote `origin` and branch the repository takes on; empty: of none
}

// Create makes the repository and its hook. One that is there keeps its commits, and learns anew where the program is.
func (d Dir) Create(ctx context.Context, s Setup) error {
	if err := runnable(s.Act); err != nil {
		return fmt.Errorf("local CI runs workflows with act, which is not there: %w; build it with `make engine`", err)
	}
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return fmt.Errorf("make local CI: %w", err)
	}
	tree, err := look(ctx, s.WorkTree)
	if err != nil {
		return err
	}
	if _, err := git(ctx, string(d), "init", "--quiet", "--bare", "--initial-branch="+tree.branch, "--", d.Repository()); err != nil {
		return err
	}
	for name, value := range map[string]string{
		"core.hooksPath":                filepath.Dir(d.hook()), // the user's own setting would hide ours
		"uploadpack.allowAnySHA1InWant": "true",                 // a shallow checkout asks for one commit
		"receive.denyDeletes":           "false",
		"gc.auto":                       "0", // not in the middle of a push
	} {
		if _, err := git(ctx, d.Repository(), "config", name, value); err != nil {
			return err
		}
	}
	if err := d.plantHook(s.Program); err != nil {
		return err
	}
	if err := d.plantStandins(); err != nil {
		return err
	}
	if err := d.plantShells(s.Program); err != nil {
		return err
	}
	return writeJSON(d.settings(), settings{Program: s.Program, Act: s.Act, Name: tree.name, Origin: tree.origin})
}

func runnable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.IsDir() || info.Mode()&0o111 == 0 {
		return fmt.Errorf("%s is not a program", path)
	}
	return nil
}

// plantHook makes the hook a name of the program itself: there is no script between git and it.
func (d Dir) plantHook(program string) error {
	if err := os.MkdirAll(filepath.Dir(d.hook()), 0o755); err != nil {
		return fmt.Errorf("make the hook of local CI: %w", err)
	}
	if err := os.Remove(d.hook()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("make the hook of local CI: %w", err)
	}
	if err := os.Symlink(program, d.hook()); err != nil {
		return fmt.Errorf("make the hook of local CI: %w", err)
	}
	return nil
}

// Exists says whether a local CI was made here.
func (d Dir) Exists() bool {
	_, err := os.Stat(d.settings())
	return err == nil
}

// Problem says why a push would start nothing; nil when it would. Git does not tell: it ignores a hook that is not there.
func (d Dir) Problem() error {
	s, err := d.load()
	if err != nil {
		return err
	}
	for _, program := range []string{d.hook(), s.Act} {
		if err := runnable(program); err != nil {
			return fmt.Errorf("a push starts no workflow: %w; repair it: medusa-deploy local up --ci", err)
		}
	}
	return nil
}

func (d Dir) load() (settings, error) {
	var s settings
	raw, err := os.ReadFile(d.settings())
	if errors.Is(err, fs.ErrNotExist) {
		return s, fmt.Errorf("there is no local CI here; make it: medusa-deploy local up --ci")
	}
	if err != nil {
		return s, fmt.Errorf("read local CI: %w", err)
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return s, fmt.Errorf("%s is damaged: %w; repair it: medusa-deploy local up --ci", d.settings(), err)
	}
	return s, nil
}

// Remove stops what runs and removes the repository, with all that was pushed to it.
func (d Dir) Remove(ctx context.Context) error {
	if err := d.Stop(ctx); err != nil {
		return err
	}
	if err := os.RemoveAll(string(d)); err != nil {
		return fmt.Errorf("remove local CI: %w", err)
	}
	return nil
}

// writeJSON replaces a file in one step; only its user can read it.
func writeJSON(path string, value any) error {
	raw, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", path, err)
	}
	return replace(path, append(raw, '\n'))
}

func replace(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// readPairs reads a JSON object of texts; a file that is not there is an empty one.
func readPairs(path string) (map[string]string, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var pairs map[string]string
	if err := json.Unmarshal(raw, &pairs); err != nil {
		return nil, fmt.Errorf("%s: expected a JSON object of texts, such as {\"NAME\": \"value\"}: %w", path, err)
	}
	return pairs, nil
}

// nextRun makes the directory of a new run. Its number is one more than the last one's, whoever else makes one.
func (d Dir) nextRun() (int, string, error) {
	if err := os.MkdirAll(d.runs(), 0o700); err != nil {
		return 0, "", fmt.Errorf("make a run: %w", err)
	}
	numbers, err := d.numbers()
	if err != nil {
		return 0, "", err
	}
	next := 1
	if len(numbers) > 0 {
		next = numbers[len(numbers)-1] + 1
	}
	for ; ; next++ {
		path := d.run(next)
		switch err := os.Mkdir(path, 0o700); {
		case err == nil:
			return next, path, nil
		case !errors.Is(err, fs.ErrExist):
			return 0, "", fmt.Errorf("make a run: %w", err)
		}
	}
}

func (d Dir) run(number int) string { return filepath.Join(d.runs(), fmt.Sprintf("%06d", number)) }

// numbers of all runs, oldest first.
func (d Dir) numbers() ([]int, error) {
	entries, err := os.ReadDir(d.runs())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the runs of local CI: %w", err)
	}
	var all []int
	for _, entry := range entries {
		if n, err := strconv.Atoi(strings.TrimLeft(entry.Name(), "0")); err == nil {
			all = append(all, n)
		}
	}
	return all, nil
}

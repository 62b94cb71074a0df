package medusa

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/dop251/goja"
	"github.com/evanw/esbuild/pkg/api"
)

//go:embed sandbox.js
var sandbox string

// longest is how long a medusa-config may take. A usual one takes a millisecond, on a machine that has nothing else to do.
const longest = 10 * time.Second

// ErrSlow is the error of a config that takes too long.
var ErrSlow = errors.New("it takes too long")

// deepest is how many calls may be nested, so that an endless recursion ends.
const deepest = 1000

// Config is a medusa-config that can be run.
type Config struct {
	Path    string // of the file
	program *goja.Program
}

// LoadConfig reads a medusa-config with the files of the project that it imports; packages are not looked at.
func LoadConfig(path string) (*Config, error) {
	built := api.Build(api.BuildOptions{
		EntryPoints: []string{path}, AbsWorkingDir: filepath.Dir(path), Bundle: true, Write: false, Packages: api.PackagesExternal,
		Platform: api.PlatformNode, Format: api.FormatCommonJS, Target: api.ES2017, LogLevel: api.LogLevelSilent,
		Outfile: "medusa-config.js",
	})
	if len(built.Errors) > 0 {
		e := built.Errors[0]
		if e.Location != nil {
			return nil, fmt.Errorf("line %d of %s: %s", e.Location.Line, e.Location.File, e.Text)
		}
		return nil, errors.New(e.Text)
	}
	code := "(function (module, exports, require, process, Buffer, URL, console, __dirname, __filename, global) {" + string(built.OutputFiles[0].Contents) + "\n})"
	program, err := goja.Compile(filepath.Base(path), code, false)
	if err != nil {
		return nil, fmt.Errorf("read it: %w", err)
	}
	return &Config{path, program}, nil
}

// Unsure is the error of a config whose outcome depends on what cannot be known here.
type Unsure struct{ On []string }

// Error names what it depends on.
func (e *Unsure) Error() string {
	return "what it gives depends on " + strings.Join(e.On[:min(3, len(e.On))], ", ")
}

// Run gives what the config says in an environment. Where that depends on something that is not known, the error is an
// *Unsure; any other error is the config's own.
func (c *Config) Run(ctx context.Context, env Environment) (Facts, error) {
	first, doubts, err := c.once(ctx, env, false)
	if err != nil || len(doubts) == 0 {
		return first.with(env), err
	}
	// What came from outside was taken for true; with the opposite it has to come out the same.
	second, _, err := c.once(ctx, env, true)
	if err != nil || !reflect.DeepEqual(first, second) {
		return Facts{}, &Unsure{doubts}
	}
	return first.with(env), nil
}

// once runs the config one time. Falsy is what comes of calls that nobody can answer.
func (c *Config) once(ctx context.Context, env Environment, falsy bool) (raw, []string, error) {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	vm := goja.New()
	vm.SetMaxCallStackSize(deepest)
	defer context.AfterFunc(ctx, func() { vm.Interrupt(ErrSlow) })()
	var doubts, lost []string
	note := func(list *[]string) func(string) {
		return func(what string) {
			if !slices.Contains(*list, what) {
				*list = append(*list, what)
			}
		}
	}
	r := raw{}
	host := map[string]any{
		"env": env.variables(), "open": env.Open, "maybe": env.Maybe, "mark": Unknown, "falsy": falsy,
		"doubt": note(&doubts), "lose": note(&lost), "defined": func() { r.Defined = true },
	}
	text, err := c.start(vm, host)
	var endless *goja.StackOverflowError
	if errors.As(err, &endless) {
		err = errors.New("its functions call each other without end")
	}
	switch {
	case err != nil && (len(doubts) > 0 || len(lost) > 0): // a stand-in may well be why
		return raw{}, nil, &Unsure{append(lost, doubts...)}
	case err != nil:
		return raw{}, nil, fmt.Errorf("run it: %w", err)
	case len(lost) > 0:
		return raw{}, nil, &Unsure{lost}
	}
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return raw{}, nil, fmt.Errorf("read what it gives: %w", err)
	}
	return r, doubts, nil
}

func (c *Config) start(vm *goja.Runtime, host map[string]any) (string, error) {
	main, err := vm.RunProgram(c.program)
	if err != nil {
		return "", err
	}
	host["main"] = main
	around, err := vm.RunString(sandbox)
	if err != nil {
		return "", err
	}
	call, ok := goja.AssertFunction(around)
	if !ok {
		return "", errors.New("the sandbox is no function")
	}
	out, err := call(goja.Undefined(), vm.ToValue(host))
	if err != nil {
		return "", err
	}
	return out.String(), nil
}

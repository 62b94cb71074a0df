package build

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// ReadDockerfile reads a Dockerfile as a build would; args are build arguments, which FROM may name. A mistake in the
// file is a *release.BuildError with its line. What follows a line that names another frontend is left out when only
// that frontend understands it.
func ReadDockerfile(path string, args map[string]string) ([]release.Instruction, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the Dockerfile: %w", err)
	}
	all, err := readDockerfile(raw, args)
	if err != nil {
		return nil, &release.BuildError{Step: "read the Dockerfile", Dockerfile: path, Line: lineOf(err), Err: innermost(err)}
	}
	return all, nil
}

func readDockerfile(raw []byte, args map[string]string) ([]release.Instruction, error) {
	var all []release.Instruction
	frontend, _, at, named := parser.DetectSyntax(raw)
	if named {
		all = append(all, release.Instruction{Name: "SYNTAX", Line: firstLine(at), Stage: -1, Words: []string{frontend}})
	}
	parsed, err := parser.Parse(bytes.NewReader(raw))
	if err != nil {
		return ifNamed(named, all, err)
	}
	stages, global, err := instructions.Parse(parsed.AST, nil)
	if err == nil && len(stages) == 0 {
		err = errors.New("there is no FROM: a Dockerfile names the image that it starts from")
	}
	if err != nil {
		return ifNamed(named, all, err)
	}
	known := map[string]string{}
	for _, a := range global {
		all = append(all, release.Instruction{Name: "ARG", Line: firstLine(a.Location()), Stage: -1, Words: argNames(a)})
		define(known, a, parsed.EscapeToken, args)
	}
	for i, s := range stages {
		words := append([]string{expand(s.BaseName, parsed.EscapeToken, known)}, s.Name)
		all = append(all, release.Instruction{Name: "FROM", Line: firstLine(s.Location), Stage: i, Words: words, Platform: s.Platform})
		for _, c := range s.Commands {
			all = append(all, translate(c, i)...)
		}
	}
	return all, nil
}

// ifNamed gives what was read when a frontend of its own might understand the rest, and the error otherwise.
func ifNamed(named bool, all []release.Instruction, err error) ([]release.Instruction, error) {
	if named {
		return all, nil
	}
	return nil, err
}

// switches are names of variables that decide what an app does; secretive are those whose values are nobody's business.
var (
	switches  = regexp.MustCompile(`^NODE_ENV$|MEDUSA|ADMIN|WORKER|CORS|BACKEND|DISABLE`)
	secretive = regexp.MustCompile(`(?i)PASS|PWD|SECRET|TOKEN|KEY|CREDENTIAL|COOKIE|PRIVATE|DATABASE|DSN`)
)

// translate gives an instruction, and a MOUNT for each thing that it mounts.
func translate(c instructions.Command, stage int) []release.Instruction {
	i := release.Instruction{Name: strings.ToUpper(c.Name()), Line: firstLine(c.Location()), Stage: stage}
	switch c := c.(type) {
	case *instructions.RunCommand:
		i.Words, i.Shell = commandLine(c.ShellDependantCmdLine), c.PrependShell
		return append([]release.Instruction{i}, mounts(c, i)...)
	case *instructions.CmdCommand:
		i.Words, i.Shell = commandLine(c.ShellDependantCmdLine), c.PrependShell
	case *instructions.EntrypointCommand:
		i.Words, i.Shell = commandLine(c.ShellDependantCmdLine), c.PrependShell
	case *instructions.CopyCommand:
		i.Words, i.To, i.From = c.SourcePaths, c.DestPath, c.From
	case *instructions.AddCommand:
		i.Words, i.To, i.Verified = c.SourcePaths, c.DestPath, c.Checksum != ""
	case *instructions.UserCommand:
		i.Words = []string{c.User}
	case *instructions.ArgCommand:
		i.Words = argNames(*c)
	case *instructions.EnvCommand:
		for _, pair := range c.Env {
			value := strings.Trim(pair.Value, `"'`)
			if value != "" {
				i.Words = append(i.Words, pair.Key)
			}
			if switches.MatchString(pair.Key) && !secretive.MatchString(pair.Key) && !strings.Contains(value, "$") {
				if i.Values == nil {
					i.Values = map[string]string{}
				}
				i.Values[pair.Key] = value
			}
		}
	case *instructions.WorkdirCommand:
		i.Words = []string{c.Path}
	case *instructions.HealthCheckCommand:
		i.Words = c.Health.Test
	}
	return []release.Instruction{i}
}

// commandLine is what is run, with the scripts that stand below it.
func commandLine(c instructions.ShellDependantCmdLine) []string {
	words := slices.Clone(c.CmdLine)
	for _, file := range c.Files {
		words = append(words, file.Data)
	}
	return words
}

// mounts gives what a RUN reads besides its own layers.
func mounts(c *instructions.RunCommand, run release.Instruction) []release.Instruction {
	if err := c.Expand(func(word string) (string, error) { return word, nil }); err != nil {
		return nil // a value that only the build knows
	}
	var all []release.Instruction
	for _, m := range instructions.GetMounts(c) {
		if m.Type != instructions.MountTypeBind {
			continue
		}
		source := m.Source
		if source == "" {
			source = "."
		}
		all = append(all, release.Instruction{Name: "MOUNT", Line: run.Line, Stage: run.Stage, Words: []string{source}, From: m.From})
	}
	return all
}

func argNames(c instructions.ArgCommand) []string {
	var names []string
	for _, a := range c.Args {
		names = append(names, a.Key)
	}
	return names
}

// define adds the values of ARGs that stand before the first FROM; each may name those before it.
func define(known map[string]string, c instructions.ArgCommand, escape rune, args map[string]string) {
	for _, a := range c.Args {
		if given, ok := args[a.Key]; ok {
			known[a.Key] = given
		} else if a.Value != nil {
			known[a.Key] = expand(*a.Value, escape, known)
		}
	}
}

// expand puts values into a word; it stays as it is when one of them is not known.
func expand(word string, escape rune, known map[string]string) string {
	var pairs []string
	for key, value := range known {
		pairs = append(pairs, key+"="+value)
	}
	expanded, missing, err := shell.NewLex(escape).ProcessWord(word, shell.EnvsFromSlice(pairs))
	if err != nil || len(missing) > 0 {
		return word
	}
	return expanded
}

func firstLine(at []parser.Range) int {
	if len(at) == 0 {
		return 0
	}
	return at[0].Start.Line
}

// lineOf is the line of a mistake; 0: it has none.
func lineOf(err error) int {
	var at *parser.LocationError
	if errors.As(err, &at) && len(at.Locations) > 0 {
		return firstLine(at.Locations[0])
	}
	return 0
}

// innermost is the parser's complaint without the line, which is told apart.
func innermost(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}

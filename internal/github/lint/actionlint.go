package lint

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	goccy "github.com/goccy/go-yaml"
	goccyparser "github.com/goccy/go-yaml/parser"
	"github.com/rhysd/actionlint"
	"go.yaml.in/yaml/v4"
)

// parse reads the file as YAML; nil when it is none, which is then said.
func (c *checker) parse() *yaml.Node {
	if !utf8.ValidString(c.src.text) {
		c.add(codeYAML, invalidByte(c.src.text), "the file is not UTF-8 here").Cure = "save the file as UTF-8"
		return nil
	}
	var document yaml.Node
	err := yaml.Unmarshal([]byte(c.src.text), &document)
	if err == nil {
		return &document
	}
	// The parser says where the enclosing collection began; another one says where the fault is.
	var precise goccy.Error
	var parser *yaml.ParserError
	switch _, second := goccyparser.ParseBytes([]byte(c.src.text), 0); {
	case errors.As(second, &precise) && precise.GetToken() != nil:
		at := precise.GetToken().Position
		c.add(codeYAML, c.src.offset(at.Line, at.Column), precise.GetMessage())
	case errors.As(err, &parser):
		c.add(codeYAML, c.src.offset(max(parser.Line, 1), parser.Column+1), parser.Message)
	default:
		c.add(codeYAML, 0, err.Error())
	}
	return nil
}

func invalidByte(text string) int {
	for i, r := range text {
		if _, width := utf8.DecodeRuneInString(text[i:]); r == utf8.RuneError && width == 1 {
			return i
		}
	}
	return len(text)
}

// lintConfigs are the files that tell actionlint of labels and variables that it cannot know.
var lintConfigs = []string{".github/actionlint.yaml", ".github/actionlint.yml"}

// actionlint runs that linter's own rules. A fault of its own must not hide what else there is to say.
func (c *checker) actionlint() (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			c.add(codeUnchecked, 0, fmt.Sprintf("actionlint failed on this file: %v", fault))
		}
	}()
	var project *actionlint.Project
	name := "<stdin>" // actionlint looks nothing up for it
	if c.Root != "" {
		if project, err = actionlint.NewProject(c.Root); err != nil {
			return fmt.Errorf("read %s: %w", strings.Join(lintConfigs, " or "), err)
		}
		name = c.relative()
	}
	linter, err := actionlint.NewLinter(io.Discard, &actionlint.LinterOptions{Color: actionlint.ColorOptionKindNever, WorkingDir: c.Root})
	if err != nil {
		return fmt.Errorf("start actionlint: %w", err)
	}
	found, err := linter.Lint(name, []byte(c.src.text), project)
	if err != nil {
		return fmt.Errorf("run actionlint: %w", err)
	}
	for _, e := range found {
		c.adopt(e)
	}
	return nil
}

// relative is the file's name as the repository has it.
func (c *checker) relative() string {
	if name, err := filepath.Rel(c.Root, c.name); err == nil && filepath.IsLocal(name) {
		return filepath.ToSlash(name)
	}
	return filepath.ToSlash(c.name)
}

// kinds are the codes for actionlint's kinds of errors.
var kinds = map[string]string{
	"syntax-check": codeShape, "expression": codeExpression, "events": codeTrigger, "glob": codeTrigger,
	"job-needs": codeNeeds, "matrix": codeNeeds, "action": codeAction, "id": codeName, "env-var": codeName,
	"permissions": codePermission, "shell-name": codeShellName, "workflow-call": codeCall, "runner-label": codeRunner,
	"if-cond": codeConstant, "credentials": codePassword,
}

// adopt makes a problem of an error of actionlint's, unless a rule of ours says the same better.
func (c *checker) adopt(e *actionlint.Error) {
	code, known := kinds[e.Kind]
	if !known {
		code = codeShape
	}
	switch {
	case e.Kind == "deprecated-commands", strings.Contains(e.Message, "potentially untrusted"):
		return // judgeCommands, judgePasted: with the place in the script
	case strings.Contains(e.Message, `"$/`):
		return // a path in this repository: newer than actionlint
	case strings.Contains(e.Message, "is too old to run"), strings.HasPrefix(e.Message, "avoid using deprecated input"):
		code = codeOldAction
	case e.Kind == "if-cond" && strings.Contains(e.Message, "extra characters"):
		code = codeAlwaysTrue
	}
	message := e.Message
	if cut := strings.Index(message, ". note:"); cut > 0 {
		message = message[:cut]
	}
	c.add(code, c.src.offset(e.Line, e.Column), message)
}

// knownVersion finds the major version in the comment behind a pinned action.
var knownVersion = regexp.MustCompile(`^#\s*(?:tag=|pin@)?(v\d+)\b`)

// judgeInputs checks the inputs of an action that is pinned to a commit. actionlint knows the inputs of a tag: the comment
// behind the commit says which one.
func (c *checker) judgeInputs(s *step, ref string) {
	m := knownVersion.FindStringSubmatch(c.comment(s.uses.val))
	if m == nil {
		return
	}
	name, _, _ := strings.Cut(s.uses.text(), "@")
	spec := name + "@" + m[1]
	if _, old := actionlint.OutdatedPopularActionSpecs[spec]; old {
		c.at(codeOldAction, s.uses.val, spec+" is too old to run on GitHub Actions")
		return
	}
	known, found := actionlint.PopularActions[spec]
	if !found || known.SkipInputs {
		return
	}
	given := entries(s.get("with").val)
	for _, f := range given {
		id := strings.ToLower(f.key.Value)
		if id == "args" || id == "entrypoint" {
			continue
		}
		if _, ok := known.Inputs[id]; !ok {
			c.at(codeAction, f.key, fmt.Sprintf("%s has no input %q%s", spec, f.key.Value, near(f.key.Value, inputNames(known))))
		}
	}
	for id, input := range known.Inputs {
		if input.Required && !lookupFold(s.get("with").val, id).there() {
			c.at(codeAction, s.uses.val, fmt.Sprintf("%s needs the input %q", spec, input.Name))
		}
	}
}

func inputNames(known *actionlint.ActionMetadata) []string {
	var names []string
	for _, input := range known.Inputs {
		names = append(names, input.Name)
	}
	slices.Sort(names)
	return names
}

// comment is the comment behind a scalar on its line.
func (c *checker) comment(n *yaml.Node) string {
	s := newScalar(c.src, n, 0)
	_, end := s.span(0, len(s.value))
	rest := strings.TrimLeft(c.src.text[end:c.src.lineEnd(end)], `"' `)
	if strings.HasPrefix(rest, "#") {
		return rest
	}
	return ""
}

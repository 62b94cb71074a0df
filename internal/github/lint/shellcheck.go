package lint

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"unicode/utf8"

	"github.com/medusa-deploy/medusa-deploy/internal/childenv"
)

// remark is one of shellcheck's, in its JSON form.
type remark struct {
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Level   string `json:"level"`
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// ignored are remarks that are not true of a script in a workflow: files are elsewhere (SC1091), variables come from env
// (SC2153, SC2154), and an expression is no constant (SC2194, SC2050, SC2157, SC2043, SC2078, SC2170).
const ignored = "SC1091,SC2153,SC2154,SC2194,SC2050,SC2157,SC2043,SC2078,SC2170"

// shellcheck asks that program about each script that parses. Its warnings and errors are passed on; hints on style are not.
func (c *checker) shellcheck(ctx context.Context) error {
	if c.Shellcheck == "" {
		return nil
	}
	for _, s := range c.workflow.steps {
		if s.script == nil || s.script.file == nil || s.script.err != nil {
			continue
		}
		found, err := c.runShellcheck(ctx, s.script)
		if err != nil {
			return err
		}
		for _, r := range found {
			if r.Level == "warning" || r.Level == "error" {
				p := c.add(codeShellcheck, s.script.source(offsetIn(s.script.masked, r.Line-prologueLines, r.Column)), fmt.Sprintf("SC%d: %s", r.Code, r.Message))
				p.Cure = fmt.Sprintf("see https://www.shellcheck.net/wiki/SC%d; where the script is right: # shellcheck disable=SC%d", r.Code, r.Code)
			}
		}
	}
	return nil
}

// prologueLines are those that runShellcheck puts before the script, for shellcheck to know how the runner starts it.
const prologueLines = 1

func (c *checker) runShellcheck(ctx context.Context, sc *script) ([]remark, error) {
	name, prologue := "bash", "set -e\n"
	if sc.shell.dialect == posix {
		name = "sh"
	} else if sc.shell.pipefail {
		prologue = "set -eo pipefail\n"
	}
	cmd := exec.CommandContext(ctx, c.Shellcheck, "--norc", "--format", "json", "--shell", name, "--exclude", ignored, "-")
	cmd.Env = childenv.ForHelper(os.Environ())
	cmd.Stdin = strings.NewReader(prologue + sc.masked)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || len(out) == 0) { // it ends with 1 when it has something to say
		return nil, fmt.Errorf("run %s: %w: %s", c.Shellcheck, err, strings.TrimSpace(stderr.String()))
	}
	var found []remark
	if err := json.Unmarshal(out, &found); err != nil {
		return nil, fmt.Errorf("read what %s says: %w", c.Shellcheck, err)
	}
	return found, nil
}

// offsetIn is the offset of a line and a column, in characters, of a text.
func offsetIn(text string, line, column int) int {
	at := 0
	for ; line > 1; line-- {
		i := strings.IndexByte(text[at:], '\n')
		if i < 0 {
			return len(text)
		}
		at += i + 1
	}
	for ; column > 1 && at < len(text) && text[at] != '\n'; column-- {
		_, width := utf8.DecodeRuneInString(text[at:])
		at += width
	}
	return at
}

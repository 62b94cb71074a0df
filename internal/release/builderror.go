package release

import "fmt"

func (e *BuildError) message() string {
	where := ""
	if e.Line > 0 {
		where = fmt.Sprintf("%s:%d: ", e.Dockerfile, e.Line)
	}
	return fmt.Sprintf("%s%s: %v", where, e.Step, e.Err)
}

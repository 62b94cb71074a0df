package release

import (
	"errors"
	"fmt"
)

func (e *BuildError) message() string {
	where := ""
	if e.Line > 0 {
		where = fmt.Sprintf("%s:%d: ", e.Dockerfile, e.Line)
	}
	return fmt.Sprintf("%s%s: %v", where, e.Step, e.Err)
}

// explainBuild repeats at the end of a release what its build failed at: other steps may have printed much since. Nil
// when it was no build that failed.
func explainBuild(err error) *Explanation {
	var failed *BuildError
	if !errors.As(err, &failed) {
		return nil
	}
	log := failed.Log
	return &Explanation{
		Cause: "the build failed at " + failed.Step, Source: failed.Excerpt, Log: log[max(0, len(log)-logLines):],
		Next: []string{"medusa-deploy build --verbose"},
	}
}

package lint

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// References are what workflows read of the repository's settings, and so what is worth asking GitHub for.
type References struct {
	Secrets      bool // any but GITHUB_TOKEN
	Variables    bool
	Environments []string // that jobs name, in lower case, each once; those whose name is an expression are left out
}

// Refer reads what files refer to. What is no workflow refers to nothing: Files says what is wrong with it.
func Refer(files []string) (References, error) {
	var all References
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return References{}, fmt.Errorf("read the workflow: %w", err)
		}
		all.add(file, content)
	}
	slices.Sort(all.Environments)
	all.Environments = slices.Compact(all.Environments)
	return all, nil
}

func (r *References) add(name string, content []byte) {
	src := newSource(content)
	var document yaml.Node
	if yaml.Unmarshal([]byte(src.text), &document) != nil {
		return
	}
	w := newWorkflow(name, src, &document)
	if w.action || w.onlyCalled() {
		return
	}
	for _, f := range entries(w.root) {
		visitExpressions(src, f, func(_ *scalar, e expression) {
			for _, read := range reads(e.node) {
				context, property, _ := strings.Cut(read, ".")
				r.Secrets = r.Secrets || context == "secrets" && isName(property)
				r.Variables = r.Variables || context == "vars" && isName(property)
			}
		})
	}
	for _, j := range w.jobs {
		if at := j.get("environment"); at.there() && environmentName(at) != "" {
			r.Environments = append(r.Environments, strings.ToLower(environmentName(at)))
		}
	}
}

package lint

import (
	"os"
	"path"
	"path/filepath"

	"go.yaml.in/yaml/v4"
)

// repository is what the rules know of the files beside the one that is looked at.
type repository struct {
	root      string
	workflows map[string]*workflow
}

// newRepository looks files up below root; nil: nothing is known.
func newRepository(root string) *repository {
	if root == "" {
		return nil
	}
	return &repository{root: root, workflows: map[string]*workflow{}}
}

// workflow reads another workflow; nil: there is none, or it is not YAML.
func (r *repository) workflow(name string) *workflow {
	if w, known := r.workflows[name]; known {
		return w
	}
	var w *workflow
	if local := filepath.FromSlash(name); filepath.IsLocal(local) {
		if content, err := os.ReadFile(filepath.Join(r.root, local)); err == nil {
			src := newSource(content)
			var document yaml.Node
			if yaml.Unmarshal([]byte(src.text), &document) == nil {
				w = newWorkflow(name, src, &document)
			}
		}
	}
	r.workflows[name] = w
	return w
}

// names are the workflow files that there are.
func (r *repository) names() []string {
	found, _ := filepath.Glob(filepath.Join(r.root, filepath.FromSlash(workflowDir), "*.y*ml"))
	for i, name := range found {
		found[i] = path.Base(filepath.ToSlash(name))
	}
	return found
}

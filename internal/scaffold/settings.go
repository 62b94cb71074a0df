package scaffold

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
)

// variable is how the settings of npm, Yarn and pnpm take a value from the environment: ${NAME}, ${NAME:-default}.
var variable = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)`)

// variables are the names of the environment variables that the package managers' settings in dir read.
func variables(dir string) ([]string, error) {
	var names []string
	for _, file := range []string{".npmrc", ".yarnrc.yml"} {
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("look for a registry's token: %w", err)
		}
		for _, found := range variable.FindAllSubmatch(text, -1) {
			if name := string(found[1]); !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names, nil
}

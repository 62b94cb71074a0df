package main

import (
	"context"
	"embed"
	"fmt"
	"os"
	"path/filepath"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
)

// way is one way to build the shop: a directory with the shop and a Dockerfile.
type way struct {
	name, dir string
}

//go:embed testdata
var theirs embed.FS

// What is changed in the shop's source between two builds.
const (
	changedFile = "src/api/version/route.ts"
	changedLine = "\n// one line more\n"
)

// prepare makes a directory for each way. The first has what init writes.
func prepare(ctx context.Context, stage *rehearsal.Stage) ([]way, error) {
	for _, file := range []string{"Dockerfile", ".dockerignore"} {
		if err := os.Remove(stage.Path(file)); err != nil {
			return nil, fmt.Errorf("have init write the Dockerfile: %w", err)
		}
	}
	if _, err := stage.Must(ctx, "init", "--plain", "--yes"); err != nil {
		return nil, err
	}
	ways := []way{{name: "what init writes", dir: stage.App}}
	for _, one := range []way{
		{name: "Medusa's deployment guide", dir: "deployment"},
		{name: "Medusa's Docker guide (a development server)", dir: "development"},
	} {
		dockerfile, err := theirs.ReadFile("testdata/" + one.dir + ".Dockerfile")
		if err != nil {
			return nil, err
		}
		one.dir = filepath.Join(stage.Dir, one.dir)
		if err := os.CopyFS(one.dir, os.DirFS(stage.App)); err != nil {
			return nil, fmt.Errorf("copy the shop: %w", err)
		}
		if err := os.WriteFile(filepath.Join(one.dir, "Dockerfile"), dockerfile, 0o644); err != nil {
			return nil, err
		}
		ways = append(ways, one)
	}
	return ways, nil
}

// edit changes one line of the source.
func (w way) edit() error {
	file, err := os.OpenFile(filepath.Join(w.dir, changedFile), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("change the shop: %w", err)
	}
	_, err = file.WriteString(changedLine)
	if closed := file.Close(); err == nil {
		err = closed
	}
	return err
}

package localci

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

//go:embed standins
var standinFiles embed.FS

// standinOf maps OWNER/REPO of an action to the directory of what stands in for it. This program's own action is the one
// whose repository is named like it, whoever owns it.
var standinOf = map[string]string{
	"actions/checkout":                      "checkout",
	"aws-actions/configure-aws-credentials": "credentials",
	"docker/setup-buildx-action":            "buildx",
	"docker/setup-qemu-action":              "qemu",
}

const ownAction = "medusa-deploy"

// plantStandins writes the stand-ins where act can read them.
func (d Dir) plantStandins() error {
	if err := os.RemoveAll(d.standins()); err != nil {
		return fmt.Errorf("write the stand-ins of actions: %w", err)
	}
	sub, err := fs.Sub(standinFiles, "standins")
	if err == nil {
		err = os.CopyFS(d.standins(), sub)
	}
	if err != nil {
		return fmt.Errorf("write the stand-ins of actions: %w", err)
	}
	return nil
}

// standIns maps each action that a workflow uses and that has a stand-in, OWNER/REPO@REF, to the stand-in's directory. The
// others are fetched from GitHub.
func (d Dir) standIns(uses []string) (mapped map[string]string, fetched []string) {
	mapped = map[string]string{}
	for _, one := range uses {
		repository, ref, _ := strings.Cut(one, "@")
		name, known := standinOf[strings.ToLower(repository)]
		if _, own, _ := strings.Cut(strings.ToLower(repository), "/"); own == ownAction {
			name, known = "action", true
		}
		if !known {
			fetched = append(fetched, one)
			continue
		}
		mapped[repository+"@"+ref] = filepath.Join(d.standins(), name)
	}
	return mapped, fetched
}

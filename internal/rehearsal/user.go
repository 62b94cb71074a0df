//go:build unix

package rehearsal

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// User is a user of the machine, by number.
type User struct{ UID, GID uint32 }

// run has a command run as the user; nil leaves it to this process's.
func (u *User) run(command *exec.Cmd) {
	if u != nil {
		command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: u.UID, Gid: u.GID}}
	}
}

// GiveTo makes the stage a user's, with a home and copies of the programs in it: nothing outside need be readable to the
// user but Go. It needs root.
func (s *Stage) GiveTo(user User, programs ...string) error {
	bin, engine, home := filepath.Join(s.Dir, "bin"), filepath.Join(s.Dir, "bin", "engine"), filepath.Join(s.Dir, "home")
	for _, dir := range []string{engine, home} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("give the stage away: %w", err)
		}
	}
	copies := map[string]string{s.Program: filepath.Join(bin, "medusa-deploy")}
	for _, name := range programs {
		copies[filepath.Join(s.EngineDir, name)] = filepath.Join(engine, name)
	}
	for from, to := range copies {
		content, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(to, content, 0o755) // a program
		}
		if err != nil {
			return fmt.Errorf("give the stage away: %w", err)
		}
	}
	s.Program, s.EngineDir, s.As = filepath.Join(bin, "medusa-deploy"), engine, &user
	s.Env = append(s.Env, "HOME="+home, "XDG_STATE_HOME=", "GOCACHE="+filepath.Join(home, "gocache"), "GOPATH="+filepath.Join(home, "go"))
	return filepath.WalkDir(s.Dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, int(user.UID), int(user.GID))
	})
}

package docker

import (
	"bytes"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// The program that does nothing is a program for each architecture, and does nothing on this one.
func TestPauseProgram(t *testing.T) {
	for architecture, want := range pauseCode {
		raw, err := pauseProgram(architecture)
		if err != nil {
			t.Fatal(err)
		}
		file, err := elf.NewFile(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		code := make([]byte, len(want.code))
		if _, err := file.Progs[0].ReadAt(code, int64(file.Entry-file.Progs[0].Vaddr)); err != nil || !bytes.Equal(code, want.code) {
			t.Errorf("%s: at the entry is % x, %v", architecture, code, err)
		}
		if file.Machine != want.machine || file.Type != elf.ET_EXEC {
			t.Errorf("%s: %v %v", architecture, file.Machine, file.Type)
		}
	}
	if _, err := pauseProgram("vax"); err == nil {
		t.Error("there is a program for a VAX")
	}
	if runtime.GOOS != "linux" {
		return
	}
	raw, err := pauseProgram(runtime.GOARCH)
	if err != nil {
		t.Skip(err)
	}
	path := filepath.Join(t.TempDir(), "pause")
	if err := os.WriteFile(path, raw, 0o700); err != nil { // a program
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), path)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	select {
	case err := <-ended:
		t.Errorf("it ended: %v", err)
	case <-time.After(100 * time.Millisecond): // long enough for a program that cannot run to fail
		if err := command.Process.Kill(); err != nil {
			t.Error(err)
		}
		<-ended
	}
}

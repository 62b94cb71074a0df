package e2e

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// secretReader is what the image's steps run: it prints its secrets and fails, or has them until watchProcesses has told it
// twice that it was seen: between the two is a look that began when it had them.
const secretReader = `package main

import ("fmt"; "os"; "os/signal"; "syscall"; "time")

func main() {
	var all string
	for _, path := range os.Args[2:len(os.Args)-1] {
		text, err := os.ReadFile(path)
		if err != nil { panic(err) }
		all += string(text) + "\n"
	}
	if os.Args[1] == "print" {
		fmt.Print(all)
		os.Exit(3)
	}
	fmt.Println("read", len(all), "bytes")
	seen := make(chan os.Signal, 1)
	signal.Notify(seen, syscall.SIGCONT)
	for range 2 {
		select {
		case <-seen:
		case <-time.After(2*time.Minute):
			fmt.Println("nobody looks at the processes")
			os.Exit(4)
		}
	}
}
`

const secretMounts = "--mount=type=secret,id=token,required=true --mount=type=secret,id=npmrc,target=/npmrc,required=true"

// TestNoBuildSecretGetsOut passes secrets to a build that uses them, and to one that prints them, and searches the image,
// all that is attached to it, every face, every process, and every file that is left, compressed ones unpacked.
func TestNoBuildSecretGetsOut(t *testing.T) {
	stage := newStage(t)
	planted := canaries{"NPM_TOKEN": "canary-" + uuid.NewString(), "the file": "canary-" + uuid.NewString()}
	file := filepath.Join(t.TempDir(), "npmrc") // all that is in the stage's own directory is searched
	if err := os.WriteFile(file, []byte("//registry.example/:_authToken="+planted["the file"]+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"home", "tmp"} {
		if err := os.Mkdir(filepath.Join(stage.Dir, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	stage.Env = []string{"NPM_TOKEN=" + planted["NPM_TOKEN"], "TMPDIR=" + filepath.Join(stage.Dir, "tmp"), "HOME=" + filepath.Join(stage.Dir, "home"), "GOCACHE=" + goCache(t)}
	if err := stage.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	compileReader(t, filepath.Join(stage.App, "reader"))
	dockerfile := func(from, to string) {
		t.Helper()
		if err := stage.Edit("Dockerfile", from, to); err != nil {
			t.Fatal(err)
		}
	}
	use := "RUN " + secretMounts + ` ["/reader", "use", "/run/secrets/token", "/npmrc", "` + markOf(stage) + `"]`
	dockerfile("ARG COMMIT\n", "COPY --chmod=0755 reader /reader\n"+use+"\nARG COMMIT\n")
	for file, line := range map[string]string{".dockerignore": "!reader\n", ".gitignore": "kept\n"} {
		if err := stage.Append(file, line); err != nil {
			t.Fatal(err)
		}
	}
	configure(t, stage, "  sbom: true\n  cache: {directory: kept}\n  secrets: {token: {env: NPM_TOKEN}, npmrc: {file: "+file+"}}\n")

	seen := watchProcesses(t, stage, planted)
	printed := map[string]string{}
	ship := func(output string, exit int) {
		t.Helper()
		out, err := stage.Run(t.Context(), "ship", "--output", output, "--verbose", "--explain")
		if err != nil || out.Exit != exit {
			t.Fatalf("ship: exit %d, want %d, %v\n%s%s", out.Exit, exit, err, out.Stderr, out.Stdout)
		}
		printed[output] += out.Stdout + out.Stderr
	}
	ship("plain", release.ExitDone)
	if text := printed["plain"]; !strings.Contains(text, "read 120 bytes") || !strings.Contains(text, "--secret id=npmrc,src="+file+" --secret id=token,env=NPM_TOKEN") {
		t.Errorf("the secrets were not read, or are not explained:\n%s", text)
	}
	dockerfile(`"use"`, `"print"`) // and fails: the last lines are repeated at the end
	for _, output := range []string{"plain", "json", "github", "text"} {
		ship(output, release.ExitBuild)
		if !strings.Contains(printed[output], "***") {
			t.Errorf("%s does not show the step's output:\n%s", output, printed[output])
		}
	}
	for _, one := range seen() {
		t.Errorf("%s", one)
	}
	for output, text := range printed {
		if found := planted.in([]byte(text)); len(found) > 0 {
			t.Errorf("%s shows %q:\n%s", output, found, text)
		}
	}
	must(t, stage, "local", "down")
	searchFiles(t, stage, planted)
	searchPacked(t, stage, planted)
}

func compileReader(t *testing.T, to string) {
	t.Helper()
	source := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(source, []byte(secretReader), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "go", "build", "-o", to, source)
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// searchPacked searches what the stage's compressed files unpack to: the layers in the registry, in the builder's store
// and in the cache.
func searchPacked(t *testing.T, stage *rehearsal.Stage, planted canaries) {
	t.Helper()
	// The image has three layers, in three places.
	if unpacked := searchEach(t, stage, planted, unpack); unpacked < 9 {
		t.Errorf("unpacked %d files", unpacked)
	}
}

// unpack gives what a gzip or zstd file holds; nil for any other.
func unpack(raw []byte) []byte {
	var reader io.Reader
	switch {
	case bytes.HasPrefix(raw, []byte{0x1f, 0x8b}):
		packed, err := gzip.NewReader(bytes.NewReader(raw))
		if err != nil {
			return nil
		}
		reader = packed
	case bytes.HasPrefix(raw, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		packed, err := zstd.NewReader(bytes.NewReader(raw))
		if err != nil {
			return nil
		}
		defer packed.Close()
		reader = packed
	default:
		return nil
	}
	content, _ := io.ReadAll(reader) // a file that is cut is searched as far as it goes
	return content
}

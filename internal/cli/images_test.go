package cli

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// scriptCommands are what scripts can do besides typing commands.
func scriptCommands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"commit": scriptCommit, "tag-image": scriptTag, "validate": scriptValidate,
	}
}

// scriptCommit is `commit NAME SUBJECT [multi]`: a commit, and an image of it in the registry as a release would push it,
// with multi one for two platforms. It sets $NAME to the sha and $NAME_DIGEST to the digest; NAME_ARM to the second
// platform's manifest.
func scriptCommit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: commit NAME SUBJECT [multi]")
	}
	ts.Check(ts.Exec("git", "commit", "--quiet", "--allow-empty", "--message", args[1]))
	command := exec.Command("git", "rev-parse", "HEAD")
	command.Dir = ts.Getenv("WORK")
	out, err := command.Output()
	ts.Check(err)
	sha := strings.TrimSpace(string(out))
	image := scriptImage(ts, sha, "amd64")
	digest, err := image.Digest()
	ts.Check(err)
	auth, repository := scriptRegistry(ts)
	tag := repository.Tag("git-" + sha)
	if len(args) == 2 {
		ts.Check(remote.Write(tag, image, auth))
	} else {
		arm := scriptImage(ts, sha, "arm64")
		index := mutate.AppendManifests(empty.Index, addendum(image, "amd64"), addendum(arm, "arm64"))
		child, err := arm.Digest()
		ts.Check(err)
		digest, err = index.Digest()
		ts.Check(err)
		ts.Check(remote.WriteIndex(tag, index, auth))
		ts.Setenv(args[0]+"_ARM", child.String())
	}
	ts.Setenv(args[0], sha)
	ts.Setenv(args[0]+"_DIGEST", digest.String())
}

func addendum(image v1.Image, architecture string) mutate.IndexAddendum {
	return mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: architecture}}}
}

// scriptImage makes an image that carries a commit's label and nothing else.
func scriptImage(ts *testscript.TestScript, sha, architecture string) v1.Image {
	image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{
		OS: "linux", Architecture: architecture, RootFS: v1.RootFS{Type: "layers"},
		Config: v1.Config{Labels: map[string]string{release.LabelRevision: sha}},
	})
	ts.Check(err)
	return image
}

// scriptRegistry opens the script's repository in the local AWS.
func scriptRegistry(ts *testscript.TestScript) (remote.Option, name.Repository) {
	ctx := context.Background()
	g := &globals{
		sys:    System{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, LookupEnv: func(key string) (string, bool) { return ts.Getenv(key), ts.Getenv(key) != "" }},
		config: filepath.Join(ts.Getenv("WORK"), "medusa-deploy.yaml"), target: "local", dir: ts.Getenv("MEDUSA_DEPLOY_LOCAL_DIR"),
	}
	s, err := openSession(ctx, g)
	ts.Check(err)
	defer s.face.Close()
	_, err = s.registry.EnsureRepository(ctx, s.target.Repository)
	ts.Check(err)
	auth, err := s.registry.Authenticate(ctx)
	ts.Check(err)
	repository, err := name.NewRepository(auth.Host+"/"+s.target.Repository, name.Insecure)
	ts.Check(err)
	return remote.WithAuth(&authn.Basic{Username: auth.Username, Password: auth.Password}), repository
}

// scriptTag is `tag-image TAG DIGEST`: it moves a tag by hand, without the program.
func scriptTag(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: tag-image TAG DIGEST")
	}
	auth, repository := scriptRegistry(ts)
	found, err := remote.Get(repository.Digest(args[1]), auth)
	ts.Check(err)
	ts.Check(remote.Tag(repository.Tag(args[0]), found, auth))
}

// scriptValidate is `validate SCHEMA FILE...`: every line of each file (or stdout) is what docs/SCHEMA.schema.json says.
func scriptValidate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: validate SCHEMA FILE...")
	}
	schema, err := jsonschema.NewCompiler().Compile(filepath.Join("..", "..", "docs", args[0]+".schema.json"))
	ts.Check(err)
	for _, file := range args[1:] {
		lines := 0
		for line := range strings.Lines(ts.ReadFile(file)) {
			value, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
			ts.Check(err)
			if err := schema.Validate(value); err != nil {
				ts.Fatalf("%s: %v\n%s", file, err, line)
			}
			lines++
		}
		if lines == 0 {
			ts.Fatalf("%s is empty", file)
		}
	}
}

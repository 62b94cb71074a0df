package lint

import (
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// flowOfImages follows the images of one job from the build to the push, in the order of its steps. What it cannot see into (make,
// scripts, unknown actions) may build and log in to anything: then it says nothing.
type flowOfImages struct {
	c      *checker
	job    *job
	vague  bool
	own    bool // docker buildx has a builder of its own, whose results stay in its cache
	built  []string
	unseen []unloaded
	pushed []pushedRef
	moved  bool // a tag is moved by other means than a push
	// nameless: an image was built without a name.
	nameless bool
	logins   []string // hosts; anyHost for one that is not known
	silent   bool     // the missing login was said already
}

// unloaded is a build whose result docker cannot see.
type unloaded struct {
	tags   []string
	offset int
	fix    *Fix
	said   *bool
}

type pushedRef struct {
	ref    string
	offset int
}

const anyHost = "*"

// judgeImages finds images that are pushed and were not built, and the like.
func (c *checker) judgeImages(j *job) {
	f := &flowOfImages{c: c, job: j}
	for _, s := range j.steps {
		f.action(s)
		for _, cmd := range s.commands {
			f.command(s, cmd)
		}
		if s.script != nil && (s.script.file == nil || strings.Contains(s.script.value, "docker-credential") || strings.Contains(s.script.value, ".docker/config.json")) {
			f.logins = append(f.logins, anyHost)
			f.vague = f.vague || s.script.file == nil
		}
	}
	f.judgeTags()
	f.judgeDeployed()
}

// action follows a step that uses an action.
func (f *flowOfImages) action(s *step) {
	switch name := s.action(); {
	case name == "":
	case name == setupBuildxAction:
		f.own = !s.input("driver").is("docker")
	case name == ecrLoginAction:
		f.logins = append(f.logins, ".dkr.ecr.")
	case name == loginAction:
		f.logins = append(f.logins, newNames(s).text(s.input("registry").text()))
	case name == buildPushAction:
		f.buildAction(s)
	case isLocal(name), strings.Contains(name, "login"), strings.Contains(name, "auth"):
		f.logins = append(f.logins, anyHost)
		f.vague = f.vague || isLocal(name)
	case containsAny(name, "docker/bake", "kaniko", "load"), strings.Contains(name, "build") && !strings.HasPrefix(name, "docker/"):
		f.vague = true
	}
}

func (f *flowOfImages) buildAction(s *step) {
	n := newNames(s)
	var tags []string
	for _, line := range strings.FieldsFunc(s.input("tags").text(), func(r rune) bool { return r == '\n' || r == ',' }) {
		if tag := strings.TrimSpace(line); tag != "" && !strings.HasPrefix(tag, "#") {
			tags = append(tags, n.text(tag))
		}
	}
	on := func(name string) (yes, maybe bool) {
		in := s.input(name)
		return in.is("true"), in.there() && !in.is("true") && !in.is("false")
	}
	push, maybePush := on("push")
	load, maybeLoad := on("load")
	outputs := s.input("outputs").there()
	switch {
	case push:
		f.pushes(s, tags, f.c.offsetOf(s.place()))
		if len(tags) == 0 && !outputs {
			f.c.at(codeNoImage, s.input("push").key, "push: true, and no tags: the image has no name to be pushed under")
		}
	case load || maybePush || maybeLoad || outputs:
		f.built = append(f.built, tags...)
	case f.own:
		f.unseen = append(f.unseen, unloaded{tags: tags, offset: f.c.offsetOf(s.place()), fix: f.loadInput(s), said: new(bool)})
	default:
		f.built = append(f.built, tags...)
	}
	f.vague = f.vague || maybePush || outputs
}

// loadInput is the fix that adds load: true.
func (f *flowOfImages) loadInput(s *step) *Fix {
	if strings.Contains(s.input("platforms").text(), ",") || s.input("load").there() {
		return nil
	}
	if edit, ok := f.c.insertEntry(s.get("with"), "load: true"); ok {
		return &Fix{Title: "load the image", Edits: []Edit{*edit}}
	}
	return nil
}

// opaque are programs that may build, tag and push images, and log in.
var opaque = []string{
	"make", "just", "task", "mage", "bazel", "bazelisk", "pack", "ko", "nix", "npm", "npx", "yarn", "pnpm", "gradle", "gradlew", "mvn", "mvnw",
	"sbt", "skaffold", "earthly", "dagger", "bash", "sh", "source", ".", "rake", "invoke", "tox", "nox", "ansible-playbook", "buildah", "kaniko", "jib",
}

// isOpaque tells whether the command is one of those, a script, or one that a variable names.
func (c *command) isOpaque() bool {
	if len(c.args) == 0 {
		return false
	}
	program := c.args[0].text
	isScript := strings.HasPrefix(program, "./") || strings.Contains(program, "/") && path.Ext(program) != ""
	return isScript || slices.Contains(opaque, c.name()) || strings.HasPrefix(c.name(), unknownLeft)
}

// command follows one command of a script.
func (f *flowOfImages) command(s *step, cmd *command) {
	offset := s.script.source(cmd.place)
	if b, isBuild := newBuild(cmd); isBuild {
		f.build(s, b, offset)
		return
	}
	switch {
	case cmd.isOpaque():
		f.vague = true
		f.logins = append(f.logins, anyHost)
	case cmd.is("docker", "buildx", "create"):
		f.own = f.own || flagged(cmd.args, "--use", "--bootstrap")
	case cmd.is("docker", "buildx", "use"):
		f.own = true
	case cmd.is("docker", "buildx", "bake"), cmd.is("docker", "load"), cmd.is("docker", "image", "load"), cmd.is("docker", "import"),
		cmd.is("docker", "commit"), cmd.is("docker", "compose"), cmd.is("docker-compose"):
		f.vague = true
	case cmd.is("docker", "pull"), cmd.is("podman", "pull"):
		f.built = append(f.built, cmd.positional()...)
	case cmd.is("docker", "tag"), cmd.is("docker", "image", "tag"), cmd.is("podman", "tag"):
		f.tag(cmd, offset)
	case isLogin(cmd):
		f.login(cmd)
	case cmd.is("medusa-deploy", "login"), cmd.is("medusa-deploy", "build"), cmd.is("crane", "auth"), cmd.is("oras", "login"),
		cmd.is("helm", "registry"):
		f.logins = append(f.logins, anyHost)
		f.vague = f.vague || cmd.is("medusa-deploy", "build")
	case cmd.is("aws", "ecr", "put-image"), cmd.is("crane"), cmd.is("skopeo"), cmd.is("docker", "buildx", "imagetools"), cmd.is("regctl"):
		f.moved = true
	case cmd.is("docker", "push"), cmd.is("docker", "image", "push"), cmd.is("podman", "push"):
		f.push(s, cmd, offset)
	case cmd.is("docker", "run"), cmd.is("docker", "save"), cmd.is("docker", "inspect"):
		for _, a := range cmd.args {
			f.needs(a.text, true)
		}
	}
}

// positional are the arguments behind docker's subcommand that are no options.
func (c *command) positional() []string {
	var all []string
	skip := 1
	if len(c.args) > 1 && c.args[1].text == "image" {
		skip = 2
	}
	for _, a := range c.args[min(1+skip, len(c.args)):] {
		if !strings.HasPrefix(a.text, "-") {
			all = append(all, a.text)
		}
	}
	return all
}

func (f *flowOfImages) build(s *step, b build, offset int) {
	var tags []string
	for _, t := range b.tags {
		tags = append(tags, t.text)
	}
	f.vague = f.vague || b.vague
	switch {
	case b.push:
		f.pushes(s, tags, offset)
	case b.load || !b.buildx || !f.own:
		f.built = append(f.built, tags...)
		f.nameless = f.nameless || len(tags) == 0
	default:
		u := unloaded{tags: tags, offset: offset, said: new(bool)}
		if end := b.args[2].end; s.script.canEdit() && !b.many && len(b.args) > 2 && b.args[1].text == "buildx" {
			u.fix = &Fix{Title: "load the image", Edits: []Edit{s.script.replace(end, end, " --load")}}
		}
		f.unseen = append(f.unseen, u)
	}
}

func (f *flowOfImages) tag(cmd *command, offset int) {
	refs := cmd.positional()
	if len(refs) != 2 {
		return
	}
	if !f.needs(refs[0], false) && !f.vague && !f.known(refs[0]) && (len(f.built) > 0 || f.nameless) && !strings.HasPrefix(refs[0], unknownLeft) {
		f.c.add(codeNoImage, offset, "docker tag names "+show(refs[0])+", and the job builds "+showAll(f.built))
	}
	f.built = append(f.built, refs[1])
}

// known tells whether docker may have an image of this name.
func (f *flowOfImages) known(ref string) bool {
	return slices.ContainsFunc(f.built, func(b string) bool { return !differ(b, ref) })
}

// needs says so when a name is that of an image that docker cannot see. exactly: the text may be something else than a name.
func (f *flowOfImages) needs(ref string, exactly bool) bool {
	if f.vague || f.known(ref) && !exactly {
		return false
	}
	for _, u := range f.unseen {
		same := func(t string) bool { return t == ref || !exactly && !differ(t, ref) }
		if !slices.ContainsFunc(u.tags, same) || exactly && slices.Contains(f.built, ref) {
			continue
		}
		if !*u.said {
			*u.said = true
			p := f.c.add(codeNotLoaded, u.offset, show(ref)+" is needed later, and this build keeps it in its cache")
			p.Fix = u.fix
		}
		return true
	}
	return false
}

func (f *flowOfImages) push(s *step, cmd *command, offset int) {
	all := flagged(cmd.args, "-a", "--all-tags")
	for _, ref := range cmd.positional() {
		if all {
			f.pushAll(s, ref, offset)
			continue
		}
		f.pushes(s, []string{ref}, offset)
		if f.needs(ref, false) || f.vague || f.known(ref) {
			continue
		}
		switch {
		case len(f.built) > 0:
			f.c.add(codeNoImage, offset, show(ref)+" is pushed, and the job builds "+showAll(f.built))
		case f.nameless:
			f.c.add(codeNoImage, offset, show(ref)+" is pushed, and the job builds an image without a name")
		case f.job.hosted() && len(f.unseen) == 0:
			f.c.add(codeNoImage, offset, show(ref)+" is pushed, and nothing in this job builds it")
		}
	}
}

// pushAll follows docker push --all-tags.
func (f *flowOfImages) pushAll(s *step, repository string, offset int) {
	var refs []string
	for _, b := range f.built {
		if name, _ := splitRef(b); name == repository {
			refs = append(refs, b)
		}
	}
	if len(refs) == 0 {
		f.moved = true // which tags, nobody can tell
		refs = []string{repository + ":" + unknownSymbol("tags")}
	}
	f.pushes(s, refs, offset)
}

// show writes a name as a person would.
func show(ref string) string {
	return strings.NewReplacer(unknownLeft+"$", "$", unknownLeft, "${{ ", unknownRight, " }}").Replace(unmark(ref))
}

// unmark takes the marks from variables, which show as they are written: $NAME.
func unmark(ref string) string {
	return unknownPiece.ReplaceAllStringFunc(ref, func(piece string) string {
		if inner := strings.TrimSuffix(strings.TrimPrefix(piece, unknownLeft), unknownRight); strings.HasPrefix(inner, "$") {
			return inner
		}
		return piece
	})
}

func showAll(refs []string) string {
	if len(refs) == 0 {
		return "none with a name"
	}
	var all []string
	for _, r := range refs {
		all = append(all, show(r))
	}
	return strings.Join(all, ", ")
}

// pushes notes names that go to a registry, and asks for a login.
func (f *flowOfImages) pushes(s *step, refs []string, offset int) {
	for _, ref := range refs {
		f.pushed = append(f.pushed, pushedRef{ref: ref, offset: offset})
		host := registryOf(ref)
		if f.silent || !f.job.hosted() || strings.HasPrefix(host, "localhost") || strings.HasPrefix(host, "127.") || s.get("continue-on-error").there() {
			continue
		}
		f.judgeLogins(ref, host, offset)
	}
}

func (f *flowOfImages) judgeLogins(ref, host string, offset int) {
	fits := func(login string) bool {
		switch {
		case login == anyHost, strings.Contains(login, unknownLeft), strings.Contains(host, unknownLeft), host == "" && strings.HasPrefix(ref, unknownLeft):
			return true
		case login == ".dkr.ecr.":
			return isECR(ref)
		case login == "", login == "docker.io", login == "https://index.docker.io/v1/":
			return host == "" || host == "docker.io"
		}
		return strings.TrimPrefix(strings.TrimPrefix(login, "https://"), "http://") == host || strings.HasPrefix(login, host+"/")
	}
	if slices.ContainsFunc(f.logins, fits) {
		return
	}
	f.silent = true
	if len(f.logins) == 0 {
		f.c.add(codeNoLogin, offset, show(ref)+" is pushed, and no step before logs in to a registry")
		return
	}
	f.c.add(codeNoLogin, offset, show(ref)+" is pushed, and the steps before log in to other registries only")
}

func (f *flowOfImages) login(cmd *command) {
	if host, found := loginHost(cmd); found {
		f.logins = append(f.logins, host.text)
		return
	}
	f.logins = append(f.logins, "")
}

// judgeTags finds repositories that get nothing but :latest.
func (f *flowOfImages) judgeTags() {
	if f.vague {
		return
	}
	said := map[string]bool{}
	for _, p := range f.pushed {
		repository, tag := splitRef(withTag(p.ref))
		if tag != "latest" || said[repository] {
			continue
		}
		said[repository] = true
		traceable := slices.ContainsFunc(f.pushed, func(o pushedRef) bool {
			other, otherTag := splitRef(o.ref)
			return (other == repository || strings.Contains(other, unknownLeft) && otherTag == "") && strings.Contains(o.ref[min(len(repository), len(o.ref)):], unknownLeft)
		})
		if !traceable {
			f.c.add(codeOnlyLatest, p.offset, show(repository)+" gets the tag latest, and none that names the commit")
		}
	}
}

// judgeDeployed compares what is deployed with what was pushed.
func (f *flowOfImages) judgeDeployed() {
	if f.vague || f.moved || len(f.pushed) == 0 {
		return
	}
	registers := false
	for _, s := range f.job.steps {
		if s.action() == ecsRenderAction || s.action() == ecsDeployAction {
			registers = true
		}
		if image := s.input("image"); s.action() == ecsRenderAction && image.there() && image.val.Kind == yaml.ScalarNode {
			ref := newNames(s).text(image.val.Value)
			if !slices.ContainsFunc(f.pushed, func(p pushedRef) bool { return !differ(p.ref, ref) }) {
				f.c.at(codeOtherImage, image.val, show(ref)+" is deployed, and "+showAll(f.names())+" is pushed")
			}
		}
		registers = registers || slices.ContainsFunc(s.commands, func(c *command) bool { return c.is("aws", "ecs", "register-task-definition") })
	}
	if registers || slices.ContainsFunc(f.pushed, func(p pushedRef) bool { _, tag := splitRef(withTag(p.ref)); return !byCommit(tag) }) {
		return
	}
	for _, s := range f.job.steps {
		for _, cmd := range s.commands {
			if cmd.is("aws", "ecs", "update-service") && flagged(cmd.args, "--force-new-deployment") && !written(cmd.args, "--task-definition") {
				f.c.add(codeSameImage, s.script.source(cmd.place), "the job pushes "+showAll(f.names())+" only, and the task definition stays as it is")
				return
			}
		}
	}
}

func (f *flowOfImages) names() []string {
	var all []string
	for _, p := range f.pushed {
		all = append(all, p.ref)
	}
	return all
}

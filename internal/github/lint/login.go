package lint

import (
	"regexp"
	"slices"
	"strings"
)

// ecrHost takes the host of a private registry apart.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html
var ecrHost = regexp.MustCompile(`\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.`)

// judgeLogin looks at docker login where it is fed by aws ecr get-login-password.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html
func (c *checker) judgeLogin(s *step, cmd *command) {
	sc := s.script
	if cmd.is("aws", "ecr", "get-login") {
		c.add(codeWrongLogin, sc.source(cmd.place), "aws ecr get-login is gone from the AWS CLI since version 2")
		return
	}
	if !cmd.is("aws", "ecr", "get-login-password") || cmd.piped == nil || !isLogin(cmd.piped) {
		return
	}
	login := cmd.piped
	users := options(login.args, "-u", "--username")
	switch {
	case len(users) == 0:
		p := c.add(codeWrongLogin, sc.source(login.place), "docker login without --username AWS")
		if sc.canEdit() {
			end := login.args[1].end
			p.Fix = &Fix{Title: "log in as AWS", Edits: []Edit{sc.replace(end, end, " --username AWS")}}
		}
	case users[0].text != "AWS" && !strings.Contains(users[0].text, unknownLeft):
		p := c.add(codeWrongLogin, sc.source(users[0].start), "ECR has no user "+users[0].text)
		if sc.canEdit() && !strings.Contains(sc.value[users[0].start:users[0].end], "=") && sc.value[users[0].start] != '-' {
			p.Fix = &Fix{Title: "log in as AWS", Edits: []Edit{sc.replace(users[0].start, users[0].end, "AWS")}}
		}
	}
	if !flagged(login.args, "--password-stdin") {
		c.add(codeWrongLogin, sc.source(login.place), "docker login does not read the password: --password-stdin is missing")
	}
	c.judgeLoginHost(s, cmd, login)
}

// judgeLoginHost compares where the password is from with where it is used.
func (c *checker) judgeLoginHost(s *step, get, login *command) {
	host, found := loginHost(login)
	if !found {
		c.add(codeWrongLogin, s.script.source(login.place), "docker login names no registry, and so logs in to Docker Hub with ECR's password")
		return
	}
	m := ecrHost.FindStringSubmatch(host.text)
	regions := options(get.args, "--region")
	if m == nil || len(regions) == 0 {
		return
	}
	if region := regions[0].text; region != m[1] && !strings.Contains(region, unknownLeft) {
		c.add(codeWrongLogin, s.script.source(host.start), "the password is for "+region+", the registry is in "+m[1])
	}
}

func isLogin(c *command) bool {
	return slices.Contains([]string{"docker", "podman"}, c.name()) && len(c.args) > 1 && c.args[1].text == "login"
}

// loginHost is the argument of docker login that is no option.
func loginHost(login *command) (word, bool) {
	args := login.args[2:]
	for i := 0; i < len(args); i++ {
		switch text := args[i].text; {
		case text == "-u", text == "--username", text == "-p", text == "--password":
			i++
		case strings.HasPrefix(text, "-"):
		default:
			return args[i], true
		}
	}
	return word{}, false
}

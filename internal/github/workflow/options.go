package workflow

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Auth is how a run signs in to AWS.
type Auth string

// Ways to sign in.
const (
	// AuthOIDC exchanges the run's identity for short-lived credentials of a role: no secret is kept.
	// https://docs.github.com/en/actions/how-tos/secure-your-work/security-harden-deployments/oidc-in-aws
	AuthOIDC Auth = "oidc"
	// AuthKeys takes an access key from the repository's secrets.
	AuthKeys Auth = "keys"
)

// DefaultRoleVariable is the repository or environment variable that holds the role's ARN.
const DefaultRoleVariable = "AWS_ROLE_ARN"

// Target is where a run can deploy to.
type Target struct {
	Name        string
	Region      string
	Cluster     string
	Services    []string
	Environment string // GitHub's environment of the job; empty: none
}

// Options say what the workflow is for. All of them end up in a file that a shell and an expression evaluator read,
// so every value is held to a pattern.
type Options struct {
	App           string
	DefaultBranch string
	Targets       []Target // the first is where a push goes
	Auth          Auth
	Plain         bool   // docker buildx and the AWS CLI, without this program
	Action        Action // this program's action; not needed by a plain workflow
	Repository    string // ECR repository, without host
	Dockerfile    string // from the repository's root
	Context       string // the build context, from the repository's root
	Config        string // medusa-deploy.yaml from the repository's root; empty: at the root
	Platforms     []string
	RoleVariable  string // empty: DefaultRoleVariable

	// What the program's config has it do itself, which a plain workflow does not.
	TakesRole bool     // it signs in to AWS with the job's identity, as the role that its config names
	Keyless   bool     // it signs images with the job's identity
	Secrets   []string // secrets that it reads as environment variables of the same names

	// What only the plain workflow has to say itself: the program reads it in its config.
	Stage      string            // of the Dockerfile; empty: the last
	Args       map[string]string // build arguments
	Prepare    []string          // program and arguments to run before the build; empty: none
	PrepareEnv map[string]string
}

// Patterns of what stands unquoted in a shell word, in a string of an expression, or in YAML.
var (
	namePattern   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$`)
	branchPattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_./-]{0,243}$`)
	imagePattern  = regexp.MustCompile(`^[a-z0-9]+(?:[._/-][a-z0-9]+)*$`)
	pathPattern   = regexp.MustCompile(`^[A-Za-z0-9_.][A-Za-z0-9_./-]*$`)
	regionPattern = regexp.MustCompile(`^[a-z]{2,4}(?:-[a-z]+)+-[0-9]{1,2}$`)
	varPattern    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,99}$`)
	bare          = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_./-]*$`)
	plainWord     = regexp.MustCompile(`^[A-Za-z0-9_@%+:,./-][A-Za-z0-9_@%+=:,./-]*$`)
	appPattern    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._/-]{0,99}$`)
)

// ambiguous words are not strings to some YAML readers.
var ambiguous = []string{"true", "false", "yes", "no", "on", "off", "null", "y", "n"}

// validate tells everything that is wrong with the options.
func (o Options) validate() error {
	var faults []error
	must := func(pattern *regexp.Regexp, what, value string) {
		if !pattern.MatchString(value) {
			faults = append(faults, fmt.Errorf("%s %q cannot be written in a workflow: expected %s", what, value, pattern))
		}
	}
	must(appPattern, "app", o.App)
	must(branchPattern, "branch", o.DefaultBranch)
	must(imagePattern, "image repository", o.Repository)
	must(pathPattern, "Dockerfile", o.Dockerfile)
	must(pathPattern, "build context", o.Context)
	must(varPattern, "role variable", o.RoleVariable)
	if o.Config != "" {
		must(pathPattern, "config file", o.Config)
	}
	for _, secret := range o.Secrets {
		must(varPattern, "secret", secret)
	}
	for _, platform := range o.Platforms {
		if platform != amd64 && platform != arm64 {
			faults = append(faults, fmt.Errorf("platform %q: expected %s or %s", platform, amd64, arm64))
		}
	}
	if o.Auth != AuthOIDC && o.Auth != AuthKeys {
		faults = append(faults, fmt.Errorf("auth %q: expected %s or %s", o.Auth, AuthOIDC, AuthKeys))
	}
	if !o.Plain {
		if _, err := ParseAction(o.Action.String()); err != nil {
			faults = append(faults, err)
		}
	}
	faults = append(faults, o.validateBuild(must)...)
	faults = append(faults, o.validateTargets(must)...)
	return errors.Join(faults...)
}

func (o Options) validateTargets(must func(*regexp.Regexp, string, string)) (faults []error) {
	if len(o.Targets) == 0 {
		return []error{errors.New("a workflow needs a target that is not local")}
	}
	seen := map[string]bool{}
	environments := 0
	for _, t := range o.Targets {
		must(namePattern, "target", t.Name)
		must(regionPattern, "region of target "+t.Name, t.Region)
		must(namePattern, "cluster of target "+t.Name, t.Cluster)
		if len(t.Services) == 0 {
			faults = append(faults, fmt.Errorf("target %q has no service", t.Name))
		}
		for _, service := range t.Services {
			must(namePattern, "service of target "+t.Name, service)
		}
		if seen[strings.ToLower(t.Name)] {
			faults = append(faults, fmt.Errorf("target %q is named twice", t.Name))
		}
		seen[strings.ToLower(t.Name)] = true
		if t.Environment != "" {
			environments++
			must(namePattern, "environment of target "+t.Name, t.Environment)
		}
	}
	if environments != 0 && environments != len(o.Targets) {
		faults = append(faults, errors.New("either every target has an environment, or none: a job's environment cannot be empty"))
	}
	return faults
}

// validateBuild holds free text to what neither an expression nor a line break can come out of.
func (o Options) validateBuild(must func(*regexp.Regexp, string, string)) (faults []error) {
	text := slices.Clone(o.Prepare)
	for name, value := range o.Args {
		must(varPattern, "build argument", name)
		text = append(text, value)
	}
	for name, value := range o.PrepareEnv {
		must(varPattern, "variable", name)
		text = append(text, value)
	}
	if o.Stage != "" {
		must(namePattern, "stage", o.Stage)
	}
	slices.Sort(text)
	for _, value := range text {
		if strings.Contains(value, "${{") || strings.ContainsFunc(value, func(r rune) bool { return !unicode.IsPrint(r) }) {
			faults = append(faults, fmt.Errorf("%q cannot be written in a workflow: it has a control character, or ${{ that GitHub would replace", value))
		}
	}
	return faults
}

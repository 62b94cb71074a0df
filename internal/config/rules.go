package config

import (
	"regexp"
	"unicode/utf8"
)

// rule is what a string must look like.
type rule struct {
	pattern  string // anchored, in the common subset of Go's and JSON Schema's regular expressions
	min, max int    // length in characters; 0: no bound beyond the pattern's
	expect   string
	aliases  map[string]string // what people write instead
}

var (
	// An app's name is also its repository's, so that it has to satisfy repositoryRule as well.
	appRule = rule{pattern: `^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$`, min: 2, max: 63,
		expect: "expected lower-case letters and digits, joined by single hyphens, starting with a letter, 2 to 63 characters"}
	// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html
	repositoryRule = rule{pattern: `^(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*$`, min: 2, max: 256,
		expect: "expected an ECR repository name: lower-case letters and digits, joined by single . _ - or /, 2 to 256 characters, no host and no tag"}
	// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateCluster.html
	clusterRule = rule{pattern: `^[A-Za-z0-9_-]+$`, max: 255,
		expect: "expected an ECS cluster name: letters, digits, hyphens and underscores, at most 255"}
	// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html
	serviceRule = rule{pattern: `^[A-Za-z0-9_-]+$`, max: 255,
		expect: "expected an ECS service name: letters, digits, hyphens and underscores, at most 255"}
	regionRule = rule{pattern: `^[a-z]{2,4}(?:-[a-z]+)+-[0-9]{1,2}$`,
		expect: "expected an AWS region such as us-east-1 or eu-central-1"}
	// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
	roleRule = rule{pattern: `^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$`, max: 2048,
		expect: "expected the ARN of an IAM role, such as arn:aws:iam::123456789012:role/deployer"}
	targetRule = rule{pattern: `^[a-z][a-z0-9_-]*$`, max: 63,
		expect: "expected a target name: lower-case letters, digits, hyphens and underscores, starting with a letter"}
	platformRule = rule{pattern: `^linux/(?:amd64|arm64)$`,
		expect: "expected linux/amd64 or linux/arm64: what ECS runs",
		aliases: map[string]string{"amd64": "linux/amd64", "x86_64": "linux/amd64", "linux/x86_64": "linux/amd64", "linux/x86-64": "linux/amd64",
			"arm64": "linux/arm64", "aarch64": "linux/arm64", "linux/aarch64": "linux/arm64", "linux/arm64/v8": "linux/arm64"}}
	stageRule = rule{pattern: `^[A-Za-z][A-Za-z0-9_.-]*$`, max: 128,
		expect: "expected the name of a stage of the Dockerfile (FROM … AS name)"}
	idRule = rule{pattern: `^[A-Za-z0-9_][A-Za-z0-9_.-]*$`, max: 128,
		expect: "expected the id that the Dockerfile's --mount names: letters, digits, dots, hyphens and underscores"}
	// A named context stands for a name of its own, or for an image that a FROM or COPY --from names.
	contextNameRule = rule{pattern: `^[a-z0-9][A-Za-z0-9._:/-]*$`, max: 255,
		expect: "expected a name, or the image that a FROM names, such as node:22"}
	contextRule = rule{pattern: `^(?:docker-image://[^\s@:/][^\s]*|oci-layout://[^\s]+|https?://[^\s]+|git://[^\s]+|ssh://[^\s]+|git@[^\s]+|[^:\x00]+)$`, max: 4096,
		expect: "expected a directory, relative to this file's own, docker-image://IMAGE, oci-layout://DIRECTORY@sha256:…, or the URL of a git repository"}
	keyRule = rule{pattern: `^(?:env://[A-Za-z_][A-Za-z0-9_]*|[^:]+)$`, max: 4096,
		expect: "expected the path of a key, relative to this file's directory, or env://NAME"}
	identityRule = rule{pattern: `^[^\s*][^\s]*$`, max: 2048,
		expect: "expected whom the certificate names, such as https://github.com/ORG/REPO/.github/workflows/deploy.yml@refs/heads/main; * stands for any characters, but not for the first"}
	issuerRule = rule{pattern: `^https?://[^\s]+$`, max: 2048,
		expect: "expected the URL of the identity provider, such as https://token.actions.githubusercontent.com"}
	// logTextRule is for part of one line.
	logTextRule  = rule{pattern: `^[^\r\n]*[^\s][^\r\n]*$`, max: 1000, expect: "expected part of a line of the log"}
	pathRule     = rule{pattern: `^[^\x00]+$`, max: 4096, expect: "expected a path, relative to this file's directory"}
	variableRule = rule{pattern: `^[A-Za-z_][A-Za-z0-9_]*$`,
		expect: "expected a variable name: letters, digits and underscores, not starting with a digit"}
	// registryRule holds for the expanded value.
	registryRule = rule{pattern: `^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?$`,
		expect: "expected the registry's host alone, such as 123456789012.dkr.ecr.us-east-1.amazonaws.com"}
)

func (r rule) matches(s string) bool {
	n := utf8.RuneCountInString(s)
	return n >= r.min && (r.max == 0 || n <= r.max) && regexp.MustCompile(r.pattern).MatchString(s)
}

func (r rule) hint(s string) string {
	if better, ok := r.aliases[s]; ok {
		return `did you mean "` + better + `"? ` + r.expect
	}
	return r.expect
}

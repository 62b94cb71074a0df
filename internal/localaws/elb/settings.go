package elb

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The tags of an ECS service that set its load balancer up.
const (
	// TagListenPort is the port on 127.0.0.1; without it a free one is chosen once.
	TagListenPort = "medusa-deploy:listen-port"
	// TagHealthCheckPath is what health checks ask for; "/" by default.
	TagHealthCheckPath = "medusa-deploy:health-check-path"
	// TagHealthCheckMatcher is which HTTP codes are healthy: "200", "200,204" or "200-299"; "200" by default.
	TagHealthCheckMatcher = "medusa-deploy:health-check-matcher"
	// TagDeregistrationDelay is how many seconds a target that leaves has for the requests that it works on; 30 by
	// default. AWS's default is 300, and by far the most common reason why a rollout there is slow; an app that needs
	// more than 30 seconds for a request is the exception, and can say so.
	TagDeregistrationDelay = "medusa-deploy:deregistration-delay"
)

// Bounds of Elastic Load Balancing v2 (CreateTargetGroup and TargetGroupAttribute in its API reference).
const (
	maxPath  = 1024
	minCode  = 200
	maxCode  = 499 // of Application Load Balancers
	maxDelay = 3600
)

// Settings are how a target group listens, checks and drains.
type Settings struct {
	ListenPort          int // 0: a free one
	HealthCheckPath     string
	HealthyCodes        Codes
	DeregistrationDelay time.Duration
}

// ParseSettings reads a service's tags. It reports everything that is wrong with them at once. Tags that are not the
// load balancer's are left alone, but a misspelt one of ours is an error.
func ParseSettings(tags map[string]string) (Settings, error) {
	s := Settings{HealthCheckPath: "/", HealthyCodes: Codes{{200, 200}}, DeregistrationDelay: 30 * time.Second}
	parsers := map[string]func(string) error{
		TagListenPort:          s.parsePort,
		TagHealthCheckPath:     s.parsePath,
		TagHealthCheckMatcher:  s.parseMatcher,
		TagDeregistrationDelay: s.parseDelay,
	}
	var wrong []error
	for _, tag := range sortedKeys(tags) {
		parse, known := parsers[tag]
		switch {
		case known:
			if err := parse(tags[tag]); err != nil {
				wrong = append(wrong, fmt.Errorf("tag %s=%q: %w", tag, tags[tag], err))
			}
		case ours(tag):
			wrong = append(wrong, fmt.Errorf("tag %s: there is no such setting (known: %s)", tag, strings.Join(sortedKeys(parsers), ", ")))
		}
	}
	return s, errors.Join(wrong...)
}

// ours says whether a tag can only have been meant for the load balancer.
func ours(tag string) bool {
	for _, prefix := range []string{"medusa-deploy:listen", "medusa-deploy:health-check", "medusa-deploy:deregistration"} {
		if strings.HasPrefix(tag, prefix) {
			return true
		}
	}
	return false
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func (s *Settings) parsePort(value string) error {
	port, err := strconv.Atoi(value)
	if err != nil || port < 1 || port > 65535 {
		return errors.New("must be a port from 1 to 65535")
	}
	s.ListenPort = port
	return nil
}

func (s *Settings) parsePath(value string) error {
	if !strings.HasPrefix(value, "/") {
		return fmt.Errorf("must start with a slash: %q", "/"+value)
	}
	if len(value) > maxPath {
		return fmt.Errorf("must not be longer than %d characters", maxPath)
	}
	if strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' || r == '#' }) {
		return errors.New("must be made of printable ASCII characters without spaces and #")
	}
	s.HealthCheckPath = value
	return nil
}

func (s *Settings) parseMatcher(value string) error {
	codes, err := ParseCodes(value)
	if err == nil {
		s.HealthyCodes = codes
	}
	return err
}

func (s *Settings) parseDelay(value string) error {
	seconds, err := strconv.Atoi(value)
	if err != nil || seconds < 0 || seconds > maxDelay {
		return fmt.Errorf("must be a whole number of seconds from 0 to %d", maxDelay)
	}
	s.DeregistrationDelay = time.Duration(seconds) * time.Second
	return nil
}

// Codes is a set of HTTP status codes.
type Codes []CodeRange

// CodeRange is the codes from First to Last, both included.
type CodeRange struct{ First, Last int }

// ParseCodes reads "200", "200,204", "200-299" and mixtures of them; codes are from 200 to 499, as an Application Load
// Balancer has it.
func ParseCodes(text string) (Codes, error) {
	var codes Codes
	for _, part := range strings.Split(text, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err1 := parseCode(first)
		to, err2 := parseCode(last)
		if err1 != nil || err2 != nil || from > to {
			return nil, fmt.Errorf(`must be HTTP codes from %d to %d, such as "200", "200,204" or "200-299"`, minCode, maxCode)
		}
		codes = append(codes, CodeRange{from, to})
	}
	return codes, nil
}

func parseCode(text string) (int, error) {
	code, err := strconv.Atoi(text)
	if err == nil && (code < minCode || code > maxCode || len(text) != 3) {
		err = errors.New("out of range")
	}
	return code, err
}

// Has says whether code is in the set.
func (c Codes) Has(code int) bool {
	return slices.ContainsFunc(c, func(r CodeRange) bool { return r.First <= code && code <= r.Last })
}

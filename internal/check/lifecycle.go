package check

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// lifecycleRule is one rule of an ECR lifecycle policy.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html
type lifecycleRule struct {
	Priority  int `json:"rulePriority"`
	Selection struct {
		TagStatus    string   `json:"tagStatus"` // tagged | untagged | any
		Patterns     []string `json:"tagPatternList"`
		Prefixes     []string `json:"tagPrefixList"`
		StorageClass string   `json:"storageClass"` // standard | archive; empty: standard
		CountType    string   `json:"countType"`
		CountUnit    string   `json:"countUnit"`
		CountNumber  int      `json:"countNumber"`
	} `json:"selection"`
	Action struct {
		Type string `json:"type"` // expire | transition
	} `json:"action"`
}

// parseLifecycle reads a policy; its rules come in the order in which they count.
func parseLifecycle(text string) ([]lifecycleRule, error) {
	var policy struct{ Rules []lifecycleRule }
	if err := json.Unmarshal([]byte(text), &policy); err != nil {
		return nil, fmt.Errorf("read the lifecycle policy: %w", err)
	}
	if len(policy.Rules) == 0 {
		return nil, errors.New("read the lifecycle policy: it has no rules")
	}
	slices.SortStableFunc(policy.Rules, func(a, b lifecycleRule) int { return cmp.Compare(a.Priority, b.Priority) })
	return policy.Rules, nil
}

// deciding is the rule that an image with these tags falls under. There is one at most: no later rule touches an image
// that an earlier one selects.
func deciding(rules []lifecycleRule, tags []string) (lifecycleRule, bool) {
	for _, r := range rules {
		if r.selects(tags) {
			return r, true
		}
	}
	return lifecycleRule{}, false
}

// selects reports whether a rule is about images with these tags. Of several patterns or prefixes an image must have all.
func (r lifecycleRule) selects(tags []string) bool {
	s := r.Selection
	switch {
	case s.StorageClass == "archive":
		return false // what runs was pulled, and nothing can be pulled from the archive
	case s.TagStatus == "any":
		return true
	case s.TagStatus == "untagged":
		return len(tags) == 0
	}
	for _, pattern := range s.Patterns {
		if !slices.ContainsFunc(tags, func(tag string) bool { return wildcard(pattern, tag) }) {
			return false
		}
	}
	for _, prefix := range s.Prefixes {
		if !slices.ContainsFunc(tags, func(tag string) bool { return strings.HasPrefix(tag, prefix) }) {
			return false
		}
	}
	return len(tags) > 0
}

// spares reports whether a rule that selects the image with this tag never takes it: one image has a tag at a time, so
// that a rule which keeps at least one of them keeps this one.
func (r lifecycleRule) spares(tag string) bool {
	s := r.Selection
	return s.CountType == "imageCountMoreThan" && s.CountNumber >= 1 && s.TagStatus == "tagged" &&
		(slices.Contains(s.Patterns, tag) || slices.Contains(s.Prefixes, tag))
}

// String says what a rule does, for people.
func (r lifecycleRule) String() string {
	s := r.Selection
	which := map[string]string{"any": "any image", "untagged": "untagged images"}[s.TagStatus]
	if which == "" {
		which = "images tagged " + strings.Join(slices.Concat(s.Patterns, starred(s.Prefixes)), " and ")
	}
	verb := "expires"
	if r.Action.Type == "transition" {
		verb = "archives"
	}
	var when string
	switch s.CountType {
	case "imageCountMoreThan":
		when = fmt.Sprintf("once there are more than %d", s.CountNumber)
	case "sinceImagePushed":
		when = fmt.Sprintf("%d %s after the push", s.CountNumber, cmp.Or(s.CountUnit, "days"))
	case "sinceImagePulled":
		when = fmt.Sprintf("%d %s after the last pull", s.CountNumber, cmp.Or(s.CountUnit, "days"))
	default:
		when = fmt.Sprintf("by %s %d", s.CountType, s.CountNumber)
	}
	return fmt.Sprintf("rule %d %s %s %s", r.Priority, verb, which, when)
}

func starred(prefixes []string) []string {
	var all []string
	for _, p := range prefixes {
		all = append(all, p+"*")
	}
	return all
}

// protecting is a policy with a rule before all others that keeps the image with a tag from them. A rule that does so
// already, but too late, moves to the front.
func protecting(policy, tag string) (string, error) {
	var whole struct{ Rules []json.RawMessage }
	if err := json.Unmarshal([]byte(policy), &whole); err != nil {
		return "", fmt.Errorf("read the lifecycle policy: %w", err)
	}
	rules := []any{map[string]any{
		"rulePriority": 1, "description": "keep what " + tag + " names",
		"selection": map[string]any{"tagStatus": "tagged", "tagPatternList": []string{tag}, "countType": "imageCountMoreThan", "countNumber": 1},
		"action":    map[string]any{"type": "expire"},
	}}
	for _, raw := range whole.Rules {
		var known lifecycleRule
		all := map[string]json.RawMessage{} // what is not known of a rule stays in it
		if err := errors.Join(json.Unmarshal(raw, &known), json.Unmarshal(raw, &all)); err != nil {
			return "", fmt.Errorf("read a lifecycle rule: %w", err)
		}
		if known.spares(tag) && slices.Equal(known.Selection.Patterns, []string{tag}) {
			continue
		}
		all["rulePriority"] = json.RawMessage(strconv.Itoa(known.Priority + 1))
		rules = append(rules, all)
	}
	out, err := json.Marshal(map[string]any{"rules": rules})
	return string(out), err
}

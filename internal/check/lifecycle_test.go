package check

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// rule is one rule of a policy as AWS has it.
func rule(priority, selection string) string {
	return `{"rulePriority":` + priority + `,"selection":{` + selection + `},"action":{"type":"expire"}}`
}

func policy(rules ...string) string { return `{"rules":[` + strings.Join(rules, ",") + `]}` }

const (
	anyOver    = `"tagStatus":"any","countType":"imageCountMoreThan","countNumber":30`
	gitOver    = `"tagStatus":"tagged","tagPatternList":["git-*"],"countType":"imageCountMoreThan","countNumber":10`
	gitOld     = `"tagStatus":"tagged","tagPrefixList":["git-"],"countType":"sinceImagePushed","countUnit":"days","countNumber":14`
	untagged   = `"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":1`
	keepLatest = `"tagStatus":"tagged","tagPatternList":["latest"],"countType":"imageCountMoreThan","countNumber":1`
	unpulled   = `"tagStatus":"any","countType":"sinceImagePulled","countUnit":"days","countNumber":60`
)

func TestParseLifecycle(t *testing.T) {
	rules, err := parseLifecycle(policy(rule("20", anyOver), rule("5", gitOver)))
	if err != nil || len(rules) != 2 || rules[0].Priority != 5 || rules[1].Selection.CountNumber != 30 {
		t.Errorf("rules = %+v, %v", rules, err)
	}
	for _, text := range []string{"", "{}", `{"rules":[]}`, `{"rules":{}}`, `[]`, `{"rules":[{"rulePriority":"1"}]}`} {
		if _, err := parseLifecycle(text); err == nil {
			t.Errorf("parseLifecycle(%q) has no error", text)
		}
	}
}

func TestRuleSelects(t *testing.T) {
	for name, tc := range map[string]struct {
		selection string
		tags      string
		want      bool
	}{
		"any":                      {anyOver, "latest", true},
		"any, untagged":            {anyOver, "", true},
		"untagged":                 {untagged, "", true},
		"untagged, with a tag":     {untagged, "latest", false},
		"a pattern":                {gitOver, "latest git-1", true},
		"not the pattern":          {gitOver, "latest v1", false},
		"a prefix":                 {gitOld, "git-1", true},
		"tagged, without":          {gitOld, "", false},
		"all patterns":             {`"tagStatus":"tagged","tagPatternList":["git-*","latest"]`, "git-1 latest", true},
		"not all patterns":         {`"tagStatus":"tagged","tagPatternList":["git-*","prod*"]`, "git-1 latest", false},
		"not all prefixes":         {`"tagStatus":"tagged","tagPrefixList":["git","prod"]`, "git-1 latest", false},
		"of the archive":           {`"tagStatus":"any","storageClass":"archive","countType":"sinceImageTransitioned"`, "latest", false},
		"of the standard storage":  {`"tagStatus":"any","storageClass":"standard","countType":"sinceImagePulled"`, "latest", true},
		"tagged, nothing but that": {`"tagStatus":"tagged"`, "latest", true},
	} {
		rules, err := parseLifecycle(policy(rule("1", tc.selection)))
		if err != nil {
			t.Fatal(err)
		}
		if got := rules[0].selects(strings.Fields(tc.tags)); got != tc.want {
			t.Errorf("%s: selects = %v", name, got)
		}
	}
}

func TestProtecting(t *testing.T) {
	before := policy(
		`{"rulePriority":1,"description":"it's old","selection":{`+gitOld+`},"action":{"type":"expire"}}`,
		`{"rulePriority":7,"selection":{`+unpulled+`},"action":{"type":"transition","targetStorageClass":"archive"}}`,
	)
	after, err := protecting(before, "latest")
	if err != nil {
		t.Fatal(err)
	}
	rules, err := parseLifecycle(after)
	if err != nil {
		t.Fatal(err)
	}
	if len(rules) != 3 || rules[0].Priority != 1 || !rules[0].spares("latest") || rules[1].Priority != 2 || rules[2].Priority != 8 {
		t.Errorf("rules = %+v", rules)
	}
	var whole, want map[string][]map[string]any
	for text, into := range map[string]*map[string][]map[string]any{after: &whole, before: &want} {
		if err := json.Unmarshal([]byte(text), into); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range want["rules"] {
		r["rulePriority"] = r["rulePriority"].(float64) + 1
	}
	if diff := cmp.Diff(want["rules"], whole["rules"][1:]); diff != "" {
		t.Errorf("the other rules have changed:\n%s", diff)
	}
}

func TestRuleInWords(t *testing.T) {
	for selection, want := range map[string]string{
		anyOver:  "rule 3 expires any image once there are more than 30",
		gitOver:  "rule 3 expires images tagged git-* once there are more than 10",
		gitOld:   "rule 3 expires images tagged git-* 14 days after the push",
		untagged: "rule 3 expires untagged images 1 days after the push",
		unpulled: "rule 3 expires any image 60 days after the last pull",
		`"tagStatus":"tagged","tagPatternList":["a","b"],"countType":"somethingNew","countNumber":1`: "rule 3 expires images tagged a and b by somethingNew 1",
	} {
		rules, err := parseLifecycle(policy(rule("3", selection)))
		if err != nil {
			t.Fatal(err)
		}
		if got := rules[0].String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// FuzzLifecycle: whatever the policy says, a rule before all others protects what the tag names, and changes nothing else.
func FuzzLifecycle(f *testing.F) {
	f.Add(policy(rule("1", anyOver)), "latest git-1")
	f.Add(policy(rule("1", keepLatest), rule("2", untagged), rule("9", gitOld)), "")
	f.Add(`{"rules":[{"rulePriority":1e3,"selection":null,"action":{"type":"transition"}}]}`, "latest")
	f.Fuzz(func(t *testing.T, text, tags string) {
		rules, err := parseLifecycle(text)
		if err != nil {
			return
		}
		own := strings.Fields(tags)
		if r, ok := deciding(rules, own); ok && (r.String() == "" || !r.selects(own)) {
			t.Errorf("%+v decides on %q", r, own)
		}
		protected, err := protecting(text, "latest")
		if err != nil {
			return
		}
		after, err := parseLifecycle(protected)
		if err != nil {
			t.Fatalf("%s: %v", protected, err)
		}
		own, late := append(own, "latest"), 0
		for _, r := range rules {
			if r.Priority < 1 {
				return // nothing that AWS would take
			}
			if r.spares("latest") && len(r.Selection.Patterns) == 1 && r.Selection.Patterns[0] == "latest" {
				late++
			}
		}
		if len(after) != len(rules)-late+1 {
			t.Errorf("%d rules, %d of them protecting, became %d", len(rules), late, len(after))
		}
		if r, _ := deciding(after, own); !r.spares("latest") {
			t.Errorf("%s does not keep latest", protected)
		}
	})
}

package check

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

func digest(c string) release.Digest { return release.Digest("sha256:" + strings.Repeat(c, 64)) }

func TestTag(t *testing.T) {
	for name, tc := range map[string]struct {
		mutability Mutability
		pinned     bool
		cure       string // empty: nothing is found
	}{
		"mutable":                       {mutability: Mutability{}},
		"latest is excluded":            {mutability: Mutability{Immutable: true, Except: []string{"cache*", "latest"}}},
		"excluded by a wildcard":        {mutability: Mutability{Immutable: true, Except: []string{"lat*"}}},
		"mutable, others are not":       {mutability: Mutability{Except: []string{"git-*"}}},
		"immutable, but digests pinned": {mutability: Mutability{Immutable: true}, pinned: true},
		"immutable": {mutability: Mutability{Immutable: true},
			cure: "aws ecr put-image-tag-mutability --repository-name shop --image-tag-mutability IMMUTABLE_WITH_EXCLUSION --image-tag-mutability-exclusion-filters 'filterType=WILDCARD,filter=latest' 'filterType=WILDCARD,filter=cache*' --region us-east-1"},
		"another one is excluded": {mutability: Mutability{Immutable: true, Except: []string{"dev*"}},
			cure: "IMMUTABLE_WITH_EXCLUSION --image-tag-mutability-exclusion-filters 'filterType=WILDCARD,filter=latest' 'filterType=WILDCARD,filter=dev*' --region"},
		"five others are excluded": {mutability: Mutability{Immutable: true, Except: []string{"a", "b", "c", "d", "e"}},
			cure: "filter=latest' 'filterType=WILDCARD,filter=a' 'filterType=WILDCARD,filter=b' 'filterType=WILDCARD,filter=c' 'filterType=WILDCARD,filter=d' --region"},
		"mutable, but for latest": {mutability: Mutability{Except: []string{"latest"}}, cure: "--image-tag-mutability MUTABLE --region"},
		"mutable, but for some": {mutability: Mutability{Except: []string{"l*", "git-*"}},
			cure: "--image-tag-mutability MUTABLE_WITH_EXCLUSION --image-tag-mutability-exclusion-filters 'filterType=WILDCARD,filter=git-*' --region"},
	} {
		t.Run(name, func(t *testing.T) {
			w, req := soundWorld(), request()
			w.mutability = tc.mutability
			if tc.pinned {
				req.Target.Strategy = release.StrategyPinned
			}
			findings := check(t, w, req)
			if tc.cure == "" {
				if len(findings) > 0 {
					t.Errorf("findings = %+v", findings)
				}
				return
			}
			if diff := cmp.Diff([]string{"MD024"}, codes(findings)); diff != "" {
				t.Fatal(diff)
			}
			if !strings.Contains(findings[0].Cure, tc.cure) {
				t.Errorf("cure = %s, want %q in it", findings[0].Cure, tc.cure)
			}
		})
	}
}

// run has a service run an image with some tags.
func (w *world) run(service string, d release.Digest, tags ...string) {
	w.image.Digest = digest("a") // what :latest names
	if w.tags == nil {
		w.tags = map[release.Digest][]string{digest("a"): {"latest", "git-1"}}
		w.running = map[string][]release.Task{}
	}
	if _, ok := w.tags[d]; !ok {
		w.tags[d] = tags
	}
	w.running[service] = append(w.running[service], release.Task{Containers: []release.Container{
		{Name: "proxy", Image: "nginx:1", Digest: digest("f")}, {Name: "app", Image: awsHost + "/shop:latest", Digest: d},
	}})
}

func TestLifecycle(t *testing.T) {
	for name, tc := range map[string]struct {
		rules   []string
		change  func(w *world)
		want    []string // the rules that threaten, by priority
		problem string
		cure    string
	}{
		"nothing expires latest":       {rules: []string{rule("1", untagged)}},
		"a rule for other images":      {rules: []string{rule("1", `"tagStatus":"tagged","tagPatternList":["dev-*"],"countType":"imageCountMoreThan","countNumber":1`)}},
		"latest is kept first":         {rules: []string{rule("1", keepLatest), rule("2", gitOld), rule("3", anyOver)}},
		"old images":                   {rules: []string{rule("4", gitOld)}, want: []string{"rule 4"}, problem: "14 days after the push: the image that :latest names", cure: "aws ecr put-lifecycle-policy --repository-name shop --lifecycle-policy-text '{\"rules\":[{"},
		"too many images":              {rules: []string{rule("1", anyOver)}, want: []string{"rule 1"}, problem: "more than 30"},
		"unpulled images":              {rules: []string{rule("1", unpulled)}, want: []string{"rule 1"}, problem: "60 days after the last pull"},
		"the first rule that fits":     {rules: []string{rule("9", anyOver), rule("2", gitOver)}, want: []string{"rule 2"}},
		"kept, but too late":           {rules: []string{rule("1", gitOld), rule("2", keepLatest)}, want: []string{"rule 1"}},
		"latest runs":                  {rules: []string{rule("1", keepLatest), rule("2", gitOld)}, change: func(w *world) { w.run("web", digest("a")) }},
		"another image runs":           {rules: []string{rule("1", keepLatest), rule("2", gitOld)}, change: func(w *world) { w.run("web", digest("b"), "git-2") }, want: []string{"rule 2"}, problem: "web runs bbbbbbbbbbbb, tagged git-2", cure: "medusa-deploy deploy latest --target production"},
		"an image without a tag runs":  {rules: []string{rule("1", untagged)}, change: func(w *world) { w.run("web", digest("b")) }, want: []string{"rule 1"}, problem: "web runs bbbbbbbbbbbb, which has no tag", cure: "then put a rule before the others that keeps it: aws ecr put-lifecycle-policy"},
		"a platform of an index":       {rules: []string{rule("1", untagged)}, change: func(w *world) { w.run("web", digest("b")); w.image.Manifests = []release.Digest{digest("b")} }},
		"a platform of an older index": {rules: []string{rule("1", untagged)}, change: func(w *world) { w.run("web", digest("b")); w.image.Manifests = []release.Digest{digest("c")} }},
		"two rules, two images":        {rules: []string{rule("1", untagged), rule("2", anyOver)}, change: func(w *world) { w.run("web", digest("b")) }, want: []string{"rule 1", "rule 2"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := soundWorld()
			w.policy, w.policyErr = policy(tc.rules...), nil
			if tc.change != nil {
				tc.change(w)
			}
			findings := check(t, w, request())
			var got []string
			for _, f := range findings {
				if f.Code != "MD025" {
					t.Errorf("finding %+v", f)
				}
				_, which, _ := strings.Cut(f.Where, "lifecycle policy of repository shop, ")
				got = append(got, which)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Fatalf("(-want +got):\n%s", diff)
			}
			if len(findings) > 0 && (!strings.Contains(findings[0].Problem, tc.problem) || !strings.Contains(findings[0].Cure, tc.cure)) {
				t.Errorf("problem %s\ncure %s\nwant %q, %q", findings[0].Problem, findings[0].Cure, tc.problem, tc.cure)
			}
		})
	}
}

// TestLifecycleCureIsEnough: with the policy that the cure puts, nothing is found any more.
func TestLifecycleCureIsEnough(t *testing.T) {
	w := soundWorld()
	w.policy, w.policyErr = policy(rule("1", gitOld), rule("2", keepLatest), rule("3", anyOver)), nil
	_, text, _ := strings.Cut(check(t, w, request())[0].Cure, "--lifecycle-policy-text '")
	w.policy, _, _ = strings.Cut(text, "' --region")
	if findings := check(t, w, request()); len(findings) > 0 {
		t.Errorf("policy %s: %+v", w.policy, findings)
	}
}

func TestPolicyThatCannotBeRead(t *testing.T) {
	w := soundWorld()
	w.policy, w.policyErr = "{", nil
	if got := codes(check(t, w, request())); !cmp.Equal(got, []string{"MD021"}) {
		t.Errorf("codes = %v", got)
	}
}

// TestGone: what runs is looked for in the registry, once for each image; other repositories' images are not.
func TestGone(t *testing.T) {
	w, req := soundWorld(), request()
	req.Target.Services = []string{"web", "worker"}
	w.services["worker"] = sound()
	w.run("web", digest("b"))
	w.run("web", digest("b"))
	w.run("worker", digest("b"))
	w.run("worker", digest("a"))
	delete(w.tags, digest("b"))
	findings := check(t, w, req)
	if diff := cmp.Diff([]string{"MD026"}, codes(findings)); diff != "" {
		t.Fatal(diff)
	}
	if f := findings[0]; f.Where != "service web, worker" || !strings.Contains(f.Problem, "shop@bbbbbbbbbbbb") {
		t.Errorf("finding = %+v", f)
	}
	asked := 0
	for _, what := range w.asked.what {
		if strings.HasPrefix(what, "tags ") {
			asked++
		}
	}
	if asked != 2 {
		t.Errorf("asked for tags %d times: %v", asked, w.asked.what)
	}
}

func TestNewRepository(t *testing.T) {
	w := soundWorld()
	w.mutabilityErr, w.imageErr = release.ErrNotFound, release.ErrNotFound
	if findings := check(t, w, request()); len(findings) > 0 {
		t.Errorf("findings = %+v", findings)
	}
	w.mutabilityErr = errors.New("boom")
	if got := codes(check(t, w, request())); !cmp.Equal(got, []string{"MD021"}) {
		t.Errorf("codes = %v", got)
	}
}

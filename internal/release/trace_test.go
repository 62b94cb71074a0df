package release

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func traceOf(t *testing.T, a *annals, ref string) (Trace, error) {
	t.Helper()
	return a.inspector().Trace(t.Context(), annalsTarget(), ref)
}

// TestTraceLeadsFromEachToAllTheOthers asks for one image by every name that it has, and for the pruned one by those that
// are left.
func TestTraceLeadsFromEachToAllTheOthers(t *testing.T) {
	a := threeReleases(t)
	a.knows("two", "main", "HEAD~1", "origin/main")
	a.knows("three", "HEAD")
	two, pruned := string(digestNamed("two")), string(digestNamed("pruned"))
	deployed, first := a.past[annalsService][1], a.past[annalsService][3]
	task := a.tasks[annalsService][0]
	tests := map[string]struct {
		refs []string
		kind RefKind
		want string
	}{
		"commit":              {[]string{shaNamed("two"), shaNamed("two")[:12], shaNamed("two")[:7], "main", "HEAD~1", "origin/main"}, RefCommit, two},
		"HEAD":                {[]string{"HEAD"}, RefCommit, string(digestNamed("three"))},
		"tag":                 {[]string{"latest", "git-" + shaNamed("two"), "medusa:latest", annalsHost + ":latest"}, RefTag, two},
		"digest":              {[]string{two, two[7:], two[:7+12], two[7 : 7+12], two[7 : 7+40], annalsHost + "@" + two, "medusa@" + two, "sha256:" + strings.ToUpper(two[7:])}, RefDigest, two},
		"deployment":          {[]string{deployed.Deployment, lastPart(deployed.Deployment)}, RefDeployment, two},
		"revision":            {[]string{deployed.Revision, lastPart(deployed.Revision)}, RefRevision, two},
		"task":                {[]string{task.ARN, task.ID, task.ID[:8], task.ID[:6]}, RefTask, two},
		"pruned, by digest":   {[]string{pruned, pruned[:7+12], pruned[7:]}, RefDigest, pruned},
		"pruned, by the past": {[]string{first.Deployment, lastPart(first.Deployment)}, RefDeployment, pruned},
	}
	for name, tt := range tests {
		for _, ref := range tt.refs {
			t.Run(name+"/"+ref, func(t *testing.T) {
				got, err := traceOf(t, a, ref)
				if err != nil {
					t.Fatal(err)
				}
				if string(got.Image.Digest) != tt.want || !slices.Equal(got.Kinds, []RefKind{tt.kind}) || got.Ref != ref || got.Name == "" {
					t.Fatalf("%s is %v %q of %s, want a %s of %s", ref, got.Kinds, got.Name, got.Image.Digest, tt.kind, tt.want)
				}
				switch tt.want {
				case two:
					wantWhole(t, got, deployed.Deployment)
				case pruned:
					if !got.Gone || len(got.Deployments) != 1 || got.Commit != "" || len(got.Tasks) > 0 {
						t.Errorf("trace of the pruned image = %+v", got)
					}
				}
			})
		}
	}
}

// wantWhole holds a trace of image two against all that there is to know of it.
func wantWhole(t *testing.T, got Trace, deployment string) {
	t.Helper()
	if got.Commit != shaNamed("two") || got.Dirty || got.Gone || got.Source == nil || got.Source.Subject != "Subject of two" || got.Source.Author != "Ada" {
		t.Errorf("commit %s, source %+v", got.Commit, got.Source)
	}
	if !slices.Contains(got.Image.Tags, "latest") || !slices.Equal(got.Image.Platforms, []string{"linux/amd64"}) || got.Image.SizeBytes == 0 || got.Image.PushedAt.IsZero() {
		t.Errorf("image = %+v", got.Image)
	}
	if len(got.Deployments) != 1 || got.Deployments[0].Deployment != deployment || got.Deployments[0].State != StateRuns {
		t.Errorf("deployments = %+v", got.Deployments)
	}
	if !slices.Equal(got.Definitions, []string{definitionARN(1)}) {
		t.Errorf("task definitions = %v", got.Definitions)
	}
	if len(got.Tasks) != 2 || got.Tasks[0].Service != annalsService || got.Tasks[0].Status != "RUNNING" {
		t.Errorf("tasks = %+v", got.Tasks)
	}
}

func TestTraceOfATaskDefinition(t *testing.T) {
	a := threeReleases(t)
	one := digestNamed("one")
	a.rolled(annalsService, one, statusSuccessful, func(p *PastRollout) { p.TaskDefinition = definitionARN(7) })
	got, err := traceOf(t, a, "medusa:7")
	if err != nil || got.Image.Digest != one || !slices.Equal(got.Kinds, []RefKind{RefDefinition}) {
		t.Errorf("got %v %s, %v", got.Kinds, got.Image.Digest, err)
	}
	if got, err = traceOf(t, a, definitionARN(7)); err != nil || got.Image.Digest != one || len(got.Definitions) != 2 {
		t.Errorf("by ARN: %s with %v, %v", got.Image.Digest, got.Definitions, err)
	}
	_, err = traceOf(t, a, "medusa:1") // every release with strategy latest used it
	wantFailure(t, err, ExitUsage, "several images", "sha256:"+one.Short(), "sha256:"+digestNamed("two").Short(), "2 tasks run it", "of commit "+shaNamed("two")[:12], "deployed 2026-11-02")
	a.definitions["medusa-migrate:3"] = TaskDefinition{ARN: definitionARN(3), Containers: []ContainerDefinition{{Name: "x", Image: "nginx"}, {Name: "medusa", Image: annalsHost + "@" + string(one)}}}
	if got, err = traceOf(t, a, "medusa-migrate:3"); err != nil || got.Image.Digest != one {
		t.Errorf("a revision that only pins: %s, %v", got.Image.Digest, err)
	}
	a.definitions["medusa:9"] = TaskDefinition{ARN: definitionARN(9), Containers: []ContainerDefinition{{Name: "medusa", Image: annalsHost + ":latest"}}}
	_, err = traceOf(t, a, "medusa:9")
	wantFailure(t, err, ExitCheck, "no deployment that ECS lists used it and it names no digest")
	_, err = traceOf(t, a, "medusa:10")
	wantFailure(t, err, ExitCheck, "ECS has no medusa:10", "tag: repository medusa has no such tag")
}

// wantFailure checks the exit code and that the text has every word.
func wantFailure(t *testing.T, err error, exit int, words ...string) {
	t.Helper()
	var f *Failure
	if !errors.As(err, &f) || f.Exit != exit || f.Outcome != OutcomeRefused {
		t.Fatalf("err = %v, want a refusal with exit %d", err, exit)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the error does not say %q:\n%v", word, err)
		}
	}
}

func TestTraceOfTasks(t *testing.T) {
	a := threeReleases(t)
	stopped := a.task(annalsService, "crashed", digestNamed("three"), dawn.Add(4*time.Hour))
	stopped.LastStatus, stopped.DesiredStatus, stopped.StopCode, stopped.StoppedReason = "STOPPED", "STOPPED", "EssentialContainerExited", "Essential container in task exited"
	a.tasks[annalsService] = append(a.tasks[annalsService], stopped)
	got, err := traceOf(t, a, taskID("crashed")[:10])
	if err != nil || got.Image.Digest != digestNamed("three") || len(got.Tasks) != 1 || got.Tasks[0].Reason != stopped.StoppedReason {
		t.Errorf("a task that stopped: %+v, %v", got, err)
	}
	migration := a.task("", "migration", digestNamed("two"), dawn)
	a.loose[migration.ID] = migration
	for _, ref := range []string{migration.ID, migration.ARN} {
		if got, err = traceOf(t, a, ref); err != nil || len(got.Tasks) != 3 || got.Image.Digest != digestNamed("two") {
			t.Errorf("a task of no service: %+v, %v", got, err)
		}
	}
	foreign := a.task("", "foreign", "", dawn)
	foreign.Containers = nil
	a.loose[foreign.ID] = foreign
	_, err = traceOf(t, a, foreign.ID)
	wantFailure(t, err, ExitCheck, "there is "+foreign.ID+", but no image of medusa is known of it")
	_, err = traceOf(t, a, taskID("nobody"))
	wantFailure(t, err, ExitCheck, "task: none that runs", "digest: neither repository", "commit: local git knows no such commit")
}

func TestTraceOfACommitWithSeveralImages(t *testing.T) {
	sha := shaNamed("four")
	dirty := func(a *annals, name string) Digest {
		d := digestNamed(name)
		a.images[d] = Image{Repository: annalsHost, Digest: d, Tags: []string{"git-" + sha + "-dirty-" + d.Short()[:8]}, Labels: map[string]string{LabelRevision: sha + "-dirty"}}
		return d
	}
	t.Run("the clean one before those with uncommitted changes", func(t *testing.T) {
		a := threeReleases(t)
		a.knows("four", "HEAD")
		other, clean := dirty(a, "four and a bit"), a.push("four", false, "git-"+sha)
		got, err := traceOf(t, a, "HEAD")
		if err != nil || got.Image.Digest != clean || got.Dirty || len(got.Also) != 1 || got.Also[0].Digest != other || !got.Also[0].Dirty {
			t.Errorf("got %s, also %+v, %v", got.Image.Digest, got.Also, err)
		}
	})
	t.Run("the one with uncommitted changes when there is no other", func(t *testing.T) {
		a := threeReleases(t)
		want := dirty(a, "four and a bit")
		for _, ref := range []string{sha, sha[:7], sha[:20]} { // git here does not know the commit
			got, err := traceOf(t, a, ref)
			if err != nil || got.Image.Digest != want || !got.Dirty || got.Commit != sha || got.Source != nil {
				t.Errorf("%s: got %s dirty %v commit %s, %v", ref, got.Image.Digest, got.Dirty, got.Commit, err)
			}
		}
	})
	t.Run("two with different uncommitted changes are ambiguous", func(t *testing.T) {
		a := threeReleases(t)
		one, other := dirty(a, "four and a bit"), dirty(a, "four and a bit more")
		_, err := traceOf(t, a, sha)
		wantFailure(t, err, ExitUsage, "sha256:"+one.Short(), "sha256:"+other.Short(), "with uncommitted changes")
	})
	t.Run("the one that has its tag before one that was deployed under another", func(t *testing.T) {
		a := threeReleases(t)
		rebuilt := digestNamed("rebuilt")
		a.images[rebuilt] = Image{Repository: annalsHost, Digest: rebuilt, Tags: []string{"hand-made"}, Labels: map[string]string{LabelRevision: shaNamed("two")}}
		a.rolled(annalsService, rebuilt, statusSuccessful)
		got, err := traceOf(t, a, shaNamed("two"))
		if err != nil || got.Image.Digest != digestNamed("two") || len(got.Also) != 1 || got.Also[0].Digest != rebuilt {
			t.Errorf("got %s, also %+v, %v", got.Image.Digest, got.Also, err)
		}
	})
}

func TestTraceOfWhatIsTwoThings(t *testing.T) {
	t.Run("a tag and a branch", func(t *testing.T) {
		a := threeReleases(t)
		a.push("one", false, "main", "git-"+shaNamed("one"))
		a.knows("two", "main")
		_, err := traceOf(t, a, "main")
		wantFailure(t, err, ExitUsage, "tag main", "commit "+shaNamed("two")[:12], digestNamed("one").Short(), digestNamed("two").Short())
	})
	t.Run("a tag, and a branch that was never built", func(t *testing.T) {
		a := threeReleases(t)
		a.knows("unbuilt", "latest")
		got, err := traceOf(t, a, "latest")
		if err != nil || got.Image.Digest != digestNamed("two") || len(got.Notes) != 1 || !strings.Contains(got.Notes[0], "is also commit "+shaNamed("unbuilt")[:12]) {
			t.Errorf("got %s, notes %v, %v", got.Image.Digest, got.Notes, err)
		}
	})
	t.Run("a tag and a branch of one image", func(t *testing.T) {
		a := threeReleases(t)
		a.push("two", false, "main", "git-"+shaNamed("two"))
		a.knows("two", "main")
		got, err := traceOf(t, a, "main")
		if err != nil || !slices.Equal(got.Kinds, []RefKind{RefCommit, RefTag}) {
			t.Errorf("is %v, %v", got.Kinds, err)
		}
	})
	t.Run("the beginning of a task's id and of a digest", func(t *testing.T) {
		a := threeReleases(t)
		id := digestNamed("one").Short() + strings.Repeat("0", 20)
		clash := a.task(annalsService, "t9", digestNamed("two"), dawn.Add(9*time.Hour))
		clash.ID, clash.ARN = id, "arn:aws:ecs:eu-west-1:123456789012:task/shop/"+id
		a.tasks[annalsService] = append(a.tasks[annalsService], clash)
		_, err := traceOf(t, a, id[:12])
		wantFailure(t, err, ExitUsage, "task "+id, "digest "+string(digestNamed("one")))
		if got, err := traceOf(t, a, id); err != nil || got.Image.Digest != digestNamed("two") {
			t.Errorf("the whole id: %s, %v", got.Image.Digest, err)
		}
	})
}

func TestTraceOfAPlatformsManifest(t *testing.T) {
	a := newAnnals()
	index, manifest := multiPlatform(a, "one", "latest", "git-"+shaNamed("one"))
	a.rolled(annalsService, manifest, statusSuccessful)
	a.runs(annalsService, manifest, "t1")
	for _, ref := range []string{string(manifest), string(manifest[:7+12]), string(index), "latest", taskID("t1"), shaNamed("one")} {
		got, err := traceOf(t, a, ref)
		if err != nil || got.Image.Digest != index || len(got.Deployments) != 1 || len(got.Tasks) != 1 || !slices.Contains(got.Image.Tags, "latest") {
			t.Errorf("%s: %+v, %v, want the index with its deployment and its task", ref, got, err)
		}
	}
}

func TestTraceOfACommitThatWasNeverBuilt(t *testing.T) {
	a := threeReleases(t)
	a.knows("unbuilt", "HEAD")
	_, err := traceOf(t, a, "HEAD")
	wantFailure(t, err, ExitCheck, "it is commit "+shaNamed("unbuilt")[:12]+" (Subject of unbuilt) here, but medusa has no image of it", "medusa-deploy ship")
	i := a.inspector()
	i.Commits = nil
	if _, err := i.Trace(t.Context(), annalsTarget(), "HEAD"); err == nil || !strings.Contains(err.Error(), "commit: local git knows no such revision") {
		t.Errorf("without git: %v", err)
	}
	if got, err := i.Trace(t.Context(), annalsTarget(), shaNamed("two")); err != nil || got.Image.Digest != digestNamed("two") || got.Source != nil {
		t.Errorf("a full sha without git: %+v, %v", got, err)
	}
}

func TestTraceBeforeAnythingExists(t *testing.T) {
	a := newAnnals()
	_, err := traceOf(t, a, "latest")
	wantFailure(t, err, ExitCheck, `"latest" leads to no image of medusa on production`, "medusa-deploy history")
}

func TestRefsThatAreNone(t *testing.T) {
	for ref, words := range map[string]string{
		"":                            "is no reference",
		"two words":                   "is no reference",
		"sha256:abc":                  "too short",
		"sha256:xyz":                  "is no digest",
		"arn:aws:s3:::b":              "is no ARN of ECS",
		"arn:aws:ecs:x":               "is no ARN of ECS",
		"other@sha256:" + hashOf("x"): "is not of repository medusa",
		"arn:aws:ecs:eu-west-1:123456789012:service/shop/web":         "leads to no one image",
		"arn:aws:ecs:eu-west-1:123456789012:task/":                    "leads to no one image",
		"arn:aws:ecs:us-east-1:123456789012:task/shop/" + taskID("x"): "is in region us-east-1",
		"arn:aws:ecs:eu-west-1:123456789012:task/else/" + taskID("x"): "is in cluster else",
	} {
		_, err := traceOf(t, threeReleases(t), ref)
		wantFailure(t, err, ExitUsage, words)
	}
}

func TestTraceTellsWhatFailed(t *testing.T) {
	broken := errors.New("broken")
	a := threeReleases(t)
	for call, ref := range map[string]string{
		"Past": "latest", "Images": "latest", "Image": "latest", "List": shaNamed("two"), "Find": shaNamed("two"), "Known": "latest", "Task": taskID("loose"), "TaskDefinition": "medusa:44",
	} {
		a.loose[taskID("loose")] = Task{}
		a.definitions["medusa:44"] = TaskDefinition{}
		a.failing = map[string]error{call: broken}
		if _, err := traceOf(t, a, ref); !errors.Is(err, broken) {
			t.Errorf("%s failed: %v", call, err)
		}
	}
}

// FuzzTrace: whatever is typed ends in an image, or in a refusal with one of the two exit codes.
func FuzzTrace(f *testing.F) {
	for _, seed := range []string{
		"", "HEAD", "main", "latest", "medusa:1", "medusa:latest", "sha256:", "arn:aws:ecs:eu-west-1:1:task/shop/x", "-x", "@", "@{u}",
		shaNamed("two"), string(digestNamed("two")), taskID("t1"), definitionARN(1), "x@sha256:" + hashOf("two"), ":", "a:b:c", "/", "ünïcode",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, ref string) {
		a := threeReleases(t)
		got, err := traceOf(t, a, ref)
		var failure *Failure
		switch {
		case err == nil && (!got.Image.Digest.Valid() || len(got.Kinds) == 0 || got.Ref != ref):
			t.Errorf("Trace(%q) = %+v", ref, got)
		case err != nil && (!errors.As(err, &failure) || failure.Exit != ExitUsage && failure.Exit != ExitCheck):
			t.Errorf("Trace(%q): %v", ref, err)
		}
	})
}

func FuzzParseRef(f *testing.F) {
	for _, seed := range []string{"main", "medusa:1", "medusa:latest", "sha256:" + hashOf("x"), definitionARN(1), hashOf("x")[:12], "12345678901234567890"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, ref string) {
		p, err := parseRef(ref, annalsTarget())
		if err != nil {
			return
		}
		if slices.Contains(p.kinds, RefDigest) && (!hexPattern.MatchString(p.hex) || len(p.hex) < digestPrefixMin || len(p.hex) > 64) {
			t.Errorf("parseRef(%q) may be a digest that begins with %q", ref, p.hex)
		}
		if slices.Contains(p.kinds, RefTag) && !tagPattern.MatchString(p.tag) {
			t.Errorf("parseRef(%q) may be the tag %q", ref, p.tag)
		}
		if p.arn != "" && len(p.kinds) != 1 {
			t.Errorf("parseRef(%q) is an ARN of %v", ref, p.kinds)
		}
	})
}

func TestKindsOfNames(t *testing.T) {
	for ref, want := range map[string]string{
		"main":                        "[commit tag]",
		"feature/x":                   "[commit]",
		"v1.2":                        "[commit tag]",
		"HEAD~1":                      "[commit]",
		"medusa:7":                    "[tag task definition]",
		"other:7":                     "[commit task definition]",
		"abc1234":                     "[commit tag task]",
		"0123456789ab":                "[commit tag digest task]",
		"4980306466373577095":         "[commit tag digest service deployment service revision task]",
		taskID("x"):                   "[commit tag digest service deployment task]",
		hashOf("x"):                   "[commit tag digest service deployment]",
		"NCWGC2ZR-taawPAYrIaU5xyzabc": "[commit tag service deployment]",
		"-NCWGC2ZRtaawPAYrIaU5":       "[service deployment]",
	} {
		p, err := parseRef(ref, annalsTarget())
		if got := fmt.Sprint(p.kinds); err != nil || got != want {
			t.Errorf("%s may be %s, %v, want %s", ref, got, err, want)
		}
	}
}

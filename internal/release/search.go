package release

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// lead is one image that a reference may mean.
type lead struct {
	kind   RefKind
	name   string // the full name of what was found
	digest Digest
	exact  bool // the reference is the whole name, not the beginning of it
	dirty  bool // with RefCommit: built from a work tree that differed from the commit
	tagged bool // with RefCommit: it has the commit's own tag
}

// search follows a reference in every direction in which it may lead.
type search struct {
	i        *Inspector
	t        Target
	ref      string
	parsed   parsedRef
	looks    []look
	own      []Task // tasks of no service that were asked for
	entries  []HistoryEntry
	images   album
	held     []Held
	listed   bool
	leads    []lead
	siblings []lead   // of a commit: the leads that were passed over for a better one
	tried    []string // what led nowhere, for people
	notes    []string
}

// search looks at everything that the target has and gathers the leads.
func (i *Inspector) search(ctx context.Context, t Target, ref string, parsed parsedRef) (*search, error) {
	s := &search{i: i, t: t, ref: ref, parsed: parsed}
	var err error
	if s.looks, err = i.looks(ctx, t, t.Services, false); err != nil {
		return nil, err
	}
	if s.entries, _, s.images, err = i.entries(ctx, t, s.looks, 0); err != nil {
		return nil, err
	}
	directions := map[RefKind]func(context.Context) (tried string, err error){
		RefCommit: s.byCommit, RefTag: s.byTag, RefDigest: s.byDigest, RefDeployment: s.byDeployment,
		RefRevision: s.byRevision, RefDefinition: s.byDefinition, RefTask: s.byTask,
	}
	for _, kind := range parsed.kinds {
		before := len(s.leads)
		tried, err := directions[kind](ctx)
		if err != nil {
			return nil, err
		}
		if len(s.leads) == before {
			s.tried = append(s.tried, string(kind)+": "+tried)
		}
	}
	return s, s.complete(ctx)
}

// complete looks up what leads name and was not seen so far.
func (s *search) complete(ctx context.Context) error {
	var missing []Digest
	for _, l := range slices.Concat(s.leads, s.siblings) {
		if !s.images.has(l.digest) {
			missing = append(missing, l.digest)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	more, err := s.i.images(ctx, s.t, missing)
	for d, image := range more {
		s.images[d] = image
		s.images[image.Digest] = image
	}
	return err
}

func (s *search) tasks() []Task {
	var all []Task
	for _, l := range s.looks {
		all = append(all, l.tasks...)
	}
	return append(all, s.own...)
}

// found adds a lead; one without a digest is a thing that ECS knows and that runs no image of the repository.
func (s *search) found(l lead) (tried string) {
	if l.digest == "" {
		return "there is " + l.name + ", but no image of " + s.t.Repository + " is known of it (yet)"
	}
	s.leads = append(s.leads, l)
	return ""
}

// list gives what the registry holds; nothing when it has no such repository. It is asked at most once.
func (s *search) list(ctx context.Context) ([]Held, error) {
	if s.listed {
		return s.held, nil
	}
	var err error
	if s.held, err = s.i.Registry.List(ctx, s.t.Repository); notFound(err) {
		err = nil
	}
	s.listed = err == nil
	return s.held, err
}

func (s *search) byTag(ctx context.Context) (string, error) {
	image, err := s.i.Registry.Image(ctx, s.t.Repository, s.parsed.tag)
	if notFound(err) {
		return "repository " + s.t.Repository + " has no such tag", nil
	}
	if err != nil {
		return "", fmt.Errorf("look up tag %s: %w", s.parsed.tag, err)
	}
	s.images[image.Digest] = image
	return s.found(lead{kind: RefTag, name: s.parsed.tag, digest: image.Digest, exact: true}), nil
}

func (s *search) byDigest(ctx context.Context) (string, error) {
	wanted := "sha256:" + s.parsed.hex
	if d := Digest(wanted); d.Valid() {
		images, err := s.i.images(ctx, s.t, []Digest{d})
		if err != nil {
			return "", err
		}
		if image, ok := images[d]; ok {
			s.images[d], s.images[image.Digest] = image, image
			return s.found(lead{kind: RefDigest, name: wanted, digest: d, exact: true}), nil
		}
	}
	held, err := s.list(ctx)
	if err != nil {
		return "", err
	}
	all := digestsOf(s.entries, s.looks, s.t.Repository)
	for _, h := range held {
		all = append(all, h.Digest)
	}
	slices.Sort(all)
	for _, d := range slices.Compact(all) {
		if strings.HasPrefix(string(d), wanted) {
			s.found(lead{kind: RefDigest, name: string(d), digest: d, exact: string(d) == wanted})
		}
	}
	return "neither repository " + s.t.Repository + " nor any deployment has one that begins so", nil
}

// named reports whether an ARN is the one that was asked for, by itself or by its last part.
func (s *search) named(arn string) bool {
	if s.parsed.arn != "" {
		return arn == s.parsed.arn
	}
	return arn != "" && lastPart(arn) == s.parsed.text
}

func (s *search) byDeployment(context.Context) (string, error) {
	for _, e := range s.entries {
		if s.named(e.Deployment) {
			return s.found(lead{kind: RefDeployment, name: lastPart(e.Deployment) + " of " + e.Service, digest: e.Digest, exact: true}), nil
		}
	}
	return s.notListed(), nil
}

func (s *search) byRevision(context.Context) (string, error) {
	for _, e := range s.entries {
		if s.named(e.Revision) {
			return s.found(lead{kind: RefRevision, name: lastPart(e.Revision) + " of " + e.Service, digest: e.Digest, exact: true}), nil
		}
	}
	return s.notListed(), nil
}

func (s *search) notListed() string {
	return "not among the deployments of " + strings.Join(s.t.Services, ", ") + " that ECS lists (the newest 100 of each)"
}

// byDefinition follows a task definition revision to all that was deployed with it: with strategy latest that is many
// an image.
func (s *search) byDefinition(ctx context.Context) (string, error) {
	tried, known := "", false
	for _, e := range s.entries {
		if s.named(e.TaskDefinition) {
			tried, known = s.found(lead{kind: RefDefinition, name: lastPart(e.TaskDefinition), digest: e.Digest, exact: true}), true
		}
	}
	for _, task := range s.tasks() {
		if s.named(task.TaskDefinition) {
			tried, known = s.found(lead{kind: RefDefinition, name: lastPart(task.TaskDefinition), digest: task.Digest(s.t.Repository), exact: true}), true
		}
	}
	if known {
		return tried, nil
	}
	name := orElse(s.parsed.arn, s.parsed.text)
	d, err := s.i.Orchestrator.TaskDefinition(ctx, name)
	if notFound(err) {
		return "ECS has no " + name, nil
	}
	if err != nil {
		return "", fmt.Errorf("look up task definition %s: %w", name, err)
	}
	for _, c := range d.Containers {
		if _, digest, ok := strings.Cut(c.Image, "@"); ok && SameRepository(c.Image, s.t.Repository) && Digest(digest).Valid() {
			return s.found(lead{kind: RefDefinition, name: lastPart(d.ARN), digest: Digest(digest), exact: true}), nil
		}
	}
	return "ECS has " + name + ", but no deployment that ECS lists used it and it names no digest", nil
}

func (s *search) byTask(ctx context.Context) (string, error) {
	known := false
	tried := "none that runs, or stopped within about an hour"
	for _, task := range s.tasks() {
		whole := s.named(task.ARN) || s.parsed.arn == "" && task.ID == s.parsed.text
		if whole || s.parsed.arn == "" && strings.HasPrefix(task.ID, s.parsed.text) {
			tried, known = s.foundTask(task, whole), true
		}
	}
	if known || s.parsed.arn == "" && !taskPattern.MatchString(s.parsed.text) {
		return tried, nil
	}
	task, err := s.i.Orchestrator.Task(ctx, s.t.Cluster, orElse(s.parsed.arn, s.parsed.text))
	if notFound(err) {
		return tried, nil
	}
	if err != nil {
		return "", fmt.Errorf("look up task %s: %w", s.parsed.text, err)
	}
	s.own = append(s.own, task)
	return s.foundTask(task, true), nil
}

func (s *search) foundTask(task Task, whole bool) string {
	name := task.ID
	if task.Service != "" {
		name += " of " + task.Service
	}
	return s.found(lead{kind: RefTask, name: name, digest: task.Digest(s.t.Repository), exact: whole})
}

// byCommit follows a revision by local git first, and by the names that images have from their commits.
func (s *search) byCommit(ctx context.Context) (string, error) {
	sha, local, err := s.resolve(ctx)
	if err != nil || sha == "" {
		return "local git knows no such revision", err
	}
	found, err := s.ofCommit(ctx, sha)
	if err != nil {
		return "", err
	}
	for n := range found {
		found[n].exact = wholeRevision(s.parsed.text)
	}
	s.siblings = found
	s.leads = append(s.leads, best(found)...)
	if local == nil {
		return "local git knows no such commit, and no image is named for it", nil
	}
	subject := fmt.Sprintf("commit %s (%s)", local.Short(), local.Subject)
	if len(found) == 0 {
		s.notes = append(s.notes, fmt.Sprintf("%s is also %s here, which has no image in %s", s.ref, subject, s.t.Repository))
	}
	return "it is " + subject + " here, but " + s.t.Repository + " has no image of it: not built yet (medusa-deploy ship), or removed since", nil
}

// wholeRevision reports whether a revision is a full sha or a name, not the beginning of a sha.
func wholeRevision(text string) bool {
	return len(text) == 40 || len(text) == 64 || !hexPattern.MatchString(text)
}

// resolve gives the sha that the reference names, or its beginning when local git does not know it; empty: it can be none.
func (s *search) resolve(ctx context.Context) (sha string, local *Commit, err error) {
	if s.i.Commits != nil {
		c, err := s.i.Commits.Find(ctx, s.parsed.text)
		if err == nil && c.SHA != "" {
			return c.SHA, &c, nil
		}
		if err != nil && !notFound(err) {
			return "", nil, fmt.Errorf("look up %q in git: %w", s.parsed.text, err)
		}
	}
	if len(s.parsed.text) >= commitPrefixMin && hexPattern.MatchString(s.parsed.text) {
		return s.parsed.text, nil, nil
	}
	return "", nil, nil
}

// ofCommit finds the images of a commit, or of all whose sha begins so: by their tags, and by the labels of those that
// were deployed.
func (s *search) ofCommit(ctx context.Context, sha string) ([]lead, error) {
	held, err := s.list(ctx)
	if err != nil {
		return nil, err
	}
	var all []lead
	for _, h := range held {
		for _, tag := range h.Tags {
			if l, ok := leadOfTag(tag, sha); ok {
				l.digest = h.Digest
				all = append(all, l)
			}
		}
	}
	for _, e := range s.entries {
		if of, dirty, ok := ParseRevision(s.images[e.Digest].Labels[LabelRevision]); ok && strings.HasPrefix(of, sha) {
			all = append(all, lead{kind: RefCommit, name: short(of), digest: e.Digest, dirty: dirty})
		}
	}
	return all, nil
}

// leadOfTag reads git-<sha> and git-<sha>-dirty-<digest8>.
func leadOfTag(tag, sha string) (lead, bool) {
	name, ok := strings.CutPrefix(tag, "git-")
	if !ok || !strings.HasPrefix(name, sha) {
		return lead{}, false
	}
	of, _, dirty := strings.Cut(name, "-dirty-")
	if !hexPattern.MatchString(of) {
		return lead{}, false
	}
	return lead{kind: RefCommit, name: short(of), dirty: dirty, tagged: true}, true
}

// best leaves of the images of each commit the one that a release of the clean commit would use: with its tag before
// without, clean before dirty. What is equally good stays, and is ambiguous.
func best(leads []lead) []lead {
	rank := func(l lead) int {
		switch {
		case !l.dirty && l.tagged:
			return 0
		case !l.dirty:
			return 1
		}
		return 2
	}
	top := map[string]int{}
	for _, l := range leads {
		if r, ok := top[l.name]; !ok || rank(l) < r {
			top[l.name] = rank(l)
		}
	}
	return slices.DeleteFunc(slices.Clone(leads), func(l lead) bool { return rank(l) > top[l.name] })
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal/shop"
)

const versionRoute = "src/api/version/route.ts"

// oneLine changes one line of the shop and ships it under load. A worker's job that was ordered before is done after it.
func (s *show) oneLine(ctx context.Context) error {
	s.say("one line changed, shipped while visitors send requests; a job for the worker lies in Redis meanwhile")
	if err := s.Edit(versionRoute, "Welcome to the shop", "Welcome back"); err != nil {
		return err
	}
	commit, err := s.change("greet those who come back", nil)
	if err != nil {
		return err
	}
	delay := jobDelay(time.Since(s.Began))
	job, err := s.clerk.OrderReport(ctx, int(delay.Seconds()))
	if err != nil {
		return err
	}
	ordered := time.Now()
	s.tell("POST /admin/reports: ordered, to be made in %.0f s", delay.Seconds())
	var said string
	if _, err := s.underLoad(ctx, func() (err error) {
		said, err = s.do(ctx, exitDone, "ship")
		return err
	}); err != nil {
		return err
	}
	s.shipped(commit)
	if err := s.onlyTheServer(ctx, said); err != nil {
		return err
	}
	if err := s.answers(ctx, commit, "Welcome back"); err != nil {
		return err
	}
	return s.awaitJob(ctx, job, commit, ordered.Add(delay))
}

// onlyTheServer looks at a build's steps and its layers: what installs and what makes the admin is cached, and what is new
// in the image is small.
func (s *show) onlyTheServer(ctx context.Context, said string) error {
	for line := range strings.Lines(said) {
		for _, costly := range []string{"npm ci", "npm install", "--admin-only"} {
			if strings.Contains(line, costly) && !strings.Contains(line, "(cached)") {
				return fmt.Errorf("the dependencies or the admin were made again: %s", line)
			}
		}
	}
	layers, err := s.Layers(ctx)
	if err != nil {
		return err
	}
	fresh, bytes := 0, int64(0)
	for digest, size := range layers {
		if _, known := s.layers[digest]; !known {
			fresh, bytes = fresh+1, bytes+size
		}
	}
	s.tell("dependencies and admin: not made again; of %d layers %d is new, with %.1f MB", len(layers), fresh, megabytes(bytes))
	if fresh != 1 {
		return fmt.Errorf("%d layers are new, want 1", fresh)
	}
	return nil
}

// jobDelay is long enough for a release: it takes less than the first one has taken, with its cold build.
func jobDelay(sinceOpen time.Duration) time.Duration {
	return max(time.Minute, sinceOpen).Round(time.Second)
}

// jobPatience is how long a worker may take to make a report that is due.
const jobPatience = 2 * time.Minute

// awaitJob waits for a report that a worker of that commit makes.
func (s *show) awaitJob(ctx context.Context, job shop.Report, commit string, due time.Time) error {
	ctx, cancel := context.WithDeadline(ctx, due.Add(jobPatience))
	defer cancel()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for job.DoneBy == "" {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the job is not done: %w", context.Cause(ctx))
		case <-ticker.C:
		}
		var err error
		if job, err = s.clerk.Report(ctx, job.ID); err != nil {
			return err
		}
	}
	if job.DoneBy != commit {
		return fmt.Errorf("the job was done by commit %s, want the new one, %s: it was due before the release was over", job.DoneBy, commit)
	}
	s.tell("GET /admin/reports/…: done by the worker of commit %.12s", job.DoneBy)
	return nil
}

// addTable ships a feature with a table of its own.
func (s *show) addTable(ctx context.Context) error {
	s.say("a feature with a table of its own: the migration makes it before any service changes")
	commit, err := s.change("keep what visitors wish for", wishes)
	if err != nil {
		return err
	}
	if _, err := s.underLoad(ctx, func() error {
		_, err := s.do(ctx, exitDone, "ship")
		return err
	}); err != nil {
		return err
	}
	s.shipped(commit)
	if err := s.answers(ctx, commit, "Welcome back"); err != nil {
		return err
	}
	var made, listed struct{ Wishes int }
	if err := shop.Anyone(s.url).Post(ctx, "/wishes", shop.M{"text": "a saucer"}, &made); err != nil {
		return err
	}
	if err := shop.Anyone(s.url).Get(ctx, "/wishes", &listed); err != nil {
		return err
	}
	s.tell("POST /wishes, GET /wishes: %d", listed.Wishes)
	if listed.Wishes != 1 {
		return fmt.Errorf("%d wishes, want 1", listed.Wishes)
	}
	return nil
}

// badMigration ships a migration that fails half way: no service is touched.
func (s *show) badMigration(ctx context.Context) error {
	s.say("a migration that fails: no service is touched")
	if _, err := s.change("rename what is not there", map[string]string{
		"src/modules/report/migrations/Migration20260903090000.ts": migrationOf("20260903090000", `alter table "wish" add column "price" int;`, `alter table "no_such_table" rename to "wish";`),
	}); err != nil {
		return err
	}
	if _, err := s.underLoad(ctx, func() error {
		_, err := s.do(ctx, exitMigration, "ship")
		return err
	}); err != nil {
		return err
	}
	columns, err := s.Data.Query(ctx, `select count(*) from information_schema.columns where table_name = 'wish' and column_name = 'price'`)
	if err != nil {
		return err
	}
	if columns != "0" {
		return errors.New("the failed migration left half of its work")
	}
	s.tell("the half that had worked is not in the database either")
	if err := s.answers(ctx, s.newest(), "Welcome back"); err != nil {
		return err
	}
	return s.Revert()
}

// crash ships a server that ends when it starts.
func (s *show) crash(ctx context.Context) error {
	s.say("a version that crashes when it starts: back to what ran")
	if err := s.Edit(versionRoute, "// Which commit answers.", "throw new Error(\"out of tea\")"); err != nil {
		return err
	}
	if _, err := s.change("run out of tea", nil); err != nil {
		return err
	}
	said := ""
	if _, err := s.underLoad(ctx, func() (err error) {
		said, err = s.do(ctx, exitRolledBack, "ship")
		return err
	}); err != nil {
		return err
	}
	if !strings.Contains(said, "out of tea") {
		return errors.New("the explanation does not show why")
	}
	if err := s.answers(ctx, s.newest(), "Welcome back"); err != nil {
		return err
	}
	return s.Revert()
}

// goBack rolls back: the code is the old one, the data are all there.
func (s *show) goBack(ctx context.Context) error {
	s.say("rolled back: the old code answers, and no data are lost")
	if _, err := s.underLoad(ctx, func() error {
		_, err := s.do(ctx, exitDone, "rollback", "--yes")
		return err
	}); err != nil {
		return err
	}
	before := s.commits[len(s.commits)-2]
	if err := s.answers(ctx, before, "Welcome back"); err != nil {
		return err
	}
	if err := shop.Anyone(s.url).Get(ctx, "/wishes", new(string)); err == nil {
		return errors.New("/wishes still answers, which the old code has not")
	}
	s.tell("GET /wishes: 404, as before there were any")
	if err := s.buy(ctx, "Teapot", 1); err != nil {
		return err
	}
	wishes, err := s.Data.Query(ctx, `select text from wish`)
	if err != nil {
		return err
	}
	s.tell("$ psql -c 'select text from wish'\n%s", wishes)
	if wishes != "a saucer" {
		return fmt.Errorf("the table has %q", wishes)
	}
	return nil
}

// push goes the way of a team: a workflow that init writes, a push, local CI.
func (s *show) push(ctx context.Context) error {
	s.say("the same by git push, through the workflow that init writes")
	if err := s.git(ctx, "remote", "add", "origin", "git@github.com:acme/shop.git").Run(); err != nil {
		return err
	}
	s.typed("medusa-deploy init")
	if _, err := s.perform(s.Command(ctx, "init", "--yes", "--action", ownAction), exitDone); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(s.App, ".github", "workflows", "deploy.yml")); err != nil {
		return err
	}
	if err := s.Edit(versionRoute, "Welcome back", "Welcome by push"); err != nil {
		return err
	}
	commit, err := s.change("deploy by push", nil)
	if err != nil {
		return err
	}
	if _, err := s.do(ctx, exitDone, "local", "up", "--ci"); err != nil {
		return err
	}
	if _, err := s.underLoad(ctx, func() error {
		s.typed("git push local main")
		_, err := s.perform(s.git(ctx, "push", "local", "main"), exitDone)
		return err
	}); err != nil {
		return err
	}
	s.shipped(commit)
	return s.answers(ctx, commit, "Welcome by push")
}

// ownAction is an action that the workflow names; local CI has a stand-in for it.
const ownAction = "medusa-deploy/medusa-deploy@0123456789abcdef0123456789abcdef01234567#v1.2.3"

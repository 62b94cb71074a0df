// Command demo shows the whole line on this machine, as a user would type it: local AWS up, the example shipped, one line
// changed and shipped again under load, rolled back, everything stopped. It fails when anything is not as it should be.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

func main() {
	var tools rehearsal.Tools
	tools.Flags()
	containers := flag.String("containers", "auto", "what runs the containers, as in local up --engine")
	rehearsal.Main("demo", func(ctx context.Context) error { return run(ctx, tools, *containers) })
}

func run(ctx context.Context, tools rehearsal.Tools, containers string) (err error) {
	stage, err := tools.Stage()
	if err != nil {
		return err
	}
	show := &demo{Stage: stage, containers: containers}
	defer func() { err = errors.Join(err, show.end(context.WithoutCancel(ctx))) }()
	for _, act := range []func(context.Context) error{show.start, show.ship, show.shipUnderLoad, show.goBack} {
		if err := act(ctx); err != nil {
			return err
		}
	}
	return nil
}

type demo struct {
	*rehearsal.Stage
	containers    string // engine that was asked for
	onDocker      bool
	first, second string // commits
}

func (d *demo) say(format string, args ...any) { fmt.Printf("\n── "+format+"\n", args...) }

// do runs a command in front of the audience.
func (d *demo) do(ctx context.Context, args ...string) error {
	fmt.Printf("$ medusa-deploy %s\n", strings.Join(args, " "))
	command := d.Command(ctx, args...)
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	if err := command.Run(); err != nil {
		return fmt.Errorf("medusa-deploy %s: %w", strings.Join(args, " "), err)
	}
	return nil
}

func (d *demo) start(ctx context.Context) error {
	d.say("a local AWS: an ECR and ECS on this machine, with real containers")
	args := []string{"local", "up", "--listen", "127.0.0.1:0"}
	if d.containers != "auto" {
		args = append(args, "--engine", d.containers)
	}
	if err := d.do(ctx, args...); err != nil {
		return err
	}
	status, err := d.Must(ctx, "local", "status")
	d.onDocker = strings.Contains(status.Stdout, "engine: docker")
	return err
}

func (d *demo) ship(ctx context.Context) error {
	d.say("the first version: from a commit to verified running")
	if err := d.do(ctx, "ship"); err != nil {
		return err
	}
	page, status, err := d.fetch(ctx)
	if err != nil {
		return err
	}
	d.first = status.Services[0].Commit
	fmt.Printf("$ curl %s\n%s", status.Services[0].URL, page)
	return expectCommit(page, d.first)
}

func (d *demo) shipUnderLoad(ctx context.Context) error {
	d.say("one line changed, shipped again while four clients send requests without a pause")
	if err := d.Edit("main.go", "Hello from", "Hello again from"); err != nil {
		return err
	}
	commit, err := d.Commit("say hello again")
	if err != nil {
		return err
	}
	_, status, err := d.fetch(ctx)
	if err != nil {
		return err
	}
	load := rehearsal.StartLoad(ctx, status.Services[0].URL, 4)
	shipErr := d.do(ctx, "ship")
	report := load.Stop()
	if shipErr != nil {
		return shipErr
	}
	fmt.Printf("requests sent %d, failed %d, slowest %s\n", report.Sent, report.Failed, report.Slowest)
	if report.Failed > 0 || report.Sent == 0 {
		return fmt.Errorf("the load saw failures: %v", report.Failures)
	}
	page, _, err := d.fetch(ctx)
	if err != nil {
		return err
	}
	fmt.Print(page)
	d.second = commit
	return expectCommit(page, d.second)
}

func (d *demo) goBack(ctx context.Context) error {
	d.say("rolled back: a tag moves, nothing is rebuilt")
	if err := d.do(ctx, "rollback", "--yes"); err != nil {
		return err
	}
	page, _, err := d.fetch(ctx)
	if err != nil {
		return err
	}
	fmt.Print(page)
	return expectCommit(page, d.first)
}

// end stops everything and looks for what is left of it.
func (d *demo) end(ctx context.Context) error {
	d.say("everything stopped")
	if err := d.do(ctx, "local", "down"); err != nil {
		return err
	}
	if err := d.Close(ctx); err != nil {
		return err
	}
	left, err := rehearsal.Leftovers(d.State)
	if err != nil {
		return err
	}
	const nothing = "no process, mount or interface of it is left"
	told := nothing
	if d.onDocker {
		more, err := rehearsal.DockerLeftovers(ctx, "", d.State)
		if err != nil {
			return err
		}
		left, told = append(left, more...), nothing+", and nothing in Docker"
	}
	if len(left) > 0 {
		return fmt.Errorf("something is left:\n%s", strings.Join(left, "\n"))
	}
	fmt.Println(told)
	return nil
}

// fetch asks what runs, and the service itself for its page.
func (d *demo) fetch(ctx context.Context) (string, release.Status, error) {
	out, err := d.Must(ctx, "status", "--output", "json")
	if err != nil {
		return "", release.Status{}, err
	}
	var status release.Status
	if err := json.Unmarshal([]byte(out.Stdout), &status); err != nil {
		return "", status, fmt.Errorf("read the output of status: %w", err)
	}
	if len(status.Services) == 0 || status.Services[0].URL == "" {
		return "", status, fmt.Errorf("status names no address: %s", out.Stdout)
	}
	page, err := rehearsal.Get(ctx, http.DefaultClient, status.Services[0].URL)
	return page, status, err
}

func expectCommit(page, commit string) error {
	if commit == "" || !strings.Contains(page, commit) {
		return fmt.Errorf("the page does not name commit %q:\n%s", commit, page)
	}
	return nil
}

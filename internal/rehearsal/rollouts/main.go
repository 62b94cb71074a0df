// Command rollouts deploys two good images of an app in turn, again and again, under constant load through the load
// balancer: clients that keep their connection, clients that open one for every request, and WebSockets. It prints what was
// sent and what failed, and fails itself when anything did.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// options are the command line.
type options struct {
	rehearsal.Tools
	app      string
	rollouts int
	asJSON   bool
}

func main() {
	var o options
	o.Flags()
	flag.StringVar(&o.app, "app", "internal/rehearsal/testdata/echo", "the app")
	flag.IntVar(&o.rollouts, "rollouts", 50, "how many")
	flag.BoolVar(&o.asJSON, "json", false, "print a JSON object in place of the tables")
	rehearsal.Main("rollouts", func(ctx context.Context) error { return o.OnStage(ctx, o.run) })
}

func (o options) run(ctx context.Context, stage *rehearsal.Stage) error {
	binary := filepath.Join(stage.Dir, "program")
	if err := rehearsal.Compile(ctx, o.app, "amd64", binary); err != nil {
		return err
	}
	if err := stage.Up(ctx); err != nil {
		return err
	}
	app, err := stage.Plant(o.Example, rehearsal.App{Name: "echo", Binary: binary, Strategy: string(release.StrategyLatest), Tasks: 2, Breaker: true})
	if err != nil {
		return err
	}
	t := &trial{app: app}
	if err := t.prepare(ctx); err != nil {
		return err
	}
	if err := t.run(ctx, o.rollouts); err != nil {
		return err
	}
	if o.asJSON {
		err = json.NewEncoder(os.Stdout).Encode(t)
	} else {
		t.print(os.Stdout)
	}
	return errors.Join(err, t.verdict())
}

// trial is the rollouts and what their clients saw.
type trial struct {
	app       *rehearsal.Stage
	url       string
	commits   [2]string
	Seconds   []float64               `json:"seconds"` // of each rollout
	KeepAlive rehearsal.LoadReport    `json:"keep_alive"`
	Fresh     rehearsal.LoadReport    `json:"fresh"`
	Sockets   rehearsal.SocketsReport `json:"sockets"`
}

// prepare ships one image and pushes another one.
func (t *trial) prepare(ctx context.Context) error {
	shipped, err := t.app.Green(ctx, release.OutcomeSucceeded, "ship")
	if err != nil {
		return err
	}
	t.url, t.commits[0] = shipped.Services[0].URL, shipped.Commit
	if t.commits[1], err = t.app.Commit("the other version"); err != nil {
		return err
	}
	_, err = t.app.Green(ctx, release.OutcomeSucceeded, "push")
	return err
}

// The load. It is constant: how often a client asks does not depend on how fast it is answered.
const (
	keepAliveClients = 4
	keepAliveEvery   = 5 * time.Millisecond
	freshClients     = 2
	freshEvery       = 10 * time.Millisecond
	socketClients    = 3
	socketEvery      = 20 * time.Millisecond
)

// run deploys the one and the other image under load.
func (t *trial) run(ctx context.Context, rollouts int) error {
	keepAlive := rehearsal.StartTraffic(ctx, rehearsal.Traffic{URL: t.url, KeepAlive: keepAliveClients, Every: keepAliveEvery})
	fresh := rehearsal.StartTraffic(ctx, rehearsal.Traffic{URL: t.url, Fresh: freshClients, Every: freshEvery})
	sockets := rehearsal.StartSockets(ctx, t.url+"/echo", socketClients, socketEvery)
	defer func() { t.KeepAlive, t.Fresh, t.Sockets = keepAlive.Stop(), fresh.Stop(), sockets.Stop() }()
	for n := range rollouts {
		result, err := t.app.Green(ctx, release.OutcomeSucceeded, "deploy", t.commits[(n+1)%2])
		if err != nil {
			return fmt.Errorf("rollout %d: %w", n+1, err)
		}
		t.Seconds = append(t.Seconds, result.Took.Seconds())
		fmt.Fprintf(os.Stderr, "rollout %d of %d: %.1f s\n", n+1, rollouts, result.Took.Seconds())
	}
	return nil
}

// verdict is an error when anything failed.
func (t *trial) verdict() error {
	var found []string
	for _, load := range []struct {
		name   string
		report rehearsal.LoadReport
	}{{"keep-alive clients", t.KeepAlive}, {"clients with new connections", t.Fresh}} {
		if load.report.Failed > 0 || load.report.Sent == 0 {
			found = append(found, fmt.Sprintf("%s: %d of %d requests failed: %s", load.name, load.report.Failed, load.report.Sent, strings.Join(load.report.Failures, "; ")))
		}
		for _, body := range load.report.Bodies {
			if !strings.Contains(body, t.commits[0]) && !strings.Contains(body, t.commits[1]) {
				found = append(found, fmt.Sprintf("%s: answered by neither version: %q", load.name, body))
			}
		}
	}
	if s := t.Sockets; s.Lost > 0 || s.Broken > 0 || s.Sent == 0 {
		found = append(found, fmt.Sprintf("WebSockets: %d of %d echoes lost, %d connections broken: %s", s.Lost, s.Sent, s.Broken, strings.Join(s.Failures, "; ")))
	}
	if len(found) > 0 {
		return errors.New(strings.Join(found, "\n  "))
	}
	return nil
}

func (t *trial) print(out *os.File) {
	sorted := slices.Sorted(slices.Values(t.Seconds))
	fmt.Fprintf(out, "%d rollouts: fastest %.1f s, median %.1f s, slowest %.1f s\n\n", len(sorted), sorted[0], sorted[len(sorted)/2], sorted[len(sorted)-1])
	ms := func(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond)) }
	line := func(name string, r rehearsal.LoadReport) []string {
		return []string{name, fmt.Sprint(r.Sent), fmt.Sprint(r.Failed), ms(r.P99), ms(r.Slowest), ""}
	}
	s := t.Sockets
	rehearsal.WriteTable(out, []string{"clients", "sent", "failed", "p99", "slowest", "reconnected"}, [][]string{
		line(fmt.Sprintf("%d keep-alive connections, a request every %s each", keepAliveClients, keepAliveEvery), t.KeepAlive),
		line(fmt.Sprintf("%d clients, a new connection every %s each", freshClients, freshEvery), t.Fresh),
		{fmt.Sprintf("%d WebSockets, an echo every %s each", socketClients, socketEvery), fmt.Sprint(s.Sent), fmt.Sprint(s.Lost + s.Broken), ms(s.P99), ms(s.Slowest),
			fmt.Sprintf("%d times, %d echoes asked for again", s.Reconnects, s.AskedAgain)},
	})
}

package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// Ordeal ships one version of the example app after the other through a Proxy, good ones and bad ones, and holds what
// the program says against what really runs.
type Ordeal struct {
	stage   *Stage
	proxy   *Proxy
	cloud   *Cloud
	trials  int
	serving string // digest of the last good version
}

// Trial is one release of an ordeal.
type Trial struct {
	Version string // what is shipped: good, crashing, never healthy
	Want    release.Outcome
	Result  Result
	Calls   int           // that the program, its builder included, sent through the proxy
	Faults  int           // of them
	Wrong   []string      // what is not as it should be; empty: all is well
	Took    time.Duration // of the whole release
}

// versions are shipped in turn: the setting that is added to the Dockerfile, and what must come of it.
var versions = []struct {
	name, setting string
	want          release.Outcome
}{
	{"good", "", release.OutcomeSucceeded},
	{"crashing", "ENV CRASH=3", release.OutcomeRolledBack},
	{"good", "", release.OutcomeSucceeded},
	{"never healthy", "ENV UNHEALTHY=1", release.OutcomeRolledBack},
}

// dockerfileAnchor is the line of the example's Dockerfile before which settings go.
const dockerfileAnchor = "USER 65532:65532"

// The example app's names.
const (
	exampleCluster    = "medusa-cluster"
	exampleService    = "medusa-service"
	exampleRepository = "medusa"
	exampleTasks      = 2
)

// NewOrdeal starts a proxy and a local AWS behind it. The caller closes both: Close of the stage, Close of the ordeal.
func NewOrdeal(ctx context.Context, stage *Stage, config ProxyConfig) (*Ordeal, error) {
	proxy, err := StartProxy(ctx, config)
	if err != nil {
		return nil, err
	}
	o := &Ordeal{stage: stage, proxy: proxy}
	err = stage.Up(ctx, "--advertise", proxy.Address())
	if err == nil {
		proxy.Forward(stage.listen)
		o.cloud, err = stage.Cloud(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, proxy.Close())
	}
	return o, nil
}

// Close stops the proxy.
func (o *Ordeal) Close() error { return o.proxy.Close() }

// Proxy is what stands between the program and local AWS.
func (o *Ordeal) Proxy() *Proxy { return o.proxy }

// Faults is how many calls went wrong so far, and in which way.
func (o *Ordeal) Faults() (calls int, faults map[Fault]int) { return o.proxy.Counts() }

// Next ships the next version. An error is trouble with the ordeal itself; what the release did wrong is in the trial.
func (o *Ordeal) Next(ctx context.Context) (Trial, error) {
	v := versions[o.trials%len(versions)]
	o.trials++
	t := Trial{Version: v.name, Want: v.want}
	if v.setting != "" {
		if err := o.stage.Edit("Dockerfile", dockerfileAnchor, v.setting+"\n"+dockerfileAnchor); err != nil {
			return t, err
		}
	}
	if _, err := o.stage.Commit(fmt.Sprintf("version %d: %s", o.trials, v.name)); err != nil {
		return t, err
	}
	callsBefore, faultsBefore := o.total()
	var err error
	if t.Result, err = o.stage.Release(ctx, "ship"); err != nil {
		return t, err
	}
	calls, faults := o.total()
	t.Calls, t.Faults, t.Took = calls-callsBefore, faults-faultsBefore, t.Result.Took
	if t.Wrong, err = o.judge(ctx, &t); err != nil || v.setting == "" {
		return t, err
	}
	return t, o.stage.Revert()
}

func (o *Ordeal) total() (calls, faults int) {
	calls, kinds := o.proxy.Counts()
	for _, n := range kinds {
		faults += n
	}
	return calls, faults
}

// judge says what is wrong after a release: its outcome, what :latest names, what runs.
func (o *Ordeal) judge(ctx context.Context, t *Trial) (wrong []string, err error) {
	if t.Result.Outcome != t.Want {
		wrong = append(wrong, fmt.Sprintf("it says %s (exit %d: %s), want %s", t.Result.Outcome, t.Result.Exit, t.Result.Error, t.Want))
	}
	if t.Result.Outcome == release.OutcomeSucceeded {
		o.serving = string(t.Result.Digest)
	}
	latest, err := o.cloud.Tagged(ctx, exampleRepository, "latest")
	if err != nil {
		return nil, err
	}
	if latest != o.serving {
		wrong = append(wrong, fmt.Sprintf(":latest names %s, want %s", latest, o.serving))
	}
	runs, err := o.cloud.Digests(ctx, exampleCluster, exampleService, exampleRepository)
	if err != nil {
		return nil, err
	}
	if want := slices.Repeat([]string{o.serving}, exampleTasks); !slices.Equal(runs, want) {
		wrong = append(wrong, fmt.Sprintf("%v run, want %v", runs, want))
	}
	return wrong, nil
}

// TrialHeader and Cells make a table of trials.
var TrialHeader = []string{"version", "outcome", "exit", "seconds", "calls", "went wrong", "verdict"}

// Cells is the trial as a line of a table.
func (t Trial) Cells() []string {
	verdict := "right"
	if len(t.Wrong) > 0 {
		verdict = "WRONG: " + strings.Join(t.Wrong, "; ")
	}
	return []string{
		t.Version, string(t.Result.Outcome), strconv.Itoa(t.Result.Exit), fmt.Sprintf("%.1f", t.Took.Seconds()),
		strconv.Itoa(t.Calls), strconv.Itoa(t.Faults), verdict,
	}
}

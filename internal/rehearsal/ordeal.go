package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// Ordeal ships one version of the example app after the other through a Proxy, good ones and bad ones, and holds what
// the program says against what really runs.
type Ordeal struct {
	stage   *Stage
	proxy   *Proxy
	aws     aws.Config
	trials  int
	serving release.Digest // the last good version
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

const exampleService, exampleTasks = "medusa-service", 2

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
		o.aws, err = stage.AWSConfig(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, proxy.Close())
	}
	return o, nil
}

// Close stops the proxy.
func (o *Ordeal) Close() error { return o.proxy.Close() }

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

// judge says what is wrong after a release: its outcome, what :latest names, what serves.
func (o *Ordeal) judge(ctx context.Context, t *Trial) (wrong []string, err error) {
	if t.Result.Outcome != t.Want {
		wrong = append(wrong, fmt.Sprintf("it says %s (exit %d: %s), want %s", t.Result.Outcome, t.Result.Exit, t.Result.Error, t.Want))
	}
	if t.Want == release.OutcomeSucceeded {
		o.serving = t.Result.Digest
	}
	latest, err := Latest(ctx, o.aws)
	if err != nil {
		return nil, err
	}
	if latest != o.serving {
		wrong = append(wrong, fmt.Sprintf(":latest names %s, want %s", latest.Short(), o.serving.Short()))
	}
	all, err := Serving(ctx, o.aws)
	if err != nil {
		return nil, err
	}
	if serving := all[exampleService]; len(serving) != 1 || serving[o.serving] != exampleTasks {
		wrong = append(wrong, fmt.Sprintf("%v serve, want %d of %s", all, exampleTasks, o.serving.Short()))
	}
	return wrong, nil
}

// String is the trial on one line.
func (t Trial) String() string {
	verdict := "right"
	if len(t.Wrong) > 0 {
		verdict = "WRONG: " + strings.Join(t.Wrong, "; ")
	}
	return fmt.Sprintf("%-14s %-12s exit %d  %6.1f s  %4d calls, %3d went wrong  %s", t.Version, t.Result.Outcome, t.Result.Exit, t.Took.Seconds(), t.Calls, t.Faults, verdict)
}

package release

import (
	"testing"
	"time"
)

const (
	oldDigest = Digest("sha256:0000000000000000000000000000000000000000000000000000000000000001")
	newDigest = Digest("sha256:0000000000000000000000000000000000000000000000000000000000000002")
	subDigest = Digest("sha256:0000000000000000000000000000000000000000000000000000000000000003")
	testRepo  = "127.0.0.1:4566/medusa"
)

var testImage = Image{Repository: testRepo, Digest: newDigest, Manifests: []Digest{subDigest}}

func runningTask(id string, d Digest) Task {
	return Task{ID: id, StartedBy: "ecs-svc/1", LastStatus: "RUNNING", DesiredStatus: "RUNNING",
		Containers: []Container{{Name: "medusa", Image: "000000000000.dkr.ecr.us-east-1.amazonaws.com/medusa:latest", Digest: d}}}
}

func crashedTask(id string, code int) Task {
	return Task{ID: id, StartedBy: "ecs-svc/1", LastStatus: "STOPPED", DesiredStatus: "STOPPED",
		StopCode: "EssentialContainerExited", StoppedReason: "Essential container in task exited", Stopped: time.Unix(int64(code), 0),
		Containers: []Container{{Name: "medusa", Image: testRepo + ":latest", ExitCode: &code}}}
}

func TestJudge(t *testing.T) {
	draining := runningTask("old", oldDigest)
	draining.DesiredStatus = "STOPPED"
	spot := crashedTask("spot", 143)
	spot.StopCode = "SpotInterruption"
	scaled := crashedTask("scaled", 143)
	scaled.StopCode, scaled.StoppedReason = "ServiceSchedulerInitiated", "Scaling activity initiated by (deployment ecs-svc/1)"
	sick := crashedTask("sick", 0)
	sick.StopCode, sick.StoppedReason = "ServiceSchedulerInitiated", "Task failed container health checks"
	elsewhere := crashedTask("elsewhere", 1)
	elsewhere.StartedBy = "ecs-svc/0"

	tests := map[string]struct {
		o    Observation
		want Decision
	}{
		"pending waits":                     {Observation{Status: "PENDING", Desired: 1}, DecisionWait},
		"in progress waits, even healthy":   {Observation{Status: "IN_PROGRESS", Desired: 1, Tasks: []Task{runningTask("a", newDigest)}}, DecisionWait},
		"green":                             {Observation{Status: "SUCCESSFUL", Desired: 1, Tasks: []Task{runningTask("a", newDigest)}}, DecisionGreen},
		"green by platform manifest":        {Observation{Status: "SUCCESSFUL", Desired: 1, Tasks: []Task{runningTask("a", subDigest)}}, DecisionGreen},
		"a draining old task is fine":       {Observation{Status: "SUCCESSFUL", Desired: 1, Tasks: []Task{runningTask("a", newDigest), draining}}, DecisionGreen},
		"successful with another digest":    {Observation{Status: "SUCCESSFUL", Desired: 1, Tasks: []Task{runningTask("a", oldDigest)}}, DecisionWait},
		"successful and mixed":              {Observation{Status: "SUCCESSFUL", Desired: 2, Tasks: []Task{runningTask("a", oldDigest), runningTask("b", newDigest)}}, DecisionWait},
		"successful, one missing":           {Observation{Status: "SUCCESSFUL", Desired: 2, Tasks: []Task{runningTask("b", newDigest)}}, DecisionWait},
		"successful, digest unknown":        {Observation{Status: "SUCCESSFUL", Desired: 1, Tasks: []Task{runningTask("b", "")}}, DecisionWait},
		"nothing running":                   {Observation{Status: "SUCCESSFUL"}, DecisionNothing},
		"newer wins over everything":        {Observation{Status: "SUCCESSFUL", Newer: newer("IN_PROGRESS", oldDigest), Desired: 1, Tasks: []Task{runningTask("a", newDigest)}}, DecisionSuperseded},
		"newer, not yet resolved":           {Observation{Status: "STOPPED", Newer: newer("PENDING", "")}, DecisionWait},
		"newer, ended unresolved":           {Observation{Status: "STOPPED", Newer: newer("STOPPED", "")}, DecisionSuperseded},
		"newer with our image":              {Observation{Status: "STOPPED", Newer: newer("IN_PROGRESS", newDigest)}, DecisionFollow},
		"newer of another repository":       {Observation{Status: "STOPPED", Newer: &PastRollout{Status: "PENDING", Refs: map[string]string{"medusa": "nginx:1"}}}, DecisionSuperseded},
		"resolved to another image":         {Observation{Status: "IN_PROGRESS", Refs: map[string]string{"m": testRepo + ":latest"}, Resolved: map[string]Digest{"m": oldDigest}}, DecisionSuperseded},
		"resolved to our image":             {Observation{Status: "IN_PROGRESS", Refs: map[string]string{"m": testRepo + ":latest"}, Resolved: map[string]Digest{"m": subDigest}}, DecisionWait},
		"successful, but it keeps crashing": {Observation{Status: "SUCCESSFUL", Desired: 1, Tasks: []Task{crashedTask("a", 1), crashedTask("b", 1)}}, DecisionDoomed},
		"successful in the end":             {Observation{Status: "SUCCESSFUL", Desired: 1, Tasks: []Task{crashedTask("a", 1), crashedTask("b", 1), runningTask("c", newDigest)}}, DecisionGreen},
		"early success, old ones go on":     {Observation{Status: "SUCCESSFUL", Desired: 2, Tasks: []Task{runningTask("a", oldDigest), runningTask("b", newDigest), runningTask("c", newDigest)}}, DecisionWait},
		"rolled back":                       {Observation{Status: "ROLLBACK_SUCCESSFUL", Desired: 1, Tasks: []Task{runningTask("a", oldDigest)}}, DecisionRolledBack},
		"rolling back":                      {Observation{Status: "ROLLBACK_IN_PROGRESS"}, DecisionGivenUp},
		"rollback requested":                {Observation{Status: "ROLLBACK_REQUESTED"}, DecisionGivenUp},
		"stop requested":                    {Observation{Status: "STOP_REQUESTED"}, DecisionGivenUp},
		"rollback failed":                   {Observation{Status: "ROLLBACK_FAILED"}, DecisionFailed},
		"stopped":                           {Observation{Status: "STOPPED"}, DecisionFailed},
		"one crash is not yet fatal":        {Observation{Status: "IN_PROGRESS", Tasks: []Task{crashedTask("a", 1)}}, DecisionWait},
		"two equal crashes are":             {Observation{Status: "IN_PROGRESS", Tasks: []Task{crashedTask("a", 1), crashedTask("b", 1)}}, DecisionDoomed},
		"two different crashes are not":     {Observation{Status: "IN_PROGRESS", Tasks: []Task{crashedTask("a", 1), crashedTask("b", 2)}}, DecisionWait},
		"spot interruptions never are":      {Observation{Status: "IN_PROGRESS", Tasks: []Task{spot, spot, spot}}, DecisionWait},
		"scaling in never is":               {Observation{Status: "IN_PROGRESS", Tasks: []Task{scaled, scaled, scaled}}, DecisionWait},
		"failed health checks are":          {Observation{Status: "IN_PROGRESS", Tasks: []Task{sick, sick}}, DecisionDoomed},
		"another deployment's are not":      {Observation{Status: "IN_PROGRESS", Tasks: []Task{elsewhere, elsewhere}}, DecisionWait},
		"an unknown status waits":           {Observation{Status: "BRAND_NEW"}, DecisionWait},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := Judge(tt.o, Rollout{StartedBy: "ecs-svc/1"}, testImage, 2)
			if got.Decision != tt.want {
				t.Errorf("Judge() = %v (%s), want %v", got.Decision, got.Reason, tt.want)
			}
			if got.Decision != DecisionWait && got.Decision != DecisionGreen && got.Reason == "" {
				t.Error("a decision against the rollout needs a reason")
			}
		})
	}
}

// newer is somebody else's rollout.
func newer(status string, d Digest) *PastRollout {
	p := &PastRollout{Rollout: Rollout{Deployment: "arn:newer"}, Status: status, Refs: map[string]string{"medusa": testRepo + ":latest"}}
	if d != "" {
		p.Images = map[string]Digest{"medusa": d}
	}
	return p
}

func TestSameRepository(t *testing.T) {
	tests := []struct {
		a, b string
		want bool
	}{
		{"123456789012.dkr.ecr.eu-west-1.amazonaws.com/medusa:latest", "127.0.0.1:4566/medusa", true},
		{"127.0.0.1:4566/medusa@" + string(newDigest), "127.0.0.1:4566/medusa", true},
		{"medusa", "127.0.0.1:4566/medusa", true},
		{"team/medusa:1", "127.0.0.1:4566/team/medusa", true},
		{"127.0.0.1:4566/medusa-sidecar:latest", "127.0.0.1:4566/medusa", false},
		{"127.0.0.1:4566/team/medusa", "127.0.0.1:4566/medusa", false},
	}
	for _, tt := range tests {
		if got := SameRepository(tt.a, tt.b); got != tt.want {
			t.Errorf("SameRepository(%q, %q) = %v, want %v", tt.a, tt.b, got, tt.want)
		}
	}
}

func TestEarlier(t *testing.T) {
	past := func(status string, d Digest) PastRollout {
		return PastRollout{Status: status, Images: map[string]Digest{"medusa": d}, Refs: map[string]string{"medusa": testRepo + ":latest"}}
	}
	const a, b, c = oldDigest, newDigest, subDigest
	tests := map[string]struct {
		past []PastRollout
		runs Digest
		want []Digest
	}{
		"nothing before":                    {[]PastRollout{past("SUCCESSFUL", a)}, a, nil},
		"the one before":                    {[]PastRollout{past("SUCCESSFUL", b), past("SUCCESSFUL", a)}, b, []Digest{a}},
		"a bad one between is skipped":      {[]PastRollout{past("SUCCESSFUL", c), past("ROLLBACK_SUCCESSFUL", b), past("SUCCESSFUL", a)}, c, []Digest{a}},
		"the same digest again is not back": {[]PastRollout{past("SUCCESSFUL", b), past("SUCCESSFUL", b), past("SUCCESSFUL", a)}, b, []Digest{a}},
		"newest failed, older still runs":   {[]PastRollout{past("ROLLBACK_SUCCESSFUL", c), past("SUCCESSFUL", b), past("SUCCESSFUL", a)}, b, []Digest{a}},
		"newest first, each once":           {[]PastRollout{past("SUCCESSFUL", c), past("SUCCESSFUL", b), past("SUCCESSFUL", a), past("SUCCESSFUL", b)}, c, []Digest{b, a}},
		"in flight: what ran before":        {[]PastRollout{past("IN_PROGRESS", c), past("SUCCESSFUL", b), past("SUCCESSFUL", a)}, c, []Digest{b, a}},
		"in flight, old tasks still most":   {[]PastRollout{past("IN_PROGRESS", c), past("SUCCESSFUL", b), past("SUCCESSFUL", a)}, b, []Digest{b, a}},
		"back from b: never forth again":    {[]PastRollout{past("SUCCESSFUL", a), past("SUCCESSFUL", b), past("SUCCESSFUL", a)}, a, nil},
		"back twice goes further back":      {[]PastRollout{past("SUCCESSFUL", b), past("SUCCESSFUL", c), past("SUCCESSFUL", b), past("SUCCESSFUL", a)}, b, []Digest{a}},
		"a rollback is under way":           {[]PastRollout{past("IN_PROGRESS", a), past("SUCCESSFUL", b), past("SUCCESSFUL", a)}, b, []Digest{a}},
		"in flight and nothing before":      {[]PastRollout{past("IN_PROGRESS", c)}, c, nil},
		"nothing runs: newest successful":   {[]PastRollout{past("STOPPED", c), past("SUCCESSFUL", b)}, "", []Digest{b}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := earlier(tt.past, tt.runs, testRepo)
			if len(got) != len(tt.want) {
				t.Fatalf("earlier() = %v, want %v", got, tt.want)
			}
			for i := range got {
				if got[i] != tt.want[i] {
					t.Errorf("earlier()[%d] = %v, want %v", i, got[i], tt.want[i])
				}
			}
		})
	}
}

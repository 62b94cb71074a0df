package e2e

import (
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// localStatus is what `local status --output json` says.
type localStatus struct {
	Running bool `json:"running"`
	Crashed bool `json:"crashed"`
	Info    struct {
		PID int `json:"pid"`
	} `json:"info"`
}

func localStatusOf(t *testing.T, stage *rehearsal.Stage) localStatus {
	t.Helper()
	var s localStatus
	decode(t, must(t, stage, "local", "status", "--output", "json"), &s)
	return s
}

// described is what the AWS CLI says of a task.
type described struct {
	TaskARN    string `json:"taskArn"`
	LastStatus string `json:"lastStatus"`
	StartedAt  any    `json:"startedAt"`
	Containers []struct {
		RuntimeID         string `json:"runtimeId"`
		NetworkInterfaces []struct {
			PrivateIPv4Address string `json:"privateIpv4Address"`
		} `json:"networkInterfaces"`
	} `json:"containers"`
}

func tasksOf(t *testing.T, aws awsCLI) []described {
	t.Helper()
	aws.t = t
	arns := strings.Fields(aws.run("ecs", "list-tasks", "--cluster", "medusa-cluster", "--query", "taskArns", "--output", "text"))
	if len(arns) == 0 {
		return nil
	}
	out := aws.run(append([]string{"ecs", "describe-tasks", "--cluster", "medusa-cluster", "--output", "json", "--tasks"}, arns...)...)
	var got struct{ Tasks []described }
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(got.Tasks, func(a, b described) int { return strings.Compare(a.TaskARN, b.TaskARN) })
	return got.Tasks
}

// TestKilled kills local AWS while two tasks serve. They go on serving; the next `local up` takes them over: the same
// two, started once.
func TestKilled(t *testing.T) {
	stage := upStage(t)
	shipped := green(t, stage, release.OutcomeSucceeded, "ship")
	aws := newAWS(t, stage)
	before := tasksOf(t, aws)
	if len(before) != 2 {
		t.Fatalf("%d tasks run, want 2", len(before))
	}
	processes := helloProcesses(t, stage)

	kill(t, localStatusOf(t, stage).Info.PID)
	eventually(t, "local AWS is gone", func() bool { s := localStatusOf(t, stage); return !s.Running && s.Crashed })
	for _, task := range before {
		url := "http://" + task.Containers[0].NetworkInterfaces[0].PrivateIPv4Address + ":9000/"
		if got := page(t, url); !strings.Contains(got, shipped.Commit) {
			t.Errorf("%s no longer serves: %s", task.TaskARN, got)
		}
	}

	if err := stage.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := tasksOf(t, aws)
	if a, b := encode(t, after), encode(t, before); a != b {
		t.Errorf("the API tells another story than before:\nbefore %s\nafter  %s", b, a)
	}
	if got := helloProcesses(t, stage); !slices.Equal(got, processes) {
		t.Errorf("the containers' processes were %v and are %v: a task was started again", processes, got)
	}
	eventually(t, "the load balancer answers where it did", func() bool {
		out, err := stage.Run(t.Context(), "ship", "--output", "json")
		return err == nil && strings.Contains(out.Stdout, `"outcome":"unchanged"`)
	})
	if got := page(t, shipped.Services[0].URL); !strings.Contains(got, shipped.Commit) {
		t.Errorf("the load balancer's page: %s", got)
	}
	edit(t, stage, "Hello from", "Hello after a crash from")
	green(t, stage, release.OutcomeSucceeded, "ship")
}

// TestDownAfterKill: what a killed local AWS left is cleaned up by `local down` as well.
func TestDownAfterKill(t *testing.T) {
	stage := upStage(t)
	green(t, stage, release.OutcomeSucceeded, "ship")
	kill(t, localStatusOf(t, stage).Info.PID)
	left, err := rehearsal.Leftovers(stage.State)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"process ", "mount ", "/sys/class/net/"} {
		if !slices.ContainsFunc(left, func(s string) bool { return strings.HasPrefix(s, kind) }) {
			t.Errorf("while tasks run, Leftovers must see a %q: %v", kind, left)
		}
	}
	must(t, stage, "local", "down")
	// closeStage fails the test when anything is left.
}

func kill(t *testing.T, pid int) {
	t.Helper()
	if pid <= 1 {
		t.Fatalf("local AWS's pid is %d", pid)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

func encode(t *testing.T, v any) string {
	t.Helper()
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// helloProcesses are the app's processes in the stage's containers, by process id: the shim that started a container
// names the state directory in its arguments, and the app is a descendant of it.
func helloProcesses(t *testing.T, stage *rehearsal.Stage) []int {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	parents, commands := map[int]int{}, map[int]string{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, _ := os.ReadFile("/proc/" + e.Name() + "/stat") // a process may end while it is looked at
		cmdline, _ := os.ReadFile("/proc/" + e.Name() + "/cmdline")
		if fields := strings.Fields(string(stat[strings.LastIndex(string(stat), ")")+1:])); len(fields) > 1 {
			parents[pid], _ = strconv.Atoi(fields[1])
		}
		commands[pid] = string(cmdline)
	}
	var found []int
	for pid, command := range commands {
		if strings.HasPrefix(command, "/hello") && !strings.Contains(command, "-check") && strings.Contains(commands[parents[pid]], stage.State) {
			found = append(found, pid)
		}
	}
	slices.Sort(found)
	if len(found) != 2 {
		t.Fatalf("found the processes %v, want 2", found)
	}
	return found
}

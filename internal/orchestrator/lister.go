package orchestrator

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"golang.org/x/sync/errgroup"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

const (
	// describeTasksMax is how many tasks DescribeTasks takes.
	// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html
	describeTasksMax = 100
	// togetherMin is from how many services on their tasks are listed together. A list of a service takes two calls at
	// least, one for the tasks that are to run and one for the others; that of a cluster too, but its tasks have to be
	// described to tell whose they are.
	togetherMin = 4
)

var listed = []types.DesiredStatus{types.DesiredStatusRunning, types.DesiredStatusStopped}

// taskLister lists the tasks of a cluster's services in as few calls as it can: each service apart, or all tasks of the
// cluster when that is less. Tasks that have stopped do not change any more and are described once.
type taskLister struct {
	*batcher[string, []release.Task]
	client  *ecs.Client
	cluster string

	mu sync.Mutex
	// seen are the tasks of the last lists, by ARN.
	seen map[string]release.Task
	// pages is how many the cluster's lists have at least; 0: never tried.
	pages int
}

func newTaskLister(client *ecs.Client, cluster string) *taskLister {
	l := &taskLister{client: client, cluster: cluster, seen: map[string]release.Task{}}
	l.batcher = &batcher[string, []release.Task]{most: listedTogetherMax, abreast: listsAbreast, ask: l.list}
	return l
}

// list gives the tasks of services, by name, oldest first.
func (l *taskLister) list(ctx context.Context, services []string) (map[string][]release.Task, error) {
	arns, together, err := l.listTogether(ctx, len(services))
	if err == nil && !together {
		arns, err = l.listApart(ctx, services)
	}
	if err != nil {
		return nil, err
	}
	slices.Sort(arns)
	arns = slices.Compact(arns) // a task may move from one list to the other in between
	tasks, err := l.describe(ctx, arns, services)
	if err != nil {
		return nil, err
	}
	l.remember(tasks, services, together)
	found := map[string][]release.Task{}
	for _, t := range tasks {
		if slices.Contains(services, t.Service) {
			found[t.Service] = append(found[t.Service], t)
		}
	}
	for _, of := range found {
		slices.SortStableFunc(of, func(a, b release.Task) int { return a.Created.Compare(b.Created) })
	}
	return found, nil
}

// listTogether lists all tasks of the cluster, as long as that takes fewer calls than listing n services one by one,
// which takes 2n: half of them are kept for describing the tasks of other services once. It reports whether it came to
// the end.
func (l *taskLister) listTogether(ctx context.Context, n int) (arns []string, complete bool, err error) {
	l.mu.Lock()
	known := l.pages
	l.mu.Unlock()
	if n < togetherMin || known > n {
		return nil, false, nil
	}
	budget := &atomic.Int64{}
	budget.Store(int64(n))
	arns, complete, err = l.listBoth(ctx, nil, func() bool { return budget.Add(-1) >= 0 })
	if err != nil {
		return nil, false, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pages = n - int(budget.Load()) // more than n when there was more to come
	return arns, complete, nil
}

func (l *taskLister) listApart(ctx context.Context, services []string) ([]string, error) {
	lists := make([][]string, len(services))
	all, group := errgroup.WithContext(ctx)
	all.SetLimit(readsAbreast)
	for i, service := range services {
		all.Go(func() (err error) {
			lists[i], _, err = l.listBoth(group, &service, func() bool { return true })
			return err
		})
	}
	err := all.Wait()
	return slices.Concat(lists...), err
}

// listBoth lists the tasks that are to run and those that are not, of a service or of the whole cluster. It asks for
// every page whether it may read it, and reports whether it came to the end.
func (l *taskLister) listBoth(ctx context.Context, service *string, may func() bool) (arns []string, complete bool, err error) {
	lists, whole := make([][]string, len(listed)), make([]bool, len(listed))
	both, group := errgroup.WithContext(ctx)
	for i, status := range listed {
		both.Go(func() (err error) {
			in := &ecs.ListTasksInput{Cluster: &l.cluster, ServiceName: service, DesiredStatus: status}
			for may() {
				out, err := awsclient.Call(group, l.client.ListTasks, in)
				if err != nil {
					return missing(err)
				}
				lists[i] = append(lists[i], out.TaskArns...)
				if whole[i] = aws.ToString(out.NextToken) == ""; whole[i] {
					return nil
				}
				in.NextToken = out.NextToken
			}
			return nil
		})
	}
	err = both.Wait()
	return slices.Concat(lists...), !slices.Contains(whole, false), err
}

// describe gives the tasks that ECS still knows; the others are left out. It asks only for those that can be of the
// services and may have changed.
func (l *taskLister) describe(ctx context.Context, arns, services []string) ([]release.Task, error) {
	var tasks []release.Task
	var unknown []string
	l.mu.Lock()
	for _, arn := range arns {
		t, seen := l.seen[arn]
		if seen && (t.LastStatus == statusStopped || !slices.Contains(services, t.Service)) {
			tasks = append(tasks, t)
		} else {
			unknown = append(unknown, arn)
		}
	}
	l.mu.Unlock()
	described, err := describeTasks(ctx, l.client, l.cluster, unknown)
	for _, t := range described {
		tasks = append(tasks, taskOf(t))
	}
	return tasks, err
}

// describeTasks gives the tasks that ECS still knows; the others are left out.
func describeTasks(ctx context.Context, client *ecs.Client, cluster string, arns []string) ([]types.Task, error) {
	var tasks []types.Task
	for chunk := range slices.Chunk(arns, describeTasksMax) {
		out, err := awsclient.Call(ctx, client.DescribeTasks, &ecs.DescribeTasksInput{Cluster: &cluster, Tasks: chunk})
		if err != nil {
			return nil, missing(err)
		}
		tasks = append(tasks, out.Tasks...)
	}
	return tasks, nil
}

// remember notes the tasks of a list, and forgets those that such a list should have had.
func (l *taskLister) remember(tasks []release.Task, services []string, together bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for arn, t := range l.seen {
		if together || slices.Contains(services, t.Service) {
			delete(l.seen, arn)
		}
	}
	for _, t := range tasks {
		l.seen[t.ARN] = t
	}
}

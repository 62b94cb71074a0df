package ecs

import (
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/store"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

// cluster is one cluster of a region.
type cluster struct {
	Region  string
	Name    string
	Tags    []types.Tag
	Created time.Time
}

func (c *cluster) key() string { return store.Key(c.Region, c.Name) }
func (c *cluster) arn() string { return arn(c.Region, "cluster/"+c.Name) }

// taskDefinition is one revision of a family.
type taskDefinition struct {
	Region string
	Def    types.TaskDefinition
	Tags   []types.Tag
}

func (d *taskDefinition) key() string { return definitionKey(d.Region, *d.Def.Family, d.Def.Revision) }

func definitionKey(region, family string, revision int32) string {
	return store.Key(region, family, fmt.Sprintf("%010d", revision))
}

// service is one service. Its Def holds what was asked for; what runs is computed when it is described.
type service struct {
	Region, Cluster, Name string
	Def                   types.Service
	Deployment            string // ARN of the newest service deployment
	Revision              string // ARN of the revision that its tasks shall run
	LastGood              string // ARN of the revision of the newest successful deployment
	Token                 string // of the CreateService that made it
	Halted                bool   // the deployment was given up and nothing is to be started or stopped for it
	Steady                bool   // the steady state was announced
	Failures              int    // tasks in a row that failed: the next start waits
	NotBefore             time.Time
}

func (s *service) key() string        { return store.Key(s.Region, s.Cluster, s.Name) }
func (s *service) arn() string        { return arn(s.Region, "service/"+s.Cluster+"/"+s.Name) }
func (s *service) desired() int       { return int(s.Def.DesiredCount) }
func (s *service) active() bool       { return *s.Def.Status == statusActive }
func (s *service) clusterArn() string { return arn(s.Region, "cluster/"+s.Cluster) }

// deployment is one service deployment.
type deployment struct {
	Region, Cluster, Service string
	SD                       types.ServiceDeployment
	Failed                   int   // tasks that failed to start or to become healthy
	FailedBack               int   // the same, of the rollback
	Seq                      int64 // orders a service's deployments
}

func (d *deployment) arn() string        { return *d.SD.ServiceDeploymentArn }
func (d *deployment) serviceKey() string { return store.Key(d.Region, d.Cluster, d.Service) }

// failures is the count of failed tasks that is under way: the deployment's own, or its rollback's.
func (d *deployment) failures() *int {
	if d.SD.Rollback != nil {
		return &d.FailedBack
	}
	return &d.Failed
}

// inFlight reports whether the deployment has not ended.
func (d *deployment) inFlight() bool {
	switch d.SD.Status {
	case types.ServiceDeploymentStatusSuccessful, types.ServiceDeploymentStatusStopped,
		types.ServiceDeploymentStatusRollbackSuccessful, types.ServiceDeploymentStatusRollbackFailed:
		return false
	}
	return true
}

// revision is one service revision: everything that its tasks are made from, with digests once they are resolved.
type revision struct {
	Region, Cluster, Service string
	Rev                      types.ServiceRevision
	ID                       string // ecs-svc/N: startedBy of its tasks
	Deployed                 time.Time
	Updated                  time.Time
}

func (r *revision) arn() string { return *r.Rev.ServiceRevisionArn }

// task is one task.
type task struct {
	Region, Cluster, Service string // Service is empty for a task that RunTask started
	T                        types.Task
	Revision                 string           // ARN; empty without a service
	Offsets                  map[string]int64 // container → bytes of its log that were forwarded
	WasHealthy               bool
	Counted                  bool            // its failure was counted
	Token                    string          // of the RunTask that started it
	Request                  string          // what that asked for: requestOf
	Targets                  map[string]bool // target group ARN → healthy now
	IP                       string
	Published                map[int]string // see engine.Sandbox
}

func (t *task) arn() string        { return *t.T.TaskArn }
func (t *task) id() string         { return lastPart(*t.T.TaskArn) }
func (t *task) serviceKey() string { return store.Key(t.Region, t.Cluster, t.Service) }
func (t *task) status() string     { return *t.T.LastStatus }
func (t *task) stopped() bool      { return t.status() == statusStopped }
func (t *task) leaving() bool      { return *t.T.DesiredStatus == statusStopped }

func (t *task) container(name string) *types.Container {
	for i := range t.T.Containers {
		if *t.T.Containers[i].Name == name {
			return &t.T.Containers[i]
		}
	}
	return nil
}

// Statuses of services, task definitions and tasks.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html
const (
	statusActive         = "ACTIVE"
	statusDraining       = "DRAINING"
	statusInactive       = "INACTIVE"
	statusProvisioning   = "PROVISIONING"
	statusPending        = "PENDING"
	statusActivating     = "ACTIVATING"
	statusRunning        = "RUNNING"
	statusDeactivating   = "DEACTIVATING"
	statusStopping       = "STOPPING"
	statusDeprovisioning = "DEPROVISIONING"
	statusStopped        = "STOPPED"
)

func arn(region, resource string) string {
	return "arn:aws:ecs:" + region + ":" + wire.AccountID + ":" + resource
}

func lastPart(s string) string { return s[strings.LastIndex(s, "/")+1:] }

// tables are the state on disk.
type tables struct {
	clusters    *store.Table[cluster]
	definitions *store.Table[taskDefinition]
	services    *store.Table[service]
	deployments *store.Table[deployment]
	revisions   *store.Table[revision]
	tasks       *store.Table[task]
}

// memory is the same state, indexed.
type memory struct {
	clusters    map[string]*cluster        // by key
	definitions map[string]*taskDefinition // by key
	services    map[string]*service        // by key
	deployments map[string]*deployment     // by ARN
	revisions   map[string]*revision       // by ARN
	tasks       map[string]*task           // by ARN
}

func (b *Backend) open() (err error) {
	m := &b.memory
	if b.tables.clusters, m.clusters, err = load(b.Store, "ecs.clusters", func(c *cluster) string { return c.key() }); err != nil {
		return err
	}
	if b.tables.definitions, m.definitions, err = load(b.Store, "ecs.definitions", func(d *taskDefinition) string { return d.key() }); err != nil {
		return err
	}
	if b.tables.services, m.services, err = load(b.Store, "ecs.services", func(s *service) string { return s.key() }); err != nil {
		return err
	}
	if b.tables.deployments, m.deployments, err = load(b.Store, "ecs.deployments", func(d *deployment) string { return d.arn() }); err != nil {
		return err
	}
	if b.tables.revisions, m.revisions, err = load(b.Store, "ecs.revisions", func(r *revision) string { return r.arn() }); err != nil {
		return err
	}
	b.tables.tasks, m.tasks, err = load(b.Store, "ecs.tasks", func(t *task) string { return t.arn() })
	return err
}

func load[T any](s *store.Store, name string, key func(*T) string) (*store.Table[T], map[string]*T, error) {
	table, err := store.NewTable[T](s, name)
	if err != nil {
		return nil, nil, err
	}
	all := map[string]*T{}
	err = table.Each("", func(_ string, value T) error {
		all[key(&value)] = &value
		return nil
	})
	return table, all, err
}

// The saves put a record on disk when the lock is released. The lock is held.

func (b *Backend) saveService(s *service)       { save(b, b.tables.services, s.key(), s) }
func (b *Backend) saveDeployment(d *deployment) { save(b, b.tables.deployments, d.arn(), d) }
func (b *Backend) saveRevision(r *revision)     { save(b, b.tables.revisions, r.arn(), r) }
func (b *Backend) saveTask(t *task)             { save(b, b.tables.tasks, t.arn(), t) }

// recordKey names a record of any table.
type recordKey struct {
	table any
	key   string
}

func save[T any](b *Backend, table *store.Table[T], key string, record *T) {
	b.unsaved[recordKey{table, key}] = func(batch *store.Batch) error { return table.PutIn(batch, key, *record) }
}

func (b *Backend) lock() { b.mu.Lock() }

// unlock puts what changed under the lock on disk, all of it or nothing, so that a crash never leaves half a step; and
// only then lets others see it. Records that cannot be written are tried again with the next step.
func (b *Backend) unlock() {
	defer b.mu.Unlock()
	if len(b.unsaved) == 0 {
		return
	}
	err := b.Store.Update(func(batch *store.Batch) error {
		for _, put := range b.unsaved {
			if err := put(batch); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.note(err)
		return
	}
	clear(b.unsaved)
}

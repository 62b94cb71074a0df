// Package logs is Amazon CloudWatch Logs for local AWS: log groups, streams and events, as its API has them and as the
// awslogs driver of containers writes them.
//
// The exported methods of Backend that have an operation's shape are the API. The package must not know ECS, the engine,
// or the release pipeline.
package logs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/google/uuid"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/store"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

// Config is what New needs.
type Config struct {
	Store *store.Store
	Dir   string       // for events; created
	Log   *slog.Logger // nil: none
}

// Backend is the state and the operations of CloudWatch Logs. It is safe for concurrent use.
type Backend struct {
	dir     string
	log     *slog.Logger
	groups  *store.Table[group]  // region, group
	streams *store.Table[stream] // region, group, stream

	mu       sync.Mutex          // makes check-then-write one step
	journals map[string]*journal // by file name: those that were used
}

// group is a log group as it is stored.
type group struct {
	Name      string              `json:"name"`
	Created   int64               `json:"created"` // milliseconds since the epoch, as all times of this API
	Retention int32               `json:"retention,omitempty"`
	Class     types.LogGroupClass `json:"class"`
}

// stream is a log stream as it is stored; its events are in a file of their own.
type stream struct {
	Name    string `json:"name"`
	Created int64  `json:"created"`
	File    string `json:"file"`
}

// New opens the state, and removes events that no stream has any more or that are past their group's retention.
func New(cfg Config) (*Backend, error) {
	if cfg.Store == nil || cfg.Dir == "" {
		return nil, errors.New("logs: Store and Dir are needed")
	}
	b := &Backend{dir: cfg.Dir, log: cfg.Log, journals: map[string]*journal{}}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of logs: %w", err)
	}
	var err error
	if b.groups, err = store.NewTable[group](cfg.Store, "logs.groups"); err != nil {
		return nil, err
	}
	if b.streams, err = store.NewTable[stream](cfg.Store, "logs.streams"); err != nil {
		return nil, err
	}
	return b, b.sweep()
}

// Service is the registration of CloudWatch Logs with wire.
func (b *Backend) Service() wire.Service {
	return wire.Service{
		Name:         "logs",
		TargetPrefix: "Logs_20140328",
		Backend:      b,
		Operations:   wire.OperationsOf((*cloudwatchlogs.Client)(nil)),
	}
}

// sweep removes the files of events that are of no use.
func (b *Backend) sweep() error {
	retentions := map[string]int32{} // by key of the group
	err := b.groups.Each("", func(key string, g group) error {
		retentions[key] = g.Retention
		return nil
	})
	if err != nil {
		return err
	}
	used := map[string]bool{}
	var expired []string
	err = b.streams.Each("", func(key string, s stream) error {
		used[s.File] = true
		parts := strings.Split(key, "\x00")
		days := retentions[store.Key(parts[0], parts[1])]
		info, err := os.Stat(filepath.Join(b.dir, s.File))
		if err == nil && days > 0 && info.ModTime().UnixMilli() < cutoff(days, time.Now()) {
			expired = append(expired, s.File)
		}
		return nil
	})
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(b.dir)
	if err != nil {
		return fmt.Errorf("list logs: %w", err)
	}
	for _, e := range entries {
		if !used[e.Name()] || slices.Contains(expired, e.Name()) {
			if err := os.Remove(filepath.Join(b.dir, e.Name())); err != nil {
				return fmt.Errorf("remove old logs: %w", err)
			}
		}
	}
	return nil
}

// cutoff is the time of the oldest event that a group with so many days of retention shows.
func cutoff(days int32, now time.Time) int64 {
	if days == 0 {
		return 0
	}
	return now.AddDate(0, 0, -int(days)).UnixMilli()
}

// place is a log group as a request names it.
type place struct{ region, group string }

func (p place) key() string               { return store.Key(p.region, p.group) }
func (p place) child(name string) string  { return store.Key(p.region, p.group, name) }
func (p place) arn() string               { return arnPrefix(p.region) + p.group }
func (p place) streamARN(s string) string { return p.arn() + ":log-stream:" + s }

func arnPrefix(region string) string {
	return "arn:aws:logs:" + region + ":" + wire.AccountID + ":log-group:"
}

func regionOf(ctx context.Context) string { return wire.CallerOf(ctx).Region }

// find gives a log group that must exist.
func (b *Backend) find(p place) (group, error) {
	g, ok, err := b.groups.Get(p.key())
	if err != nil {
		return group{}, err
	}
	if !ok {
		return group{}, &types.ResourceNotFoundException{Message: aws.String("The specified log group does not exist.")}
	}
	return g, nil
}

// findStream gives a log stream that must exist.
func (b *Backend) findStream(p place, name string) (stream, error) {
	s, ok, err := b.streams.Get(p.child(name))
	if err != nil {
		return stream{}, err
	}
	if !ok {
		return stream{}, &types.ResourceNotFoundException{Message: aws.String("The specified log stream does not exist.")}
	}
	return s, nil
}

// journal gives the events of a stream.
func (b *Backend) journal(s stream) *journal {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.journalLocked(s)
}

func (b *Backend) journalLocked(s stream) *journal {
	j := b.journals[s.File]
	if j == nil {
		j = &journal{path: filepath.Join(b.dir, s.File)}
		b.journals[s.File] = j
	}
	return j
}

// createStream makes the stream unless it is there; made says which. The group must exist.
func (b *Backend) createStream(p place, name string) (s stream, made bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, err := b.find(p); err != nil {
		return stream{}, false, err
	}
	s, ok, err := b.streams.Get(p.child(name))
	if err != nil || ok {
		return s, false, err
	}
	s = stream{Name: name, Created: time.Now().UnixMilli(), File: uuid.NewString() + ".log"}
	return s, true, b.streams.Put(p.child(name), s)
}

// removeStream removes a stream and its events. The caller holds b.mu.
func (b *Backend) removeStream(p place, s stream) error {
	if err := b.streams.Delete(p.child(s.Name)); err != nil {
		return err
	}
	j := b.journalLocked(s)
	delete(b.journals, s.File)
	return j.remove()
}

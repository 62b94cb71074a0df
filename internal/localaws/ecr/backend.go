// Package ecr is Amazon ECR for local AWS: the API (JSON 1.1, by package wire) and the OCI registry under /v2/, on the
// same repositories and images. Repositories belong to a region; blobs are content and are shared by all of them.
//
// The exported methods of Backend that have an operation's shape are ECR's API. The package must not know ECS, the
// engine, or the release pipeline.
package ecr

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"reflect"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/ecr/blob"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/store"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

// uploadLife is how long an unfinished upload is kept.
const uploadLife = 24 * time.Hour

// Config is what New needs.
type Config struct {
	Store *store.Store
	Dir   string // for blobs; created
	Host  string // HOST:PORT of /v2/ as clients see it
	Pull  string // HOST:PORT of /v2/ as what runs containers reaches it; empty: Host
	Log   *slog.Logger
}

// Backend is ECR's state and operations. It is safe for concurrent use.
type Backend struct {
	host  string
	pull  string
	log   *slog.Logger
	key   []byte // signs tokens
	blobs *blob.Store

	repositories *store.Table[repository] // region, name
	images       *store.Table[image]      // region, repository, digest
	tags         *store.Table[tag]        // region, repository, tag
	layers       *store.Table[layer]      // region, repository, digest

	// mu makes check-then-write one step: held for reading to let a repository use a layer, which many may do at once, and
	// for writing by all that changes repositories, images or tags, or takes a layer away. Bodies are received outside it.
	mu sync.RWMutex
}

// New opens ECR's state, removes what is no longer needed, and makes the key of tokens when there is none yet.
func New(cfg Config) (*Backend, error) {
	if cfg.Store == nil || cfg.Dir == "" || cfg.Host == "" {
		return nil, errors.New("ecr: Store, Dir and Host are needed")
	}
	b := &Backend{host: cfg.Host, pull: cmp.Or(cfg.Pull, cfg.Host), log: cfg.Log}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if b.blobs, err = blob.Open(filepath.Clean(cfg.Dir)); err != nil {
		return nil, err
	}
	if err := b.openTables(cfg.Store); err != nil {
		return nil, err
	}
	if b.key, err = tokenKey(cfg.Store); err != nil {
		return nil, err
	}
	if err := b.blobs.Expire(time.Now().Add(-uploadLife)); err != nil {
		return nil, err
	}
	if err := b.collect(time.Now().Add(-uploadLife)); err != nil {
		return nil, fmt.Errorf("remove unreferenced blobs: %w", err)
	}
	return b, nil
}

func (b *Backend) openTables(s *store.Store) error {
	var err error
	if b.repositories, err = store.NewTable[repository](s, "ecr.repositories"); err != nil {
		return err
	}
	if b.images, err = store.NewTable[image](s, "ecr.images"); err != nil {
		return err
	}
	if b.tags, err = store.NewTable[tag](s, "ecr.tags"); err != nil {
		return err
	}
	b.layers, err = store.NewTable[layer](s, "ecr.layers")
	return err
}

// Service is the registration of ECR with wire.
func (b *Backend) Service() wire.Service {
	return wire.Service{
		Name:         "ecr",
		TargetPrefix: "AmazonEC2ContainerRegistry_V20150921",
		Backend:      b,
		Operations:   wire.OperationsOf((*ecr.Client)(nil)),
		Capitalised:  func(t reflect.Type) bool { return t == reflect.TypeFor[types.Tag]() },
		MaxBody:      32 << 20, // a layer part of 20,971,520 bytes in base64, and its JSON
	}
}

// place is a repository as a request names it.
type place struct{ region, name string }

func (p place) key() string              { return store.Key(p.region, p.name) }
func (p place) child(name string) string { return store.Key(p.region, p.name, name) }
func (p place) String() string           { return p.region + "/" + p.name }
func (p place) arn() string              { return arnPrefix(p.region) + p.name }
func arnPrefix(region string) string {
	return "arn:aws:ecr:" + region + ":" + wire.AccountID + ":repository/"
}
func regionOf(ctx context.Context) string { return wire.CallerOf(ctx).Region }
func (p place) uri(host string) string    { return host + "/" + p.name }
func invalidParameter(f string, a ...any) error {
	message := fmt.Sprintf(f, a...)
	return &types.InvalidParameterException{Message: &message}
}

// repository finds the repository that an operation names. A registry id other than the account's has none.
func (b *Backend) repository(ctx context.Context, registryID, name *string) (repository, error) {
	if err := checkRepositoryName(name); err != nil {
		return repository{}, err
	}
	if registryID != nil && *registryID != wire.AccountID {
		return repository{}, repositoryNotFound(*name, *registryID)
	}
	return b.find(place{region: regionOf(ctx), name: *name})
}

func (b *Backend) find(p place) (repository, error) {
	r, ok, err := b.repositories.Get(p.key())
	if err != nil {
		return repository{}, err
	}
	if !ok {
		return repository{}, repositoryNotFound(p.name, wire.AccountID)
	}
	return r, nil
}

func repositoryNotFound(name, registryID string) error {
	message := fmt.Sprintf("The repository with name '%s' does not exist in the registry with id '%s'", name, registryID)
	return &types.RepositoryNotFoundException{Message: &message}
}

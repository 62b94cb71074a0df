// Package secrets is AWS Secrets Manager for local AWS: secrets with versions and staging labels, by region. Values are
// sealed before they are stored and are in no error and no log.
//
// The exported methods of Backend that have an operation's shape are the API. The package must not know ECS, the engine,
// or the release pipeline.
package secrets

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/seal"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/store"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

// Config is what New needs.
type Config struct {
	Store *store.Store
	Box   *seal.Box // keeps values unreadable in the store
}

// Backend is the state of Secrets Manager and its operations. It is safe for concurrent use.
type Backend struct {
	box     *seal.Box
	secrets *store.Table[secret] // region, name
	mu      sync.Mutex           // makes check-then-write one step
}

// New opens the state and removes the secrets whose recovery window has ended.
func New(cfg Config) (*Backend, error) {
	if cfg.Store == nil || cfg.Box == nil {
		return nil, errors.New("secrets: Store and Box are needed")
	}
	table, err := store.NewTable[secret](cfg.Store, "secrets.secrets")
	if err != nil {
		return nil, err
	}
	b := &Backend{box: cfg.Box, secrets: table}
	all, err := table.List("")
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		if _, err := b.current(s); err != nil {
			return nil, fmt.Errorf("remove the deleted secret %s: %w", s.Name, err)
		}
	}
	return b, nil
}

// Service is the registration of Secrets Manager with wire.
func (b *Backend) Service() wire.Service {
	return wire.Service{
		Name:           "secretsmanager",
		TargetPrefix:   "secretsmanager",
		Backend:        b,
		Operations:     wire.OperationsOf((*secretsmanager.Client)(nil)),
		Capitalised:    func(reflect.Type) bool { return true },
		ValidationCode: "ValidationException",
	}
}

func regionOf(ctx context.Context) string { return wire.CallerOf(ctx).Region }

// now is the time as the API tells it: to the millisecond.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// Errors in AWS's own words.

func notFound(what string) error {
	message := "Secrets Manager can't find the specified " + what
	return &types.ResourceNotFoundException{Message: &message}
}

func invalidRequest(format string, args ...any) error {
	message := fmt.Sprintf(format, args...)
	return &types.InvalidRequestException{Message: &message}
}

func invalidParameter(format string, args ...any) error {
	message := fmt.Sprintf(format, args...)
	return &types.InvalidParameterException{Message: &message}
}

func exists(format string, args ...any) error {
	message := fmt.Sprintf(format, args...)
	return &types.ResourceExistsException{Message: &message}
}

func errDeleted() error {
	return invalidRequest("You can't perform this operation on the secret because it was marked for deletion.")
}

// absent refuses a parameter that would be ignored otherwise.
func absent(parameter string) error {
	return wire.Errorf("NotImplementedException", "local AWS does not implement the parameter %s of secretsmanager", parameter)
}

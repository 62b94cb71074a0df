// Package ssm is AWS Systems Manager's Parameter Store for local AWS: parameters with versions, by region. Values are
// sealed before they are stored and are in no error and no log. The rest of Systems Manager is not there.
//
// The exported methods of Backend that have an operation's shape are the API. The package must not know ECS, the engine,
// or the release pipeline.
package ssm

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/seal"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/store"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

// Config is what New needs.
type Config struct {
	Store *store.Store
	Box   *seal.Box // keeps values unreadable in the store
}

// Backend is the state of Parameter Store and its operations. It is safe for concurrent use.
type Backend struct {
	box        *seal.Box
	parameters *store.Table[parameter] // region, name
	mu         sync.Mutex              // makes check-then-write one step
}

// New opens the state.
func New(cfg Config) (*Backend, error) {
	if cfg.Store == nil || cfg.Box == nil {
		return nil, errors.New("ssm: Store and Box are needed")
	}
	table, err := store.NewTable[parameter](cfg.Store, "ssm.parameters")
	if err != nil {
		return nil, err
	}
	return &Backend{box: cfg.Box, parameters: table}, nil
}

// Service is the registration of Systems Manager with wire.
func (b *Backend) Service() wire.Service {
	return wire.Service{
		Name:           "ssm",
		TargetPrefix:   "AmazonSSM",
		Backend:        b,
		Operations:     wire.OperationsOf((*ssm.Client)(nil)),
		Capitalised:    func(reflect.Type) bool { return true },
		ValidationCode: codeValidation,
	}
}

// parameter is one parameter of a region.
type parameter struct {
	Region, Name string
	Tags         []types.Tag
	Versions     []version // oldest first, never empty
}

// version is one value of a parameter, with what was said of it.
type version struct {
	Number      int64
	Type        types.ParameterType
	Tier        types.ParameterTier
	DataType    string
	Description string
	KeyID       string // of a SecureString
	Pattern     string // allowedPattern
	Modified    time.Time
	Sealed      []byte
}

func (p *parameter) key() string     { return store.Key(p.Region, p.Name) }
func (p *parameter) arn() string     { return arnPrefix(p.Region) + strings.TrimPrefix(p.Name, "/") }
func (p *parameter) newest() version { return p.Versions[len(p.Versions)-1] }

// place is what a version's value is sealed for.
func (p *parameter) place(number int64) string {
	return store.Key("ssm", p.Region, p.Name, fmt.Sprint(number))
}

func arnPrefix(region string) string {
	return "arn:aws:ssm:" + region + ":" + wire.AccountID + ":parameter/"
}

func regionOf(ctx context.Context) string { return wire.CallerOf(ctx).Region }

const codeValidation = "ValidationException"

func invalid(format string, args ...any) error { return wire.Errorf(codeValidation, format, args...) }

// absent refuses a parameter of an operation that would be ignored otherwise.
func absent(member string) error {
	return wire.Errorf("NotImplementedException", "local AWS does not implement the parameter %s of ssm", member)
}

// errNotFound has no message, as on AWS.
func errNotFound() error { return &types.ParameterNotFound{} }

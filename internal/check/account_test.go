package check

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// noon is now, in tests.
var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// account is a Cloud that answers from fields.
type account struct {
	ahead      time.Duration
	clockKnown bool
	expiry     awsclient.Expiry
	ends       bool
	expiryErr  error

	mutability    Mutability
	mutabilityErr error
	policy        string
	policyErr     error
	tags          map[release.Digest][]string // of the images that there are
	tagsErr       error

	there      []string // secrets, parameters and log groups that exist
	secretsErr error
	groupErr   error
	forbidden  []Permission // to every role
	roleErr    error

	asked *asked
}

// asked remembers what was asked for.
type asked struct {
	mu   sync.Mutex
	what []string
}

func (a account) note(format string, args ...any) {
	a.asked.mu.Lock()
	defer a.asked.mu.Unlock()
	a.asked.what = append(a.asked.what, fmt.Sprintf(format, args...))
}

func soundAccount() account {
	return account{
		clockKnown: true, mutability: Mutability{Immutable: true, Except: []string{"latest"}},
		policyErr: fmt.Errorf("no policy: %w", release.ErrNotFound), there: []string{"/ecs/web"}, asked: &asked{},
	}
}

func (a account) ClockAhead() (time.Duration, bool) { return a.ahead, a.clockKnown }

func (a account) Expiry(context.Context) (awsclient.Expiry, bool, error) {
	return a.expiry, a.ends, a.expiryErr
}

func (a account) Mutability(context.Context, string) (Mutability, error) {
	return a.mutability, a.mutabilityErr
}

func (a account) LifecyclePolicy(context.Context, string) (string, error) {
	return a.policy, a.policyErr
}

func (a account) Tags(_ context.Context, _ string, d release.Digest) ([]string, error) {
	a.note("tags %s", d)
	tags, ok := a.tags[d]
	if !ok && a.tagsErr == nil {
		return nil, fmt.Errorf("image %s: %w", d, release.ErrNotFound)
	}
	return tags, a.tagsErr
}

func (a account) Secrets(_ context.Context, references []string) map[string]error {
	found := map[string]error{}
	for _, r := range references {
		a.note("secret %s", r)
		found[r] = a.secretsErr
		if a.secretsErr == nil && !slices.Contains(a.there, r) {
			found[r] = fmt.Errorf("it does not exist: %w", release.ErrNotFound)
		}
	}
	return found
}

func (a account) LogGroup(_ context.Context, region, name string) error {
	a.note("log group %s/%s", region, name)
	if a.groupErr == nil && !slices.Contains(a.there, name) {
		return fmt.Errorf("log group %s: %w", name, release.ErrNotFound)
	}
	return a.groupErr
}

func (a account) Denied(_ context.Context, role string, wanted []Permission) ([]Permission, error) {
	a.note("role %s %d", role, len(wanted))
	var denied []Permission
	for _, p := range wanted {
		if slices.Contains(a.forbidden, p) {
			denied = append(denied, p)
		}
	}
	return denied, a.roleErr
}

package check

import (
	"context"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// Cloud answers what check asks of an AWS account beyond the pipeline's own ports. Every method only reads, and none of
// them reads a secret's value. What does not exist is release.ErrNotFound. It is safe for concurrent use.
type Cloud interface {
	// Account is the account that the credentials belong to.
	Account(ctx context.Context) (string, error)
	// ClockAhead is by how much this machine's clock is ahead of AWS's; known once something has answered.
	ClockAhead() (ahead time.Duration, known bool)
	// Expiry tells when the credentials end, where that is known.
	Expiry(ctx context.Context) (expiry awsclient.Expiry, known bool, err error)
	// Mutability tells which tags of a repository can move.
	Mutability(ctx context.Context, repository string) (Mutability, error)
	// LifecyclePolicy is the text of a repository's lifecycle policy.
	LifecyclePolicy(ctx context.Context, repository string) (string, error)
	// Tags are the tags of an image; none is no error.
	Tags(ctx context.Context, repository string, digest release.Digest) ([]string, error)
	// Secrets looks for what container definitions name as a secret's valueFrom, and gives an error for each that is not
	// as it should be.
	Secrets(ctx context.Context, references []string) map[string]error
	// LogGroup looks for a log group; an empty region is the target's own.
	LogGroup(ctx context.Context, region, name string) error
	// Denied gives those of the permissions that a role does not have.
	Denied(ctx context.Context, role string, wanted []Permission) ([]Permission, error)
}

// Mutability is which tags of a repository can move to another image.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-tag-mutability.html
type Mutability struct {
	Immutable bool     // of tags that no filter matches
	Except    []string // wildcard filters: of tags that one of them matches the opposite is true
}

// moves reports whether a tag can move.
func (m Mutability) moves(tag string) bool {
	for _, filter := range m.Except {
		if wildcard(filter, tag) {
			return m.Immutable
		}
	}
	return !m.Immutable
}

// Permission is an action on a resource (an ARN, or "*").
type Permission struct{ Action, Resource string }

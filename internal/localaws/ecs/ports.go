package ecs

import (
	"context"
	"time"
)

// Images is the registry as ECS sees it. Local AWS's ECR implements it.
type Images interface {
	// Resolve turns an image as a task definition names it (HOST/NAME[:TAG][@DIGEST]) into what the engine can pull.
	// Every ECR host name (<12 digits>.dkr.ecr.<region>.amazonaws.com) and the registry's own listen address stand for
	// the registry of region. wraps engine.ErrImageNotFound when there is no such image.
	Resolve(ctx context.Context, region, image string) (ResolvedImage, error)
}

// ResolvedImage is an image with its digest fixed and a way to pull it.
type ResolvedImage struct {
	Ref                string // HOST:PORT/NAME@sha256:… for the engine
	Digest             string // of the manifest or index that the name resolved to
	PlainHTTP          bool
	Username, Password string
}

// LoadBalancer is Elastic Load Balancing as ECS sees it. A target group that ECS names for the first time is created.
type LoadBalancer interface {
	// EnsureTargetGroup makes the target group serve on a listener of its own.
	EnsureTargetGroup(ctx context.Context, group TargetGroup) error
	// Register adds a target; it gets traffic once it is healthy.
	Register(ctx context.Context, arn string, t Target) error
	// Deregister stops new requests to the target and returns when those in flight are done or the group's
	// deregistration delay has passed. A missing target is a success.
	Deregister(ctx context.Context, arn string, targetID string) error
	// Health is the state of a target: initial | healthy | unhealthy | draining | unused, with a reason.
	Health(arn, targetID string) (state, reason string)
	// Remove closes the listener and forgets the group.
	Remove(ctx context.Context, arn string) error
}

// TargetGroup is one load-balanced container port of a service.
type TargetGroup struct {
	ARN     string
	Service string            // for people: CLUSTER/SERVICE
	Tags    map[string]string // of the service: its medusa-deploy:* tags tune the listener and the health check
}

// Target is one task behind a target group.
type Target struct {
	ID   string // task id
	IP   string
	Port int
}

// LogSink is CloudWatch Logs as the awslogs driver sees it.
type LogSink interface {
	// GroupExists reports whether the log group is there: ECS refuses to start a task without it
	// (unless awslogs-create-group is "true", then CreateGroup).
	GroupExists(ctx context.Context, region, group string) (bool, error)
	CreateGroup(ctx context.Context, region, group string) error
	// Put appends lines to a stream, creating the stream.
	Put(ctx context.Context, region, group, stream string, lines []LogLine) error
}

// LogLine is one line that a container wrote.
type LogLine struct {
	At   time.Time
	Text string
}

// Secrets is where the values of container secrets are. Local AWS's Secrets Manager and Parameter Store implement it. An
// error begins with the code of the API that was asked ("ResourceNotFoundException: …") and never holds a value.
type Secrets interface {
	// Secret gives a secret's text as GetSecretValue does; empty for one that is bytes.
	Secret(ctx context.Context, region string, q SecretQuery) (string, error)
	// Parameters gives the decrypted values of at most ten parameters, by the names or ARNs asked for, and those of the ones
	// that are not there, as GetParameters does.
	Parameters(ctx context.Context, region string, names []string) (values map[string]string, missing []string, err error)
}

// SecretQuery names a version of a secret.
type SecretQuery struct {
	ID      string // ARN
	Stage   string // empty: AWSCURRENT, unless Version is there
	Version string // empty: any
}

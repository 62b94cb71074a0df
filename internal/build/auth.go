package build

import (
	"context"
	"fmt"

	"github.com/moby/buildkit/session/auth"
	"google.golang.org/grpc"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// credentials hands the daemon what opens a registry, for the length of one solve and from memory. BuildKit's own
// provider reads the Docker configuration and writes a seed file beside it; this one touches no file.
type credentials struct {
	auth.UnimplementedAuthServer
	push   release.Credentials // zero in a build that pushes nothing
	others func(ctx context.Context, host string) (release.Credentials, bool, error)
}

// Register implements session.Attachable.
func (c *credentials) Register(server *grpc.Server) { auth.RegisterAuthServer(server, c) }

// Credentials answers for exactly the hosts that it knows: a base image's registry never sees the credentials of the
// registry that is pushed to.
func (c *credentials) Credentials(ctx context.Context, req *auth.CredentialsRequest) (*auth.CredentialsResponse, error) {
	if c.push.Host != "" && c.push.Host == req.GetHost() {
		return &auth.CredentialsResponse{Username: c.push.Username, Secret: c.push.Password}, nil
	}
	if c.others == nil {
		return &auth.CredentialsResponse{}, nil
	}
	known, ok, err := c.others(ctx, req.GetHost())
	if err != nil {
		return nil, fmt.Errorf("credentials of %s: %w", req.GetHost(), err)
	}
	if !ok {
		return &auth.CredentialsResponse{}, nil
	}
	return &auth.CredentialsResponse{Username: known.Username, Secret: known.Password}, nil
}

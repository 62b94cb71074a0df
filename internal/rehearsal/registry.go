package rehearsal

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

// Registry is a registry as its clients know it: the stage's local ECR, or another one.
type Registry struct {
	Host               string // HOST:PORT
	Username, Password string // empty: none are needed
	ecr                *ecr.Client
}

// Registry logs in to the stage's local ECR as `aws ecr get-login-password` does.
func (s *Stage) Registry(ctx context.Context) (*Registry, error) {
	cloud, err := s.Cloud(ctx)
	if err != nil {
		return nil, err
	}
	user, password, err := cloud.loginPassword(ctx)
	if err != nil {
		return nil, err
	}
	return &Registry{Host: cloud.env["ECR_URL"], Username: user, Password: password, ecr: cloud.ECR}, nil
}

// loginPassword gives the registry's user name and a new password.
func (c *Cloud) loginPassword(ctx context.Context) (user, password string, err error) {
	token, err := c.ECR.GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		return "", "", fmt.Errorf("log in to the registry: %w", err)
	}
	login, err := base64.StdEncoding.DecodeString(aws.ToString(token.AuthorizationData[0].AuthorizationToken))
	if err != nil {
		return "", "", fmt.Errorf("log in to the registry: %w", err)
	}
	user, password, _ = strings.Cut(string(login), ":")
	return user, password, nil
}

// Create makes repositories of local ECR. Other registries make theirs at the first push: nothing is done.
func (r *Registry) Create(ctx context.Context, names ...string) error {
	if r.ecr == nil {
		return nil
	}
	for _, name := range names {
		if _, err := r.ecr.CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: &name}); err != nil {
			return fmt.Errorf("create the repository %s: %w", name, err)
		}
	}
	return nil
}

// Empty makes local ECR's repository anew: a client that pushes to it finds nothing there.
func (r *Registry) Empty(ctx context.Context, name string) error {
	if err := r.Delete(ctx, name); err != nil {
		return err
	}
	return r.Create(ctx, name)
}

// Delete deletes a repository of local ECR with all that is in it; a missing one is a success.
func (r *Registry) Delete(ctx context.Context, name string) error {
	_, err := r.ecr.DeleteRepository(ctx, &ecr.DeleteRepositoryInput{RepositoryName: &name, Force: true})
	var missing *ecrtypes.RepositoryNotFoundException
	if err != nil && !errors.As(err, &missing) {
		return fmt.Errorf("delete the repository %s: %w", name, err)
	}
	return nil
}

// DockerConfig writes a directory that DOCKER_CONFIG can name, with the registry's password: what `docker login` leaves,
// and what docker, crane and skopeo read.
func (r *Registry) DockerConfig(dir string) error {
	auth := base64.StdEncoding.EncodeToString([]byte(r.Username + ":" + r.Password))
	auths := map[string]any{}
	if r.Username != "" {
		auths[r.Host] = map[string]string{"auth": auth}
	}
	content, err := json.Marshal(map[string]any{"auths": auths})
	if err != nil {
		return fmt.Errorf("write a Docker config: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("write a Docker config: %w", err)
	}
	return os.WriteFile(filepath.Join(dir, "config.json"), content, 0o600)
}

// Blob asks for one blob; the caller closes the answer's body.
func (r *Registry) Blob(ctx context.Context, repository, digest string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.Host+"/v2/"+repository+"/blobs/"+digest, nil)
	if err != nil {
		return nil, err
	}
	if r.Username != "" {
		request.SetBasicAuth(r.Username, r.Password)
	}
	response, err := http.DefaultClient.Do(request)
	if err == nil && response.StatusCode != http.StatusOK {
		_ = response.Body.Close()
		err = fmt.Errorf("get blob %s: %s", digest, response.Status)
	}
	return response, err
}

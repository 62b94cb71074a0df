package shop

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal/databases"
	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal/nodebase"
)

// The names in examples/medusa.
const (
	Cluster    = "medusa-cluster"
	Server     = "medusa-server"
	Worker     = "medusa-worker"
	Repository = "medusa-shop"
	container  = "medusa-shop"
)

// nodeRepository is where local ECR holds what stands in for Docker Hub's node.
const (
	nodeRepository = "docker.io/library/node"
	nodeTag        = "22-bookworm-slim"
)

// Shop is a stage with all that a shop needs: what is left is to ship it.
type Shop struct {
	*rehearsal.Stage
	Cloud *rehearsal.Cloud
	Data  *databases.Databases
	Base  nodebase.Base
	Began time.Time // of Open
}

// Open makes a stage from tools, whose example is the shop. Progress goes to log. Close the shop.
func Open(ctx context.Context, tools rehearsal.Tools, log io.Writer) (*Shop, error) {
	began := time.Now()
	base, err := nodebase.Make(ctx, "", log)
	if err != nil {
		return nil, err
	}
	stage, err := tools.Stage()
	if err != nil {
		return nil, err
	}
	s := &Shop{Stage: stage, Base: base, Began: began}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, s.Close(context.WithoutCancel(ctx)))
	}
	return s, nil
}

func (s *Shop) open(ctx context.Context) error {
	if err := s.bePatient(); err != nil {
		return err
	}
	if err := s.Up(ctx); err != nil {
		return err
	}
	var err error
	if s.Cloud, err = s.Stage.Cloud(ctx); err != nil {
		return err
	}
	if err := s.Cloud.PushImage(ctx, s.Base.Image, nodeRepository, nodeTag); err != nil {
		return err
	}
	address, err := s.Gateway()
	if err != nil {
		return err
	}
	if err := os.Chmod(s.Dir, 0o711); err != nil { // the databases' users pass through
		return err
	}
	if s.Data, err = databases.Start(ctx, s.Dir, address); err != nil {
		return err
	}
	return s.keepSecrets(ctx)
}

// patience is how many seconds a task may take until it is healthy. The shop itself takes 4 s; when it takes longer here, it
// is the machine that is slow, and not the shop that is ill.
const patience = 300

// bePatient gives the tasks more time than the example does.
func (s *Shop) bePatient() error {
	for _, service := range []string{Server, Worker} {
		if err := s.Rewrite("ecs/"+service+".task-definition.json", func(task map[string]any) error {
			containers, _ := task["containerDefinitions"].([]any)
			if len(containers) != 1 {
				return errors.New("expected one container")
			}
			check, _ := containers[0].(map[string]any)["healthCheck"].(map[string]any)
			if check == nil {
				return errors.New("expected a health check")
			}
			check["startPeriod"], check["timeout"] = patience, 30
			return nil
		}); err != nil {
			return err
		}
	}
	err := s.Rewrite("ecs/"+Server+".service.json", func(service map[string]any) error {
		service["healthCheckGracePeriodSeconds"] = patience
		return nil
	})
	if err != nil {
		return err
	}
	_, err = s.Commit("be patient with a busy machine")
	return err
}

// keepSecrets puts what the task definitions take as secrets where they look for it.
func (s *Shop) keepSecrets(ctx context.Context) error {
	for name, value := range map[string]string{
		"DATABASE_URL": s.Data.PostgresURL(), "REDIS_URL": s.Data.RedisURL(), "JWT_SECRET": rand.Text(), "COOKIE_SECRET": rand.Text(),
	} {
		if _, err := s.Cloud.CreateSecret(ctx, "medusa-shop/"+name, value); err != nil {
			return err
		}
	}
	return nil
}

// Close stops everything and removes it. What is still there then is an error.
func (s *Shop) Close(ctx context.Context) error {
	var failed []error
	if s.Data != nil {
		failed = append(failed, s.Data.Close())
	}
	if err := errors.Join(append(failed, s.Stage.Close(ctx))...); err != nil {
		return err
	}
	left, err := rehearsal.Leftovers(s.State)
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("left over: %q", left)
	}
	return err
}

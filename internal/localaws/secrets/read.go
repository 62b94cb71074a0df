package secrets

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

const day = 24 * time.Hour

// GetSecretValue gives the value of a version: the one named by its id, by its staging label, or the current one.
func (b *Backend) GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput) (*secretsmanager.GetSecretValueOutput, error) {
	var v wire.Violations
	if in.VersionId != nil {
		v.Length("versionId", *in.VersionId, len(*in.VersionId), minToken, maxToken)
	}
	if in.VersionStage != nil {
		v.Length("versionStage", *in.VersionStage, len(*in.VersionStage), 1, maxStage)
	}
	if err := v.Err(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s, err := b.live(ctx, in.SecretId)
	if err != nil {
		return nil, err
	}
	found, err := s.pick(in.VersionId, in.VersionStage)
	if err != nil {
		return nil, err
	}
	content, err := b.box.Unseal(found.Sealed, s.place(found.ID))
	if err != nil {
		return nil, fmt.Errorf("the value of the secret %s: %w; put it again: aws secretsmanager put-secret-value --secret-id %s …", s.Name, err, s.Name)
	}
	out := &secretsmanager.GetSecretValueOutput{
		ARN: aws.String(s.arn()), Name: &s.Name, VersionId: &found.ID, VersionStages: found.Stages, CreatedDate: &found.Created,
	}
	if found.Binary {
		out.SecretBinary = content
	} else {
		out.SecretString = aws.String(string(content))
	}
	return out, b.accessed(s)
}

// pick finds a version as GetSecretValue names it.
func (s *secret) pick(id, stage *string) (*version, error) {
	if id == nil {
		wanted := stageCurrent
		set(&wanted, stage)
		if v := s.staged(wanted); v != nil {
			return v, nil
		}
		return nil, notFound("secret value for staging label: " + wanted)
	}
	v := s.version(*id)
	if v == nil {
		return nil, notFound("secret value for VersionId: " + *id)
	}
	if stage != nil && s.staged(*stage) != v {
		return nil, invalidRequest("You provided a VersionStage that is not associated to the provided VersionId.")
	}
	return v, nil
}

// accessed notes the day on which a value was read.
func (b *Backend) accessed(s secret) error {
	today := now().Truncate(day)
	if s.Accessed.Equal(today) {
		return nil
	}
	s.Accessed = today
	return b.secrets.Put(s.key(), s)
}

// DescribeSecret tells all of a secret but its value, also while it waits to be deleted.
func (b *Backend) DescribeSecret(ctx context.Context, in *secretsmanager.DescribeSecretInput) (*secretsmanager.DescribeSecretOutput, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, err := b.find(ctx, in.SecretId)
	if err != nil {
		return nil, err
	}
	return &secretsmanager.DescribeSecretOutput{
		ARN: aws.String(s.arn()), Name: &s.Name, Description: text(s.Description), KmsKeyId: text(s.KMSKey), Type: text(s.Type),
		CreatedDate: &s.Created, LastChangedDate: &s.Changed, LastAccessedDate: date(s.Accessed), DeletedDate: date(s.Purge),
		Tags: s.Tags, VersionIdsToStages: s.stages(),
	}, nil
}

// date is an optional time for an output.
func date(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// unlessNotFound drops the error that says that there is no such secret.
func unlessNotFound(err error) error {
	if missing := new(types.ResourceNotFoundException); errors.As(err, &missing) {
		return nil
	}
	return err
}

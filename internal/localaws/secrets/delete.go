package secrets

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

// How long a deleted secret can be restored, in days.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html
const (
	minRecovery     = 7
	maxRecovery     = 30
	defaultRecovery = 30
)

// DeleteSecret marks a secret for deletion, or removes it at once. Removing one that is not there succeeds, as on AWS.
func (b *Backend) DeleteSecret(ctx context.Context, in *secretsmanager.DeleteSecretInput) (*secretsmanager.DeleteSecretOutput, error) {
	force := aws.ToBool(in.ForceDeleteWithoutRecovery)
	if err := checkWindow(in.RecoveryWindowInDays, force); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s, err := b.find(ctx, in.SecretId)
	if force {
		return b.remove(ctx, in.SecretId, s, err)
	}
	if err == nil && s.deleted() {
		err = errDeleted()
	}
	if err != nil {
		return nil, err
	}
	window := int64(defaultRecovery)
	if in.RecoveryWindowInDays != nil {
		window = *in.RecoveryWindowInDays
	}
	s.Purge = now().Add(time.Duration(window) * day)
	return &secretsmanager.DeleteSecretOutput{ARN: aws.String(s.arn()), Name: &s.Name, DeletionDate: &s.Purge}, b.secrets.Put(s.key(), s)
}

func checkWindow(days *int64, force bool) error {
	switch {
	case days == nil:
		return nil
	case force:
		return invalidParameter("You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.")
	case *days < minRecovery || *days > maxRecovery:
		return invalidParameter("The RecoveryWindowInDays value must be between %d and %d days (inclusive).", minRecovery, maxRecovery)
	}
	return nil
}

// remove removes what find found.
func (b *Backend) remove(ctx context.Context, id *string, s secret, found error) (*secretsmanager.DeleteSecretOutput, error) {
	gone := now()
	if found == nil {
		return &secretsmanager.DeleteSecretOutput{ARN: aws.String(s.arn()), Name: &s.Name, DeletionDate: &gone}, b.secrets.Delete(s.key())
	}
	if err := unlessNotFound(found); err != nil {
		return nil, err
	}
	return &secretsmanager.DeleteSecretOutput{ARN: aws.String(arnPrefix(regionOf(ctx)) + *id), Name: id, DeletionDate: &gone}, nil
}

// RestoreSecret takes the mark away. A secret that has none is left as it is.
func (b *Backend) RestoreSecret(ctx context.Context, in *secretsmanager.RestoreSecretInput) (*secretsmanager.RestoreSecretOutput, error) {
	if err := wire.Required(in, "SecretId"); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s, err := b.find(ctx, in.SecretId)
	if err != nil {
		return nil, err
	}
	s.Purge = time.Time{}
	return &secretsmanager.RestoreSecretOutput{ARN: aws.String(s.arn()), Name: &s.Name}, b.secrets.Put(s.key(), s)
}

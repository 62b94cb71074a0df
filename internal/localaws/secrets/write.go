package secrets

import (
	"bytes"
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/uuid"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

const (
	maxValue       = 65536 // bytes
	maxDescription = 2048
	maxStages      = 20
	minToken       = 32
	maxToken       = 64
	maxKey         = 2048
	maxType        = 256
	maxStage       = 256
	hidden         = "***" // stands for a value in a message
)

// value is what a request wants a version to hold.
type value struct {
	content []byte
	binary  bool
	there   bool
}

func valueOf(plain *string, binary []byte) (value, error) {
	if plain != nil && binary != nil {
		return value{}, invalidParameter("You can't specify both a binary secret value and a string secret value in the same secret.")
	}
	var v wire.Violations
	given := value{there: true}
	switch {
	case plain != nil:
		given.content = []byte(*plain)
		v.Length("secretString", hidden, len(given.content), 1, maxValue)
	case binary != nil:
		given.content, given.binary = binary, true
		v.Length("secretBinary", hidden, len(binary), 1, maxValue)
	default:
		return value{}, nil
	}
	return given, v.Err()
}

// checkToken holds the token, which becomes a version's id, to the service model. SDKs and the AWS CLI make one.
func checkToken(token *string) error {
	if token == nil {
		return invalidRequest("You must provide a ClientRequestToken value. We recommend a UUID-type value.")
	}
	var v wire.Violations
	v.Length("clientRequestToken", *token, len(*token), minToken, maxToken)
	return v.Err()
}

// same tells whether a version holds the value.
func (b *Backend) same(s *secret, v *version, given value) (bool, error) {
	content, err := b.box.Unseal(v.Sealed, s.place(v.ID))
	return err == nil && v.Binary == given.binary && bytes.Equal(content, given.content), err
}

// addVersion adds a version with the value to a secret, and tells whether it is new: a request that is sent again changes
// nothing.
func (b *Backend) addVersion(s *secret, token string, given value, stages []string) (added bool, err error) {
	if have := s.version(token); have != nil {
		same, err := b.same(s, have, given)
		if err == nil && !same {
			err = exists("You can't modify an existing version, you can only create a new version.")
		}
		return false, err
	}
	s.Changed = now()
	s.add(version{ID: token, Stages: stages, Created: s.Changed, Binary: given.binary, Sealed: b.box.Seal(given.content, s.place(token))})
	return true, nil
}

// CreateSecret makes a secret, with a first version when the request has a value.
func (b *Backend) CreateSecret(ctx context.Context, in *secretsmanager.CreateSecretInput) (*secretsmanager.CreateSecretOutput, error) {
	given, err := checkCreate(in)
	if err != nil {
		return nil, err
	}
	tags, err := mergeTags(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if again, err := b.madeBefore(ctx, in, given); again != nil || err != nil {
		return again, err
	}
	made := now()
	s := secret{
		Region: regionOf(ctx), Name: *in.Name, Suffix: newSuffix(), Description: aws.ToString(in.Description), KMSKey: aws.ToString(in.KmsKeyId),
		Type: aws.ToString(in.Type), Tags: tags, Created: made, Changed: made,
	}
	out := &secretsmanager.CreateSecretOutput{ARN: aws.String(s.arn()), Name: in.Name}
	if given.there {
		if _, err := b.addVersion(&s, *in.ClientRequestToken, given, []string{stageCurrent}); err != nil {
			return nil, err
		}
		out.VersionId = in.ClientRequestToken
	}
	return out, b.secrets.Put(s.key(), s)
}

func checkCreate(in *secretsmanager.CreateSecretInput) (value, error) {
	if err := wire.Required(in, "Name"); err != nil {
		return value{}, err
	}
	var v wire.Violations
	v.Length("name", *in.Name, len(*in.Name), 1, maxName)
	if err := v.Err(); err != nil {
		return value{}, err
	}
	if err := checkName(*in.Name); err != nil {
		return value{}, err
	}
	if len(in.AddReplicaRegions) > 0 {
		return value{}, absent("AddReplicaRegions")
	}
	if err := checkToken(in.ClientRequestToken); err != nil {
		return value{}, err
	}
	if err := checkAbout(in.Description, in.KmsKeyId, in.Type); err != nil {
		return value{}, err
	}
	return valueOf(in.SecretString, in.SecretBinary)
}

func checkAbout(description, key, kind *string) error {
	var v wire.Violations
	v.Length("description", aws.ToString(description), len(aws.ToString(description)), 0, maxDescription)
	v.Length("kmsKeyId", aws.ToString(key), len(aws.ToString(key)), 0, maxKey)
	v.Length("type", aws.ToString(kind), len(aws.ToString(kind)), 0, maxType)
	return v.Err()
}

// madeBefore answers a request for a name that is taken: as before when it is the request that took it, sent again.
func (b *Backend) madeBefore(ctx context.Context, in *secretsmanager.CreateSecretInput, given value) (*secretsmanager.CreateSecretOutput, error) {
	s, err := b.named(regionOf(ctx), *in.Name)
	if err != nil {
		return nil, unlessNotFound(err)
	}
	if s.deleted() {
		return nil, invalidRequest("You can't create this secret because a secret with this name is already scheduled for deletion.")
	}
	if have := s.version(*in.ClientRequestToken); have != nil && given.there {
		same, err := b.same(&s, have, given)
		if err != nil {
			return nil, err
		}
		if same {
			return &secretsmanager.CreateSecretOutput{ARN: aws.String(s.arn()), Name: in.Name, VersionId: &have.ID}, nil
		}
	}
	return nil, exists("The operation failed because the secret %s already exists.", *in.Name)
}

// PutSecretValue adds a version with a new value.
func (b *Backend) PutSecretValue(ctx context.Context, in *secretsmanager.PutSecretValueInput) (*secretsmanager.PutSecretValueOutput, error) {
	given, err := valueOf(in.SecretString, in.SecretBinary)
	if err != nil {
		return nil, err
	}
	if !given.there {
		return nil, invalidRequest("You must provide either SecretString or SecretBinary.")
	}
	if in.RotationToken != nil {
		return nil, absent("RotationToken")
	}
	if err := checkToken(in.ClientRequestToken); err != nil {
		return nil, err
	}
	stages, err := checkStages(in.VersionStages)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s, err := b.live(ctx, in.SecretId)
	if err != nil {
		return nil, err
	}
	added, err := b.addVersion(&s, *in.ClientRequestToken, given, stages)
	if err == nil && added {
		err = b.secrets.Put(s.key(), s)
	}
	if err != nil {
		return nil, err
	}
	return &secretsmanager.PutSecretValueOutput{
		ARN: aws.String(s.arn()), Name: &s.Name, VersionId: in.ClientRequestToken, VersionStages: s.version(*in.ClientRequestToken).Stages,
	}, nil
}

// checkStages gives the labels of a new version.
func checkStages(stages []string) ([]string, error) {
	if stages == nil {
		return []string{stageCurrent}, nil
	}
	var v wire.Violations
	v.Length("versionStages", "[]", len(stages), 1, maxStages)
	for _, stage := range stages {
		v.Length("versionStages", stage, len(stage), 1, maxStage)
	}
	return stages, v.Err()
}

// UpdateSecret changes what is known of a secret, its value, or both.
func (b *Backend) UpdateSecret(ctx context.Context, in *secretsmanager.UpdateSecretInput) (*secretsmanager.UpdateSecretOutput, error) {
	given, err := valueOf(in.SecretString, in.SecretBinary)
	if err != nil {
		return nil, err
	}
	if err := checkAbout(in.Description, in.KmsKeyId, in.Type); err != nil {
		return nil, err
	}
	if in.ClientRequestToken == nil {
		in.ClientRequestToken = aws.String(uuid.NewString())
	}
	if err := checkToken(in.ClientRequestToken); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s, err := b.live(ctx, in.SecretId)
	if err != nil {
		return nil, err
	}
	out := &secretsmanager.UpdateSecretOutput{ARN: aws.String(s.arn()), Name: &s.Name}
	if given.there {
		if _, err := b.addVersion(&s, *in.ClientRequestToken, given, []string{stageCurrent}); err != nil {
			return nil, err
		}
		out.VersionId = in.ClientRequestToken
	}
	set(&s.Description, in.Description)
	set(&s.KMSKey, in.KmsKeyId)
	set(&s.Type, in.Type)
	s.Changed = now()
	return out, b.secrets.Put(s.key(), s)
}

// set changes what a request names.
func set(to, from *string) {
	if from != nil {
		*to = *from
	}
}

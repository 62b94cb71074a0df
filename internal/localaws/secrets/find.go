package secrets

import (
	"context"
	"crypto/rand"
	"errors"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/store"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

const (
	suffixLength  = 6
	suffixLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
)

// newSuffix is what Secrets Manager adds to a secret's name in its ARN, so that a secret that is made again under an old
// name is not open to those who were allowed the old one.
func newSuffix() string {
	suffix := make([]byte, 0, suffixLength)
	random := make([]byte, 1)
	for len(suffix) < suffixLength {
		rand.Read(random) // it never fails: crypto/rand ends the program instead
		if n := int(random[0]); n < 256/len(suffixLetters)*len(suffixLetters) {
			suffix = append(suffix, suffixLetters[n%len(suffixLetters)])
		}
	}
	return string(suffix)
}

var (
	namePattern = regexp.MustCompile(`^[A-Za-z0-9/_+=.@!-]+$`)
	// endsLikeARN is a name that could be the end of a complete ARN.
	endsLikeARN = regexp.MustCompile(`^(.+)-([A-Za-z0-9]{6})$`)
)

// checkName holds a name to the characters that AWS takes.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html
func checkName(name string) error {
	if !namePattern.MatchString(name) {
		return wire.Errorf("ValidationException", "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!")
	}
	return nil
}

const (
	maxName = 512
	maxID   = 2048
)

// find gives the secret that an operation names: by name, by ARN, or by an ARN without the random suffix. As on AWS, an
// ARN that ends in a hyphen and six characters is taken for a complete one.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot.html#ARN_secretnamehyphen
func (b *Backend) find(ctx context.Context, id *string) (secret, error) {
	if id == nil {
		return secret{}, wire.Required(&struct{ SecretId *string }{}, "SecretId")
	}
	var v wire.Violations
	v.Length("secretId", *id, len(*id), 1, maxID)
	if err := v.Err(); err != nil {
		return secret{}, err
	}
	region := regionOf(ctx)
	if parts := foreignARN.FindStringSubmatch(*id); parts != nil && parts[1] == region && parts[2] != wire.AccountID {
		return b.foreign(region, parts[3], parts[4])
	}
	name, isARN := strings.CutPrefix(*id, arnPrefix(region))
	if !isARN && strings.HasPrefix(*id, "arn:") {
		return secret{}, notFound("secret.") // of another account, region or service
	}
	if err := checkName(name); err != nil {
		return secret{}, err
	}
	suffix := ""
	if parts := endsLikeARN.FindStringSubmatch(name); isARN && parts != nil {
		name, suffix = parts[1], parts[2]
	}
	s, err := b.named(region, name)
	if err == nil && suffix != "" && s.Suffix != suffix {
		err = notFound("secret.")
	}
	return s, err
}

// foreignARN is a secret's ARN in any account, with the random suffix apart where there could be one.
var foreignARN = regexp.MustCompile(`^arn:aws[a-z-]*:secretsmanager:([^:]+):([0-9]{12}):secret:([^:]+?)(-[A-Za-z0-9]{6})?$`)

// foreign gives the secret that has the name of another account's: the task definition that AWS takes works unchanged
// here, whatever the random suffix in it. Who asks may read both, so nothing is given away.
func (b *Backend) foreign(region, name, suffix string) (secret, error) {
	s, err := b.named(region, name)
	if _, missing := errors.AsType[*types.ResourceNotFoundException](err); missing && suffix != "" { // the suffix was part of the name
		return b.named(region, name+suffix)
	}
	return s, err
}

// named gives the secret of a name.
func (b *Backend) named(region, name string) (secret, error) {
	s, ok, err := b.secrets.Get(store.Key(region, name))
	if err != nil {
		return secret{}, err
	}
	if ok {
		ok, err = b.current(s)
	}
	if err == nil && !ok {
		err = notFound("secret.")
	}
	return s, err
}

// live is find for the operations that a deleted secret refuses.
func (b *Backend) live(ctx context.Context, id *string) (secret, error) {
	s, err := b.find(ctx, id)
	if err == nil && s.deleted() {
		err = errDeleted()
	}
	return s, err
}

// current tells whether a secret is still there. One whose recovery window has ended goes for good.
func (b *Backend) current(s secret) (bool, error) {
	if !s.deleted() || time.Now().Before(s.Purge) {
		return true, nil
	}
	return false, b.secrets.Delete(s.key())
}

// text is an optional string for an output.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return aws.String(s)
}

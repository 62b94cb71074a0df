package awsclient

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// Identity is who the session's credentials belong to.
type Identity struct {
	Account string // twelve digits
	ARN     string
}

// Identity asks AWS who the credentials belong to. It needs no permission, so that every error is about the
// credentials or the way to AWS, and says which.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
func (s *Session) Identity(ctx context.Context) (Identity, error) {
	out, err := Call(ctx, sts.NewFromConfig(s.config).GetCallerIdentity, &sts.GetCallerIdentityInput{})
	if err != nil {
		return Identity{}, err
	}
	return Identity{Account: aws.ToString(out.Account), ARN: aws.ToString(out.Arn)}, nil
}

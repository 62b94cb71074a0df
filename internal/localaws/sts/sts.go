// Package sts is AWS Security Token Service as local AWS needs it: it says who the caller is. It must not know any
// other service.
package sts

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

// Backend answers the operations of STS. Its zero value is ready.
type Backend struct{}

// Service is the registration of STS with wire.
func (b *Backend) Service() wire.Service {
	return wire.Service{
		Name:         "sts",
		QueryVersion: "2011-06-15",
		Backend:      b,
		Operations:   wire.OperationsOf((*sts.Client)(nil)),
	}
}

// GetCallerIdentity names the one user of local AWS's account.
func (b *Backend) GetCallerIdentity(context.Context, *sts.GetCallerIdentityInput) (*sts.GetCallerIdentityOutput, error) {
	return &sts.GetCallerIdentityOutput{
		Account: aws.String(wire.AccountID),
		Arn:     aws.String("arn:aws:iam::" + wire.AccountID + ":user/local"),
		UserId:  aws.String("AIDALOCALAWS0000000"),
	}, nil
}

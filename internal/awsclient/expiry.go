package awsclient

import (
	"context"
	"os"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
)

// Expiry is when a session's credentials end.
type Expiry struct {
	At time.Time
	// Source is where they come from, for people.
	Source string
	// Renews is set when new ones come by themselves: the role of a machine, a container or a workload.
	Renews bool
}

// expirationVariable is when the credentials of the environment end, as `aws configure export-credentials` and others say
// it. The SDK takes no notice of it.
const expirationVariable = "AWS_CREDENTIAL_EXPIRATION"

// renewing are the SDK's providers whose credentials follow one another without anybody's help.
var renewing = []string{ec2rolecreds.ProviderName, endpointcreds.ProviderName, stscreds.ProviderName, stscreds.WebIdentityProviderName}

// Expiry tells when the credentials end. Known is false when they don't, or when nobody says.
func (s *Session) Expiry(ctx context.Context) (expiry Expiry, known bool, err error) {
	got, err := s.config.Credentials.Retrieve(ctx)
	if err != nil {
		return Expiry{}, false, translate(ctx, err, nil)
	}
	expiry = Expiry{At: got.Expires, Source: s.source.found, Renews: slices.Contains(renewing, got.Source)}
	if expiry.Source == "" {
		expiry.Source = got.Source
	}
	if got.CanExpire {
		return expiry, true, nil
	}
	if said := os.Getenv(expirationVariable); said != "" && s.source.environment {
		if expiry.At, err = time.Parse(time.RFC3339, said); err == nil {
			return expiry, true, nil
		}
	}
	return Expiry{}, false, nil
}

package facts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// reference is a secret as a container definition names it.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Secret.html
type reference struct {
	region    string // empty: the session's own
	secret    string // ARN or name in Secrets Manager; empty: it is a parameter
	stage     string // of the secret's version; empty: AWSCURRENT
	version   string // id of the secret's version; empty: the one that has the stage
	parameter string // name in Parameter Store
}

// behindParameters is how Parameter Store names what is in Secrets Manager.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/integration-ps-secretsmanager.html
const behindParameters = "/aws/reference/secretsmanager/"

// parseReference reads a valueFrom: a secret's ARN, which may go on with a JSON key, a stage and a version; a
// parameter's ARN; or a parameter's name.
func parseReference(from string) reference {
	if name, ok := strings.CutPrefix(from, behindParameters); ok {
		return reference{secret: name}
	}
	parts := strings.Split(from, ":")
	if parts[0] != "arn" || len(parts) < 6 {
		return reference{parameter: parts[0]} // NAME, or NAME:VERSION
	}
	r := reference{region: parts[3]}
	if parts[2] == "secretsmanager" {
		r.secret = strings.Join(parts[:min(7, len(parts))], ":")
		if len(parts) > 8 {
			r.stage = parts[8]
		}
		if len(parts) > 9 {
			r.version = parts[9]
		}
		return r
	}
	name := strings.TrimPrefix(parts[5], "parameter/")
	if strings.Contains(name, "/") {
		name = "/" + name // an ARN leaves out the slash that a path begins with
	}
	r.parameter = name
	return r
}

// Secrets implements check.Cloud: a call for each secret, and one for all parameters of a region.
func (a *Account) Secrets(ctx context.Context, references []string) map[string]error {
	found := make(map[string]error, len(references))
	parameters := map[string][]string{} // by region: references
	var mu sync.Mutex
	var all sync.WaitGroup
	note := func(from string, err error) {
		mu.Lock()
		defer mu.Unlock()
		found[from] = err
	}
	for _, from := range references {
		r := parseReference(from)
		if r.secret == "" {
			parameters[r.region] = append(parameters[r.region], from)
			continue
		}
		all.Go(func() { note(from, a.secret(ctx, r)) })
	}
	for region, group := range parameters {
		for chunk := range slices.Chunk(group, mostParameters) {
			all.Go(func() {
				there, err := a.parameters(ctx, region, chunk)
				for _, from := range chunk {
					if name := parseReference(from).parameter; err == nil && !there[name] {
						note(from, fmt.Errorf("there is no parameter %s: %w", name, release.ErrNotFound))
						continue
					}
					note(from, err)
				}
			})
		}
	}
	all.Wait()
	return found
}

// secret looks for one secret, and for the version that is asked for.
func (a *Account) secret(ctx context.Context, r reference) error {
	out, err := awsclient.Call(ctx, a.secrets.DescribeSecret, &secretsmanager.DescribeSecretInput{SecretId: &r.secret}, func(o *secretsmanager.Options) {
		if r.region != "" {
			o.Region = r.region
		}
	})
	var absent *smtypes.ResourceNotFoundException
	switch {
	case errors.As(err, &absent):
		return fmt.Errorf("there is no such secret: %w", release.ErrNotFound)
	case err != nil:
		return err
	case out.DeletedDate != nil:
		return fmt.Errorf("the secret is being deleted (aws secretsmanager restore-secret --secret-id %s brings it back): %w", r.secret, release.ErrNotFound)
	case r.version != "" && out.VersionIdsToStages[r.version] == nil:
		return fmt.Errorf("the secret has no version %s: %w", r.version, release.ErrNotFound)
	}
	stage := r.stage
	if stage == "" && r.version == "" {
		stage = currentStage
	}
	for id, stages := range out.VersionIdsToStages {
		if stage == "" || slices.Contains(stages, stage) && (r.version == "" || r.version == id) {
			return nil
		}
	}
	return fmt.Errorf("the secret has no value in stage %s: %w", stage, release.ErrNotFound)
}

// currentStage is the stage of the version that a secret has now.
const currentStage = "AWSCURRENT"

// mostParameters is how many names one filter of DescribeParameters takes.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_ParameterStringFilter.html
const mostParameters = 50

// parameters gives the names of those that there are. It asks for what describes them: their values stay where they are.
func (a *Account) parameters(ctx context.Context, region string, references []string) (map[string]bool, error) {
	var names []string
	for _, from := range references {
		names = append(names, parseReference(from).parameter)
	}
	in := &ssm.DescribeParametersInput{
		ParameterFilters: []types.ParameterStringFilter{{Key: aws.String("Name"), Option: aws.String("Equals"), Values: names}},
		MaxResults:       aws.Int32(mostParameters),
	}
	there := map[string]bool{}
	for {
		out, err := awsclient.Call(ctx, a.ssm.DescribeParameters, in, func(o *ssm.Options) {
			if region != "" {
				o.Region = region
			}
		})
		if err != nil {
			return nil, err
		}
		for _, p := range out.Parameters {
			there[aws.ToString(p.Name)] = true
		}
		if aws.ToString(out.NextToken) == "" {
			return there, nil
		}
		in.NextToken = out.NextToken
	}
}

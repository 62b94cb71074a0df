package shop

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// URL is where the shop answers: the load balancer's address.
func (s *Shop) URL(ctx context.Context) (string, error) {
	status, err := s.Status(ctx)
	if err != nil {
		return "", err
	}
	at := slices.IndexFunc(status.Services, func(one release.ServiceStatus) bool { return one.Name == Server && one.URL != "" })
	if at < 0 {
		return "", fmt.Errorf("status names no address of %s", Server)
	}
	return status.Services[at].URL, nil
}

// Runs fails unless all tasks of both services run one commit, and :latest is its image.
func (s *Shop) Runs(ctx context.Context, commit string) error {
	status, err := s.Status(ctx)
	if err != nil {
		return err
	}
	if len(status.Services) != 2 || status.Commit != commit {
		return fmt.Errorf("%d services, and :latest is of commit %s, want %s", len(status.Services), status.Commit, commit)
	}
	for _, one := range status.Services {
		if one.Running != one.Desired || one.Pending != 0 || one.Digests[status.Tagged] != one.Desired || len(one.Drift) > 0 {
			return fmt.Errorf("%s: %d of %d run, by digest %v; drift: %v; want all of %s", one.Name, one.Running, one.Desired, one.Digests, one.Drift, status.Tagged)
		}
	}
	return nil
}

// Layers gives the layers of the image that :latest names, with their compressed sizes in bytes.
func (s *Shop) Layers(ctx context.Context) (map[string]int64, error) {
	out, err := s.Cloud.ECR.BatchGetImage(ctx, &ecr.BatchGetImageInput{
		RepositoryName: aws.String(Repository), ImageIds: []ecrtypes.ImageIdentifier{{ImageTag: aws.String("latest")}},
	})
	if err != nil {
		return nil, fmt.Errorf("ask for the image: %w", err)
	}
	if len(out.Images) != 1 {
		return nil, fmt.Errorf("there is no image %s:latest", Repository)
	}
	var manifest struct {
		Layers []struct {
			Digest string
			Size   int64
		}
	}
	if err := json.Unmarshal([]byte(aws.ToString(out.Images[0].ImageManifest)), &manifest); err != nil {
		return nil, fmt.Errorf("read the image's manifest: %w", err)
	}
	layers := map[string]int64{}
	for _, one := range manifest.Layers {
		layers[one.Digest] = one.Size
	}
	return layers, nil
}

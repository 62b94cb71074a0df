package ecr_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
)

func wantCode(t *testing.T, err error, code, says string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code || !strings.Contains(api.ErrorMessage(), says) {
		t.Errorf("got %v, want %s: …%s…", err, code, says)
	}
}

func TestCreateRepository(t *testing.T) {
	w := newWorld(t)
	out, err := w.client().CreateRepository(t.Context(), &sdk.CreateRepositoryInput{
		RepositoryName:             aws.String("team/app"),
		ImageScanningConfiguration: &types.ImageScanningConfiguration{ScanOnPush: true},
		ImageTagMutability:         types.ImageTagMutabilityImmutableWithExclusion,
		ImageTagMutabilityExclusionFilters: []types.ImageTagMutabilityExclusionFilter{
			{Filter: aws.String("latest*"), FilterType: types.ImageTagMutabilityExclusionFilterTypeWildcard}},
		Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("web")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := out.Repository
	if *r.RepositoryUri != w.host+"/team/app" || *r.RepositoryArn != "arn:aws:ecr:us-east-1:000000000000:repository/team/app" ||
		*r.RegistryId != "000000000000" || !r.ImageScanningConfiguration.ScanOnPush || r.CreatedAt == nil ||
		r.ImageTagMutability != types.ImageTagMutabilityImmutableWithExclusion || *r.ImageTagMutabilityExclusionFilters[0].Filter != "latest*" ||
		r.EncryptionConfiguration.EncryptionType != types.EncryptionTypeAes256 {
		t.Errorf("got %+v", r)
	}
	_, err = w.client().CreateRepository(t.Context(), &sdk.CreateRepositoryInput{RepositoryName: aws.String("team/app")})
	wantCode(t, err, "RepositoryAlreadyExistsException", "The repository with name 'team/app' already exists in the registry with id '000000000000'")

	tags, err := w.client().ListTagsForResource(t.Context(), &sdk.ListTagsForResourceInput{ResourceArn: r.RepositoryArn})
	if err != nil || len(tags.Tags) != 1 || *tags.Tags[0].Value != "web" {
		t.Errorf("tags %v, %v", tags, err)
	}
}

func TestCreateRepositoryRefuses(t *testing.T) {
	w := newWorld(t)
	filter := func(patterns ...string) (filters []types.ImageTagMutabilityExclusionFilter) {
		for _, p := range patterns {
			filters = append(filters, types.ImageTagMutabilityExclusionFilter{Filter: &p, FilterType: types.ImageTagMutabilityExclusionFilterTypeWildcard})
		}
		return filters
	}
	tests := []struct {
		name, code, says string
		in               sdk.CreateRepositoryInput
	}{
		{"upper case", "InvalidParameterException", "must satisfy regular expression", sdk.CreateRepositoryInput{RepositoryName: aws.String("App")}},
		{"too short", "InvalidParameterException", "length greater than or equal to 2", sdk.CreateRepositoryInput{RepositoryName: aws.String("a")}},
		{"too long", "InvalidParameterException", "length less than or equal to 256", sdk.CreateRepositoryInput{RepositoryName: aws.String(strings.Repeat("a", 257))}},
		{"filters without exclusion", "InvalidParameterException", "imageTagMutabilityExclusionFilters",
			sdk.CreateRepositoryInput{RepositoryName: aws.String("app"), ImageTagMutability: "IMMUTABLE", ImageTagMutabilityExclusionFilters: filter("a")}},
		{"exclusion without filters", "InvalidParameterException", "at least one filter",
			sdk.CreateRepositoryInput{RepositoryName: aws.String("app"), ImageTagMutability: "IMMUTABLE_WITH_EXCLUSION"}},
		{"six filters", "InvalidParameterException", "length less than or equal to 5",
			sdk.CreateRepositoryInput{RepositoryName: aws.String("app"), ImageTagMutability: "IMMUTABLE_WITH_EXCLUSION", ImageTagMutabilityExclusionFilters: filter("a", "b", "c", "d", "e", "f")}},
		{"bad filter", "InvalidParameterException", "regular expression pattern",
			sdk.CreateRepositoryInput{RepositoryName: aws.String("app"), ImageTagMutability: "MUTABLE_WITH_EXCLUSION", ImageTagMutabilityExclusionFilters: filter("a b")}},
		{"unknown mode", "InvalidParameterException", "Member must satisfy enum value set: [MUTABLE", sdk.CreateRepositoryInput{RepositoryName: aws.String("app"), ImageTagMutability: "SOLID"}},
		{"reserved tag", "InvalidTagParameterException", "aws:", sdk.CreateRepositoryInput{RepositoryName: aws.String("app"), Tags: []types.Tag{{Key: aws.String("aws:x"), Value: aws.String("")}}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := w.client().CreateRepository(t.Context(), &test.in)
			wantCode(t, err, test.code, test.says)
		})
	}
	out, err := w.client().DescribeRepositories(t.Context(), &sdk.DescribeRepositoriesInput{})
	if err != nil || len(out.Repositories) != 0 {
		t.Errorf("a refused repository was made: %v, %v", out, err)
	}
}

func TestDescribeRepositories(t *testing.T) {
	w := newWorld(t)
	var want []string
	for i := range 7 {
		name := fmt.Sprintf("app-%d", i)
		w.create(name)
		want = append(want, name)
	}
	var got []string
	pages := sdk.NewDescribeRepositoriesPaginator(w.client(), &sdk.DescribeRepositoriesInput{MaxResults: aws.Int32(3)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Repositories) > 3 {
			t.Errorf("a page of %d", len(page.Repositories))
		}
		for _, r := range page.Repositories {
			got = append(got, *r.RepositoryName)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	named, err := w.client().DescribeRepositories(t.Context(), &sdk.DescribeRepositoriesInput{RepositoryNames: []string{"app-5", "app-1"}})
	if err != nil || len(named.Repositories) != 2 || *named.Repositories[0].RepositoryName != "app-5" {
		t.Errorf("named: %v, %v", named, err)
	}
	_, err = w.client().DescribeRepositories(t.Context(), &sdk.DescribeRepositoriesInput{RepositoryNames: []string{"nope"}})
	wantCode(t, err, "RepositoryNotFoundException", "The repository with name 'nope' does not exist in the registry with id '000000000000'")
	_, err = w.client().DescribeRepositories(t.Context(), &sdk.DescribeRepositoriesInput{NextToken: aws.String("%")})
	wantCode(t, err, "InvalidParameterException", "nextToken")
	_, err = w.client().DescribeRepositories(t.Context(), &sdk.DescribeRepositoriesInput{MaxResults: aws.Int32(1001)})
	wantCode(t, err, "InvalidParameterException", "less than or equal to 1000")
	elsewhere, err := w.clientIn("eu-west-1").DescribeRepositories(t.Context(), &sdk.DescribeRepositoriesInput{})
	if err != nil || len(elsewhere.Repositories) != 0 {
		t.Errorf("repositories of another region: %v, %v", elsewhere, err)
	}
	_, err = w.client().DescribeImages(t.Context(), &sdk.DescribeImagesInput{RepositoryName: aws.String("app-1"), RegistryId: aws.String("111111111111")})
	wantCode(t, err, "RepositoryNotFoundException", "'111111111111'")
}

func TestDeleteRepository(t *testing.T) {
	w := newWorld(t)
	w.create("app")
	w.create("app-2") // whose name starts alike
	w.pushImage("app", "v1", "one")
	w.pushImage("app-2", "v1", "two")
	_, err := w.client().DeleteRepository(t.Context(), &sdk.DeleteRepositoryInput{RepositoryName: aws.String("app")})
	wantCode(t, err, "RepositoryNotEmptyException", "cannot be deleted because it still contains images")
	out, err := w.client().DeleteRepository(t.Context(), &sdk.DeleteRepositoryInput{RepositoryName: aws.String("app"), Force: true})
	if err != nil || *out.Repository.RepositoryName != "app" {
		t.Fatalf("%v, %v", out, err)
	}
	w.create("app")
	images, err := w.client().DescribeImages(t.Context(), &sdk.DescribeImagesInput{RepositoryName: aws.String("app")})
	if err != nil || len(images.ImageDetails) != 0 {
		t.Errorf("the new repository has images: %v, %v", images, err)
	}
	if got := w.tags("app-2"); len(got) != 1 {
		t.Errorf("its neighbour lost its tags: %v", got)
	}
}

func TestResourceTagsAndPolicies(t *testing.T) {
	w := newWorld(t)
	c := w.client()
	w.create("app")
	name, arn := aws.String("app"), aws.String("arn:aws:ecr:us-east-1:000000000000:repository/app")
	if _, err := c.TagResource(t.Context(), &sdk.TagResourceInput{ResourceArn: arn, Tags: []types.Tag{
		{Key: aws.String("b"), Value: aws.String("1")}, {Key: aws.String("a"), Value: aws.String("2")}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.UntagResource(t.Context(), &sdk.UntagResourceInput{ResourceArn: arn, TagKeys: []string{"b", "none"}}); err != nil {
		t.Fatal(err)
	}
	tags, err := c.ListTagsForResource(t.Context(), &sdk.ListTagsForResourceInput{ResourceArn: arn})
	if err != nil || len(tags.Tags) != 1 || *tags.Tags[0].Key != "a" {
		t.Errorf("tags %v, %v", tags, err)
	}
	_, err = c.ListTagsForResource(t.Context(), &sdk.ListTagsForResourceInput{ResourceArn: aws.String("arn:aws:s3:::x")})
	wantCode(t, err, "InvalidParameterException", "resourceArn")

	const policy = `{"rules":[{"rulePriority":1,"selection":{"tagStatus":"untagged","countType":"imageCountMoreThan","countNumber":9},"action":{"type":"expire"}}]}`
	_, err = c.GetLifecyclePolicy(t.Context(), &sdk.GetLifecyclePolicyInput{RepositoryName: name})
	wantCode(t, err, "LifecyclePolicyNotFoundException", "'app'")
	if _, err := c.PutLifecyclePolicy(t.Context(), &sdk.PutLifecyclePolicyInput{RepositoryName: name, LifecyclePolicyText: aws.String(policy)}); err != nil {
		t.Fatal(err)
	}
	_, err = c.PutLifecyclePolicy(t.Context(), &sdk.PutLifecyclePolicyInput{RepositoryName: name, LifecyclePolicyText: aws.String("{}")})
	wantCode(t, err, "InvalidParameterException", "LifecyclePolicyText")
	got, err := c.GetLifecyclePolicy(t.Context(), &sdk.GetLifecyclePolicyInput{RepositoryName: name})
	if err != nil || *got.LifecyclePolicyText != policy {
		t.Errorf("lifecycle policy %v, %v", got, err)
	}
	if out, err := c.DeleteLifecyclePolicy(t.Context(), &sdk.DeleteLifecyclePolicyInput{RepositoryName: name}); err != nil || *out.LifecyclePolicyText != policy {
		t.Errorf("deleted %v, %v", out, err)
	}

	_, err = c.GetRepositoryPolicy(t.Context(), &sdk.GetRepositoryPolicyInput{RepositoryName: name})
	wantCode(t, err, "RepositoryPolicyNotFoundException", "'app'")
	_, err = c.SetRepositoryPolicy(t.Context(), &sdk.SetRepositoryPolicyInput{RepositoryName: name, PolicyText: aws.String("{")})
	wantCode(t, err, "InvalidParameterException", "Invalid repository policy provided")
	if _, err := c.SetRepositoryPolicy(t.Context(), &sdk.SetRepositoryPolicyInput{RepositoryName: name, PolicyText: aws.String("{}")}); err != nil {
		t.Fatal(err)
	}
	if out, err := c.GetRepositoryPolicy(t.Context(), &sdk.GetRepositoryPolicyInput{RepositoryName: name}); err != nil || *out.PolicyText != "{}" {
		t.Errorf("policy %v, %v", out, err)
	}
	if _, err := c.DeleteRepositoryPolicy(t.Context(), &sdk.DeleteRepositoryPolicyInput{RepositoryName: name}); err != nil {
		t.Error(err)
	}
	if out, err := c.PutImageScanningConfiguration(t.Context(), &sdk.PutImageScanningConfigurationInput{
		RepositoryName: name, ImageScanningConfiguration: &types.ImageScanningConfiguration{ScanOnPush: true}}); err != nil || !out.ImageScanningConfiguration.ScanOnPush {
		t.Errorf("scanning %v, %v", out, err)
	}
	_, err = c.StartImageScan(t.Context(), &sdk.StartImageScanInput{RepositoryName: name, ImageId: &types.ImageIdentifier{ImageTag: aws.String("x")}})
	wantCode(t, err, "NotImplementedException", "local AWS does not implement ecr:StartImageScan")
}

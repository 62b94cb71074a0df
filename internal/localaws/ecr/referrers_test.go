package ecr_test

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

// attach pushes an artifact about subject and gives its digest.
func (w *world) attach(repository, subject, artifactType, content string) string {
	w.t.Helper()
	w.pushBlob(repository, content)
	manifest := strings.Replace(manifestOf("{}", content), `"config"`,
		fmt.Sprintf(`"artifactType":%q,"annotations":{"k":%q},"subject":{"mediaType":%q,"digest":%q,"size":1},"config"`, artifactType, content, ociManifest, subject), 1)
	w.want(201, w.do("PUT", "/v2/"+repository+"/manifests/"+digestOf(manifest), w.password(), manifest, "Content-Type", ociManifest))
	return digestOf(manifest)
}

func TestListImageReferrers(t *testing.T) {
	w := newWorld(t)
	w.create("app")
	_, subject := w.pushImage("app", "v1", "one")
	w.pushImage("app", "v2", "two")
	var want []string
	for i := range 21 {
		want = append(want, w.attach("app", subject, "application/sbom", fmt.Sprint("sbom", i)))
	}
	other := w.attach("app", subject, "application/signature", "signature")
	list := func(filter *types.ListImageReferrersFilter, size *int32) (found []string, pages int) {
		t.Helper()
		in := &sdk.ListImageReferrersInput{RepositoryName: aws.String("app"), SubjectId: &types.SubjectIdentifier{ImageDigest: &subject}, Filter: filter, MaxResults: size}
		for {
			out, err := w.client().ListImageReferrers(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range out.Referrers {
				if r.ArtifactType == nil || r.Annotations["k"] == "" || *r.MediaType != ociManifest || *r.Size == 0 || r.ArtifactStatus != types.ArtifactStatusActive {
					t.Errorf("incomplete: %+v", r)
				}
				found = append(found, *r.Digest)
			}
			pages++
			if out.NextToken == nil {
				return found, pages
			}
			in.NextToken = out.NextToken
		}
	}
	slices.Sort(want)
	all := slices.Sorted(slices.Values(append(slices.Clone(want), other)))
	for name, tc := range map[string]struct {
		filter *types.ListImageReferrersFilter
		size   *int32
		want   []string
		pages  int
	}{
		"all, 20 a page":         {nil, nil, all, 2},
		"all, 50 a page":         {nil, aws.Int32(50), all, 1},
		"one artifact type":      {&types.ListImageReferrersFilter{ArtifactTypes: []string{"application/sbom"}}, aws.Int32(7), want, 3},
		"any status":             {&types.ListImageReferrersFilter{ArtifactStatus: types.ArtifactStatusFilterAny}, aws.Int32(50), all, 1},
		"archived: there's none": {&types.ListImageReferrersFilter{ArtifactStatus: types.ArtifactStatusFilterArchived}, nil, nil, 1},
	} {
		if got, pages := list(tc.filter, tc.size); !slices.Equal(got, tc.want) || pages != tc.pages {
			t.Errorf("%s: %d in %d pages, want %d in %d", name, len(got), pages, len(tc.want), tc.pages)
		}
	}
}

func TestListImageReferrersRefusals(t *testing.T) {
	w := newWorld(t)
	w.create("app")
	absent := digestOf("x")
	out, err := w.client().ListImageReferrers(t.Context(), &sdk.ListImageReferrersInput{RepositoryName: aws.String("app"), SubjectId: &types.SubjectIdentifier{ImageDigest: &absent}})
	if err != nil || len(out.Referrers) != 0 {
		t.Errorf("of an image that does not exist: %+v, %v", out, err)
	}
	for name, tc := range map[string]struct {
		in   sdk.ListImageReferrersInput
		want string
	}{
		"no such repository": {sdk.ListImageReferrersInput{RepositoryName: aws.String("nope"), SubjectId: &types.SubjectIdentifier{ImageDigest: &absent}}, "RepositoryNotFoundException"},
		"no digest":          {sdk.ListImageReferrersInput{RepositoryName: aws.String("app"), SubjectId: &types.SubjectIdentifier{ImageDigest: aws.String("x:y")}}, "InvalidParameterException"},
		"page too large": {sdk.ListImageReferrersInput{RepositoryName: aws.String("app"), SubjectId: &types.SubjectIdentifier{ImageDigest: &absent},
			MaxResults: aws.Int32(51)}, "maxResults"},
	} {
		if _, err := w.client().ListImageReferrers(t.Context(), &tc.in); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %s", name, err, tc.want)
		}
	}
}

func TestAWSCLIListsReferrers(t *testing.T) {
	path, err := exec.LookPath("aws")
	if err != nil {
		t.Skip("the AWS CLI is not installed")
	}
	if out, _ := exec.CommandContext(t.Context(), path, "ecr", "list-image-referrers").CombinedOutput(); strings.Contains(string(out), "Invalid choice") {
		t.Skip("this AWS CLI is older than ListImageReferrers")
	}
	w := newWorld(t)
	w.create("app")
	_, subject := w.pushImage("app", "v1", "one")
	attached := w.attach("app", subject, "application/sbom", "sbom")
	var listed struct {
		Referrers []struct{ Digest, ArtifactType string }
	}
	out := awsCLI(t, w, "ecr", "list-image-referrers", "--repository-name", "app", "--subject-id", "imageDigest="+subject, "--output", "json")
	if err := json.Unmarshal([]byte(out), &listed); err != nil {
		t.Fatal(err)
	}
	if len(listed.Referrers) != 1 || listed.Referrers[0].Digest != attached || listed.Referrers[0].ArtifactType != "application/sbom" {
		t.Errorf("%s", out)
	}
}

package registry_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient/awstest"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

func TestEnsureRepository(t *testing.T) {
	absent := awstest.Failure{Status: 400, Code: "RepositoryNotFoundException", Message: "no such repository"}
	exists := awstest.Failure{Status: 400, Code: "RepositoryAlreadyExistsException", Message: "it exists"}
	denied := awstest.Failure{Status: 400, Code: "AccessDeniedException", Message: "User: arn:u is not authorized to perform: ecr:CreateRepository on resource: arn:r"}
	cases := map[string]struct {
		describe, create any
		created          bool
		wrong            string
	}{
		"there already":      {awstest.Body{"repositories": []any{}}, nil, false, ""},
		"missing":            {absent, awstest.Body{}, true, ""},
		"made by another":    {absent, exists, false, ""},
		"may not create":     {absent, denied, false, "AWS denies ecr:CreateRepository"},
		"may not look":       {denied, nil, false, "look for repository medusa"},
		"a lost answer ends": {absent, awstest.Failure{Status: 500, Code: "ServerException"}, false, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHub(t)
				h.On("DescribeRepositories", awstest.Always(c.describe))
				h.On("CreateRepository", awstest.InTurn(c.create, exists))
				created, err := h.registry(t).EnsureRepository(t.Context(), repository)
				if created != c.created || (err != nil) != (c.wrong != "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
					t.Errorf("got %t, %v", created, err)
				}
			})
		})
	}
}

func TestANewRepositoryKeepsItsTagsExceptThoseThatMove(t *testing.T) {
	h := newHub(t)
	h.On("DescribeRepositories", awstest.Always(awstest.Failure{Status: 400, Code: "RepositoryNotFoundException"}))
	h.On("CreateRepository", awstest.Always(awstest.Body{}))
	if _, err := h.registry(t).EnsureRepository(t.Context(), repository); err != nil {
		t.Fatal(err)
	}
	want := awstest.Body{
		"repositoryName": repository, "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
		"imageTagMutabilityExclusionFilters": []any{
			awstest.Body{"filter": "latest", "filterType": "WILDCARD"}, awstest.Body{"filter": "cache*", "filterType": "WILDCARD"},
		},
	}
	if diff := cmp.Diff(want, h.Inputs("CreateRepository")[0]); diff != "" {
		t.Error(diff)
	}
}

func TestTag(t *testing.T) {
	cases := map[string]struct {
		answer any
		wrong  string
	}{
		"moved":     {awstest.Body{}, ""},
		"as it was": {awstest.Failure{Status: 400, Code: "ImageAlreadyExistsException", Message: "exists"}, ""},
		"immutable": {awstest.Failure{Status: 400, Code: "ImageTagAlreadyExistsException", Message: "immutable"}, "put-image-tag-mutability --repository-name medusa"},
		"refused":   {awstest.Failure{Status: 400, Code: "LayersNotFoundException", Message: "no layers"}, "no layers"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			h := newHub(t)
			digest := h.addImage(t, nil, "amd64", "git-1")
			h.On("PutImage", awstest.Always(c.answer))
			err := h.registry(t).Tag(t.Context(), repository, release.Digest(digest), "latest")
			if (err != nil) != (c.wrong != "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("got %v", err)
			}
			want := awstest.Body{
				"repositoryName": repository, "imageTag": "latest", "imageDigest": digest, "imageManifest": h.manifests[digest],
				"imageManifestMediaType": "application/vnd.oci.image.manifest.v1+json",
			}
			if diff := cmp.Diff(want, h.Inputs("PutImage")[0]); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTagOfAnImageThatIsNotThere(t *testing.T) {
	h := newHub(t)
	if err := h.registry(t).Tag(t.Context(), repository, release.Digest(digestOf("x")), "latest"); !errors.Is(err, release.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestUntag(t *testing.T) {
	failure := func(code string) awstest.Body {
		return awstest.Body{"failures": []any{awstest.Body{"failureCode": code, "failureReason": "because"}}}
	}
	cases := map[string]struct {
		answer any
		wrong  string
	}{
		"removed":       {awstest.Body{"imageIds": []any{}}, ""},
		"missing":       {failure("ImageNotFound"), ""},
		"no repository": {awstest.Failure{Status: 400, Code: "RepositoryNotFoundException"}, ""},
		"in use":        {failure("ImageReferencedByManifestList"), "because (ImageReferencedByManifestList)"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			h := newHub(t)
			h.On("BatchDeleteImage", awstest.Always(c.answer))
			err := h.registry(t).Untag(t.Context(), repository, "latest")
			if (err != nil) != (c.wrong != "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("got %v", err)
			}
		})
	}
}

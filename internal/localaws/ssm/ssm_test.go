package ssm_test

import (
	"bytes"
	"context"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"

	"github.com/medusa-deploy/medusa-deploy/internal/awshttp"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/seal"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/ssm"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/store"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

const canary = "CANARY"

// shop is Parameter Store behind its wire.
type shop struct {
	*sdk.Client
	*testing.T
	ctx    context.Context
	dir    string
	state  *store.Store
	server *httptest.Server
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{T: t, ctx: t.Context(), dir: t.TempDir()}
	s.open()
	t.Cleanup(s.close)
	return s
}

func (s *shop) close() {
	s.server.Close()
	if err := s.state.Close(); err != nil {
		s.Error(err)
	}
}

func (s *shop) open() {
	s.Helper()
	state, err := store.Open(filepath.Join(s.dir, "state.db"))
	if err != nil {
		s.Fatal(err)
	}
	box, err := seal.Open(filepath.Join(s.dir, "key"))
	if err != nil {
		s.Fatal(err)
	}
	backend, err := ssm.New(ssm.Config{Store: state, Box: box})
	if err != nil {
		s.Fatal(err)
	}
	h, err := wire.NewHandler(wire.Config{Services: []wire.Service{backend.Service()}, Credentials: func(string) (string, bool) { return "secret", true }})
	if err != nil {
		s.Fatal(err)
	}
	s.state, s.server = state, httptest.NewServer(h)
	s.Client = sdk.New(sdk.Options{
		Region: "us-east-1", BaseEndpoint: &s.server.URL, Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
		HTTPClient: awshttp.New(), RetryMaxAttempts: 1,
	})
}

func (s *shop) put(name, value string, change func(*sdk.PutParameterInput)) {
	s.Helper()
	in := &sdk.PutParameterInput{Name: &name, Value: &value, Type: types.ParameterTypeSecureString}
	if change != nil {
		change(in)
	}
	if _, err := s.PutParameter(s.ctx, in); err != nil {
		s.Fatal(err)
	}
}

func overwrite(in *sdk.PutParameterInput) { in.Type, in.Overwrite = "", aws.Bool(true) }

func (s *shop) get(name string) (*types.Parameter, error) {
	out, err := s.GetParameter(s.ctx, &sdk.GetParameterInput{Name: &name, WithDecryption: aws.Bool(true)})
	if err != nil {
		return nil, err
	}
	return out.Parameter, nil
}

func wantError(t testing.TB, what string, err error, code, message string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code || !strings.HasPrefix(api.ErrorMessage(), message) {
		t.Errorf("%s: %v, want %s: %s", what, err, code, message)
	}
}

func TestNames(t *testing.T) {
	s := newShop(t)
	for _, name := range []string{"plain", "/one", "/medusa/prod/DATABASE_URL"} {
		s.put(name, canary+name, nil)
		p, err := s.get(name)
		if err != nil || *p.Value != canary+name || *p.ARN != "arn:aws:ssm:us-east-1:000000000000:parameter/"+strings.TrimPrefix(name, "/") {
			t.Fatalf("%s: %+v, %v", name, p, err)
		}
		if again, err := s.get(*p.ARN); err != nil || *again.Name != name {
			t.Errorf("%s: %v, %v", *p.ARN, again, err)
		}
	}
	for name, message := range map[string]string{
		"aws-thing":                   `Parameter name: can't be prefixed with "aws" or "ssm"`,
		"SSMthing":                    `Parameter name: can't be prefixed with "aws" or "ssm"`,
		"/ssm/thing":                  `Parameter name: can't be prefixed with "ssm"`,
		"/a//b":                       `Parameter name: can't be prefixed with "ssm"`,
		"/a/":                         `Parameter name: can't be prefixed with "ssm"`,
		"a/b":                         "Parameter name must be a fully qualified name.",
		"a b":                         "Parameter name: only a mix of letters, numbers and the following 3 symbols .-_ are allowed.",
		"":                            "1 validation error detected: Value '' at 'name' failed to satisfy constraint: Member must have length greater than or equal to 1",
		"/" + strings.Repeat("x/", 8): `Parameter name: can't be prefixed with "ssm"`,
	} {
		_, err := s.PutParameter(s.ctx, &sdk.PutParameterInput{Name: &name, Value: aws.String(canary), Type: types.ParameterTypeString})
		wantError(t, name, err, "ValidationException", message)
	}
	put := func(name string) error {
		_, err := s.PutParameter(s.ctx, &sdk.PutParameterInput{Name: &name, Value: aws.String(canary), Type: types.ParameterTypeString})
		return err
	}
	wantError(t, "reserved", put("/aws/service/x"), "AccessDeniedException", "No access to reserved parameter name: /aws/service/x.")
	wantError(t, "deep", put(strings.Repeat("/x", 16)), "HierarchyLevelLimitExceededException", "A hierarchy can have a maximum of 15 levels.")
	for _, name := range []string{"none", "arn:aws:ssm:eu-west-1:000000000000:parameter/plain", "arn:aws:ssm:us-east-1:123456789012:parameter/plain", "/plain"} {
		_, err := s.get(name)
		wantError(t, name, err, "ParameterNotFound", "")
	}
}

func TestVersions(t *testing.T) {
	s := newShop(t)
	s.put("p", canary+"1", func(in *sdk.PutParameterInput) { in.Description, in.KeyId = aws.String("about"), aws.String("alias/k") })
	s.put("p", canary+"2", overwrite)
	for selector, want := range map[string]string{"": "2", ":1": "1", ":2": "2"} {
		p, err := s.get("p" + selector)
		if err != nil || *p.Value != canary+want || aws.ToString(p.Selector) != selector || p.Type != types.ParameterTypeSecureString {
			t.Errorf("%q: %+v, %v", selector, p, err)
		}
	}
	_, err := s.get("p:3")
	wantError(t, "version", err, "ParameterVersionNotFound", "Systems Manager could not find version 3 of p. Verify the version and try again.")
	_, err = s.get("p:live")
	wantError(t, "label", err, "ParameterVersionNotFound", "Systems Manager could not find label live of p.")
	out, err := s.DescribeParameters(s.ctx, &sdk.DescribeParametersInput{})
	if err != nil || len(out.Parameters) != 1 {
		t.Fatalf("%+v, %v", out, err)
	}
	if m := out.Parameters[0]; m.Version != 2 || *m.Description != "about" || *m.KeyId != "alias/k" || m.Tier != types.ParameterTierStandard || m.AllowedPattern != nil {
		t.Errorf("what an overwrite leaves out must stay: %+v", m)
	}
	for range 120 {
		s.put("p", canary, overwrite)
	}
	if _, err := s.get("p:22"); err == nil {
		t.Error("more than 100 versions are kept")
	}
	if p, err := s.get("p:23"); err != nil || p.Version != 23 {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestPutRefusals(t *testing.T) {
	s := newShop(t)
	s.put("taken", canary, nil)
	long := strings.Repeat("é", 4097)
	for what, test := range map[string]struct {
		in            sdk.PutParameterInput
		code, message string
	}{
		"taken":     {sdk.PutParameterInput{Name: aws.String("taken"), Type: "String"}, "ParameterAlreadyExists", "The parameter already exists. To overwrite this value, set the overwrite option in the request to true."},
		"no type":   {sdk.PutParameterInput{}, "ValidationException", "A parameter type is required when you create a parameter."},
		"empty":     {sdk.PutParameterInput{Type: "String", Value: aws.String("")}, "ValidationException", "1 validation error detected: Value '' at 'value' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		"large":     {sdk.PutParameterInput{Type: "String", Value: &long}, "ValidationException", "Standard tier parameters support a maximum parameter value of 4096 characters."},
		"larger":    {sdk.PutParameterInput{Type: "String", Tier: "Intelligent-Tiering", Value: aws.String(strings.Repeat("x", 8193))}, "ValidationException", "Advanced tier parameters support a maximum parameter value of 8192 characters."},
		"pattern":   {sdk.PutParameterInput{Type: "String", AllowedPattern: aws.String("[0-9]+")}, "ParameterPatternMismatchException", "Parameter value, cannot be validated against allowedPattern: [0-9]+"},
		"no regexp": {sdk.PutParameterInput{Type: "String", AllowedPattern: aws.String("[")}, "InvalidAllowedPatternException", "The request does not meet the regular expression requirement: ["},
		"key":       {sdk.PutParameterInput{Type: "String", KeyId: aws.String("alias/k")}, "ValidationException", "KeyId is required for SecureString type parameter only."},
		"data type": {sdk.PutParameterInput{Type: "String", DataType: aws.String("Text")}, "ValidationException", "The following data type is not supported: Text"},
		"tags":      {sdk.PutParameterInput{Type: "String", Overwrite: aws.Bool(true), Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}}, "ValidationException", "Invalid request: tags and overwrite can't be used together."},
		"policies":  {sdk.PutParameterInput{Type: "String", Policies: aws.String("[]")}, "NotImplementedException", "local AWS does not implement the parameter Policies of ssm"},
	} {
		if test.in.Name == nil {
			test.in.Name = aws.String("p")
		}
		if test.in.Value == nil {
			test.in.Value = aws.String(canary)
		}
		_, err := s.PutParameter(s.ctx, &test.in)
		wantError(t, what, err, test.code, test.message)
		if err != nil && strings.Contains(err.Error(), canary) {
			t.Errorf("%s: the value is in the error: %v", what, err)
		}
	}
	out, err := s.PutParameter(s.ctx, &sdk.PutParameterInput{Name: aws.String("p"), Value: &long, Type: "String", Tier: "Intelligent-Tiering"})
	if err != nil || out.Tier != types.ParameterTierAdvanced || out.Version != 1 {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestSecureStringIsShownEncrypted(t *testing.T) {
	s := newShop(t)
	s.put("secure", canary, nil)
	s.put("plain", "plain text", func(in *sdk.PutParameterInput) { in.Type = types.ParameterTypeString })
	out, err := s.GetParameters(s.ctx, &sdk.GetParametersInput{Names: []string{"secure", "plain", "none", "plain:7"}})
	if err != nil || len(out.Parameters) != 2 || !slices.Equal(out.InvalidParameters, []string{"none", "plain:7"}) {
		t.Fatalf("%+v, %v", out, err)
	}
	if secure, plain := *out.Parameters[0].Value, *out.Parameters[1].Value; strings.Contains(secure, canary) || plain != "plain text" {
		t.Errorf("secure %q, plain %q", secure, plain)
	}
	_, err = s.GetParameters(s.ctx, &sdk.GetParametersInput{Names: make([]string, 11)})
	wantError(t, "eleven", err, "ValidationException", "1 validation error detected: Value '[, , , , , , , , , , ]' at 'names' failed to satisfy constraint: Member must have length less than or equal to 10")
}

func TestPathsAndFilters(t *testing.T) {
	s := newShop(t)
	for _, name := range []string{"/a/b/c", "/a/b/d/e", "/a/x", "/ab/y", "z"} {
		s.put(name, canary+name, func(in *sdk.PutParameterInput) {
			if strings.HasSuffix(name, "e") {
				in.Type = types.ParameterTypeString
			}
			in.Tags = []types.Tag{{Key: aws.String("first"), Value: aws.String(strings.TrimPrefix(name, "/")[:1])}}
		})
	}
	filter := func(key, option string, values ...string) []types.ParameterStringFilter {
		f := types.ParameterStringFilter{Key: &key, Values: values}
		if option != "" {
			f.Option = &option
		}
		return []types.ParameterStringFilter{f}
	}
	byPath := func(path string, recursive bool, filters []types.ParameterStringFilter) (names []string, err error) {
		in := &sdk.GetParametersByPathInput{Path: &path, Recursive: &recursive, ParameterFilters: filters, WithDecryption: aws.Bool(true), MaxResults: aws.Int32(1)}
		for {
			out, err := s.GetParametersByPath(s.ctx, in)
			if err != nil {
				return nil, err
			}
			for _, p := range out.Parameters {
				if *p.Value != canary+*p.Name {
					t.Errorf("%s: %s", *p.Name, *p.Value)
				}
				names = append(names, *p.Name)
			}
			if in.NextToken = out.NextToken; in.NextToken == nil {
				return names, nil
			}
		}
	}
	for _, test := range []struct {
		path      string
		recursive bool
		filters   []types.ParameterStringFilter
		want      []string
	}{
		{"/a", false, nil, []string{"/a/x"}},
		{"/a/", true, nil, []string{"/a/b/c", "/a/b/d/e", "/a/x"}},
		{"/", false, nil, []string{"z"}},
		{"/a", true, filter("Type", "", "String"), []string{"/a/b/d/e"}},
		{"/none", true, nil, nil},
	} {
		if got, err := byPath(test.path, test.recursive, test.filters); err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, %v, want %v", test.path, got, err, test.want)
		}
	}
	_, err := byPath("a/b", true, nil)
	wantError(t, "path", err, "ValidationException", "The parameter doesn't meet the parameter name requirements.")
	_, err = byPath("/a", true, filter("Name", "", "x"))
	wantError(t, "key", err, "InvalidFilterKey", "") // its shape has no message
	_, err = byPath("/a", true, filter("Type", "Contains", "x"))
	wantError(t, "option", err, "InvalidFilterOption", "The following filter option is not valid: Contains. Valid options include: [Equals, BeginsWith].")
	_, err = byPath("/a", true, filter("Type", ""))
	wantError(t, "values", err, "InvalidFilterValue", "The following filter values are missing")
	_, err = s.GetParametersByPath(s.ctx, &sdk.GetParametersByPathInput{Path: aws.String("/a"), NextToken: aws.String("%")})
	wantError(t, "token", err, "InvalidNextToken", "The specified token isn't valid.")
	for _, test := range []struct {
		filters []types.ParameterStringFilter
		want    int
	}{
		{nil, 5},
		{filter("Name", "Contains", "b"), 3},
		{filter("Name", "BeginsWith", "/a/b"), 2},
		{filter("Path", "", "/a/b"), 1},
		{filter("Path", "Recursive", "/a/b"), 2},
		{filter("KeyId", "BeginsWith", "alias/"), 4},
		{filter("Tier", "", "Standard"), 5},
		{filter("DataType", "", "text"), 5},
		{filter("tag:first", "", "a"), 4},
		{filter("tag:first", ""), 5},
		{filter("tag:second", ""), 0},
	} {
		out, err := s.DescribeParameters(s.ctx, &sdk.DescribeParametersInput{ParameterFilters: test.filters})
		if err != nil || len(out.Parameters) != test.want {
			t.Errorf("%+v: %d, %v, want %d", test.filters, len(out.Parameters), err, test.want)
		}
	}
	old, err := s.DescribeParameters(s.ctx, &sdk.DescribeParametersInput{Filters: []types.ParametersFilter{{Key: types.ParametersFilterKeyName, Values: []string{"/a/"}}}})
	if err != nil || len(old.Parameters) != 3 {
		t.Errorf("the old kind of filter: %+v, %v", old, err)
	}
}

func TestDelete(t *testing.T) {
	s := newShop(t)
	for _, name := range []string{"a", "b", "c"} {
		s.put(name, canary, nil)
	}
	if _, err := s.DeleteParameter(s.ctx, &sdk.DeleteParameterInput{Name: aws.String("a")}); err != nil {
		t.Error(err)
	}
	_, err := s.DeleteParameter(s.ctx, &sdk.DeleteParameterInput{Name: aws.String("a")})
	wantError(t, "again", err, "ParameterNotFound", "")
	out, err := s.DeleteParameters(s.ctx, &sdk.DeleteParametersInput{Names: []string{"a", "b", "c"}})
	if err != nil || !slices.Equal(out.DeletedParameters, []string{"b", "c"}) || !slices.Equal(out.InvalidParameters, []string{"a"}) {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestTags(t *testing.T) {
	s := newShop(t)
	s.put("p", canary, func(in *sdk.PutParameterInput) { in.Tags = []types.Tag{{Key: aws.String("a"), Value: aws.String("1")}} })
	_, err := s.AddTagsToResource(s.ctx, &sdk.AddTagsToResourceInput{ResourceType: "Parameter", ResourceId: aws.String("p"), Tags: []types.Tag{
		{Key: aws.String("a"), Value: aws.String("2")}, {Key: aws.String("b"), Value: aws.String("3")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.RemoveTagsFromResource(s.ctx, &sdk.RemoveTagsFromResourceInput{ResourceType: "Parameter", ResourceId: aws.String("p"), TagKeys: []string{"b"}}); err != nil {
		t.Fatal(err)
	}
	out, err := s.ListTagsForResource(s.ctx, &sdk.ListTagsForResourceInput{ResourceType: "Parameter", ResourceId: aws.String("p")})
	if err != nil || len(out.TagList) != 1 || *out.TagList[0].Value != "2" {
		t.Errorf("%+v, %v", out, err)
	}
	_, err = s.ListTagsForResource(s.ctx, &sdk.ListTagsForResourceInput{ResourceType: "Parameter", ResourceId: aws.String("none")})
	wantError(t, "none", err, "InvalidResourceId", "")
	_, err = s.ListTagsForResource(s.ctx, &sdk.ListTagsForResourceInput{ResourceType: "Document", ResourceId: aws.String("p")})
	wantError(t, "a document", err, "NotImplementedException", "local AWS does not implement the parameter ResourceType=Document of ssm")
}

// State survives a restart, and no file has a value in it: neither of parameters that are there, nor of those that are gone.
func TestValuesAtRest(t *testing.T) {
	s := newShop(t)
	s.put("kept", canary+strings.Repeat("k", 4000), nil)
	s.put("gone", canary+strings.Repeat("g", 4000), func(in *sdk.PutParameterInput) { in.Type = types.ParameterTypeString })
	if _, err := s.DeleteParameter(s.ctx, &sdk.DeleteParameterInput{Name: aws.String("gone")}); err != nil {
		t.Fatal(err)
	}
	s.close()
	content, err := os.ReadFile(filepath.Join(s.dir, "state.db"))
	if err != nil || bytes.Contains(content, []byte(canary)) {
		t.Errorf("a value is in state.db (%v)", err)
	}
	s.open()
	if p, err := s.get("kept"); err != nil || len(*p.Value) != len(canary)+4000 {
		t.Errorf("after a restart: %v", err)
	}
}

// What is not there answers by its name, and what is missing with the SDK's own type.
func TestTheRest(t *testing.T) {
	s := newShop(t)
	_, err := s.GetParameter(t.Context(), &sdk.GetParameterInput{Name: aws.String("/m/none")})
	if missing := new(types.ParameterNotFound); !errors.As(err, &missing) {
		t.Errorf("none: %v", err)
	}
	_, err = s.SendCommand(t.Context(), &sdk.SendCommandInput{DocumentName: aws.String("AWS-RunShellScript")})
	wantError(t, "the rest of ssm", err, "NotImplementedException", "local AWS does not implement ssm:SendCommand")
}

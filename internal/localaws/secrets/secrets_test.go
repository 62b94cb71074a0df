package secrets_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

func TestNamesAndARNs(t *testing.T) {
	w := newWorld(t)
	arn := w.create("medusa/db", canary+"-1")
	if !regexp.MustCompile(`^arn:aws:secretsmanager:us-east-1:000000000000:secret:medusa/db-[A-Za-z0-9]{6}$`).MatchString(arn) {
		t.Errorf("arn = %s", arn)
	}
	partial := arn[:len(arn)-7]
	for _, id := range []string{"medusa/db", arn, partial} {
		if got := w.value(id); got != canary+"-1" {
			t.Errorf("%s: %q", id, got)
		}
	}
	hyphen := w.create("key-abcdef", canary)
	if got := w.value(hyphen); got != canary {
		t.Errorf("%s: %q", hyphen, got)
	}
	for _, id := range []string{arn, partial, partial + "-AAAAAA", hyphen, hyphen[:len(hyphen)-7]} {
		foreign := strings.Replace(id, "000000000000", "123456789012", 1)
		if got := w.value(foreign); !strings.HasPrefix(got, canary) {
			t.Errorf("%s: %q", foreign, got)
		}
	}
	const missing = "Secrets Manager can't find the specified secret."
	for _, id := range []string{
		"medusa", "medusa/db-AAAAAA", arn[:len(arn)-6] + "______", partial + "-AAAAAA", hyphen[:len(hyphen)-7],
		strings.Replace(arn, "us-east-1", "eu-west-1", 1), "arn:aws:secretsmanager:us-east-1:123456789012:secret:medusa", "arn:aws:ssm:us-east-1:000000000000:parameter/x",
	} {
		_, err := w.GetSecretValue(w.Context(), &sdk.GetSecretValueInput{SecretId: &id})
		wantError(t, id, err, "ResourceNotFoundException", missing)
	}
	_, err := w.in("eu-west-1").DescribeSecret(w.Context(), &sdk.DescribeSecretInput{SecretId: aws.String("medusa/db")})
	wantError(t, "another region", err, "ResourceNotFoundException", missing)
	_, err = w.DescribeSecret(w.Context(), &sdk.DescribeSecretInput{SecretId: aws.String("what#ever")})
	wantError(t, "a bad name", err, "ValidationException", "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!")
}

func TestVersions(t *testing.T) {
	w := newWorld(t)
	ctx := w.Context()
	w.create("s", canary+"-1")
	put := func(value, token string, stages ...string) *sdk.PutSecretValueOutput {
		t.Helper()
		in := &sdk.PutSecretValueInput{SecretId: aws.String("s"), SecretString: &value, VersionStages: stages}
		if token != "" {
			in.ClientRequestToken = &token
		}
		out, err := w.PutSecretValue(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	token := strings.Repeat("t", 32)
	second := put(canary+"-2", token)
	if *second.VersionId != token || !slices.Equal(second.VersionStages, []string{"AWSCURRENT"}) {
		t.Errorf("second = %s %v", *second.VersionId, second.VersionStages)
	}
	put(canary+"-2", token) // sent again
	put(canary+"-green", "", "green")
	if got := w.value("s") + " " + w.value("s", "AWSPREVIOUS") + " " + w.value("s", "green"); got != canary+"-2 "+canary+"-1 "+canary+"-green" {
		t.Errorf("values = %q", got)
	}
	_, err := w.PutSecretValue(ctx, &sdk.PutSecretValueInput{SecretId: aws.String("s"), SecretString: aws.String(canary + "-other"), ClientRequestToken: &token})
	wantError(t, "another value for the same token", err, "ResourceExistsException", "You can't modify an existing version, you can only create a new version.")
	_, err = w.GetSecretValue(ctx, &sdk.GetSecretValueInput{SecretId: aws.String("s"), VersionStage: aws.String("blue")})
	wantError(t, "a stage", err, "ResourceNotFoundException", "Secrets Manager can't find the specified secret value for staging label: blue")
	other := strings.Repeat("u", 32)
	_, err = w.GetSecretValue(ctx, &sdk.GetSecretValueInput{SecretId: aws.String("s"), VersionId: &other})
	wantError(t, "a version", err, "ResourceNotFoundException", "Secrets Manager can't find the specified secret value for VersionId: "+other)
	_, err = w.GetSecretValue(ctx, &sdk.GetSecretValueInput{SecretId: aws.String("s"), VersionId: &token, VersionStage: aws.String("green")})
	wantError(t, "both", err, "InvalidRequestException", "You provided a VersionStage that is not associated to the provided VersionId.")
	out, err := w.GetSecretValue(ctx, &sdk.GetSecretValueInput{SecretId: aws.String("s"), VersionId: &token, VersionStage: aws.String("AWSCURRENT")})
	if err != nil || *out.SecretString != canary+"-2" {
		t.Errorf("by version and stage: %v, %v", out, err)
	}
	described, err := w.DescribeSecret(ctx, &sdk.DescribeSecretInput{SecretId: aws.String("s")})
	if err != nil || len(described.VersionIdsToStages) != 3 || described.VersionIdsToStages[token][0] != "AWSCURRENT" || described.LastAccessedDate == nil {
		t.Errorf("described %+v, %v", described, err)
	}
}

func TestOldVersionsGo(t *testing.T) {
	b, state := openBackend(t, t.TempDir())
	defer state.Close()
	ctx := regional(t)
	token := func(i int) *string { return aws.String(fmt.Sprintf("%032d", i)) }
	if _, err := b.CreateSecret(ctx, &sdk.CreateSecretInput{Name: aws.String("s"), SecretString: aws.String("0"), ClientRequestToken: token(0)}); err != nil {
		t.Fatal(err)
	}
	for i := range 120 {
		if _, err := b.PutSecretValue(ctx, &sdk.PutSecretValueInput{SecretId: aws.String("s"), SecretString: aws.String(fmt.Sprint(i + 1)), ClientRequestToken: token(i + 1)}); err != nil {
			t.Fatal(err)
		}
	}
	for i, there := range map[int]bool{0: false, 20: false, 21: true, 119: true, 120: true} {
		_, err := b.GetSecretValue(ctx, &sdk.GetSecretValueInput{SecretId: aws.String("s"), VersionId: token(i)})
		if (err == nil) != there {
			t.Errorf("version %d: %v", i, err)
		}
	}
}

func TestUpdateSecret(t *testing.T) {
	w := newWorld(t)
	ctx := w.Context()
	w.create("s", canary+"-1")
	out, err := w.UpdateSecret(ctx, &sdk.UpdateSecretInput{SecretId: aws.String("s"), Description: aws.String("about"), KmsKeyId: aws.String("alias/k")})
	if err != nil || out.VersionId != nil {
		t.Fatalf("%+v, %v", out, err)
	}
	out, err = w.UpdateSecret(ctx, &sdk.UpdateSecretInput{SecretId: aws.String("s"), SecretBinary: []byte(canary + "\x00\xff")})
	if err != nil || out.VersionId == nil {
		t.Fatalf("%+v, %v", out, err)
	}
	got, err := w.GetSecretValue(ctx, &sdk.GetSecretValueInput{SecretId: aws.String("s")})
	if err != nil || !bytes.Equal(got.SecretBinary, []byte(canary+"\x00\xff")) || got.SecretString != nil {
		t.Errorf("%+v, %v", got, err)
	}
	described, err := w.DescribeSecret(ctx, &sdk.DescribeSecretInput{SecretId: aws.String("s")})
	if err != nil || *described.Description != "about" || *described.KmsKeyId != "alias/k" {
		t.Errorf("%+v, %v", described, err)
	}
}

func TestRefusals(t *testing.T) {
	w := newWorld(t)
	ctx := w.Context()
	w.create("taken", canary)
	both := "You can't specify both a binary secret value and a string secret value in the same secret."
	for _, test := range []struct {
		what          string
		do            func() error
		code, message string
	}{
		{"a name that is taken", func() error {
			_, err := w.CreateSecret(ctx, &sdk.CreateSecretInput{Name: aws.String("taken"), SecretString: aws.String(canary)})
			return err
		}, "ResourceExistsException", "The operation failed because the secret taken already exists."},
		{"two values", func() error {
			_, err := w.CreateSecret(ctx, &sdk.CreateSecretInput{Name: aws.String("s"), SecretString: aws.String(canary), SecretBinary: []byte(canary)})
			return err
		}, "InvalidParameterException", both},
		{"no value", func() error {
			_, err := w.PutSecretValue(ctx, &sdk.PutSecretValueInput{SecretId: aws.String("taken")})
			return err
		}, "InvalidRequestException", "You must provide either SecretString or SecretBinary."},
		{"too large a value", func() error {
			_, err := w.CreateSecret(ctx, &sdk.CreateSecretInput{Name: aws.String("s"), SecretString: aws.String(strings.Repeat(canary, 20000))})
			return err
		}, "ValidationException", "1 validation error detected: Value '***' at 'secretString' failed to satisfy constraint: Member must have length less than or equal to 65536"},
		{"a short token", func() error {
			_, err := w.CreateSecret(ctx, &sdk.CreateSecretInput{Name: aws.String("s"), ClientRequestToken: aws.String("short")})
			return err
		}, "ValidationException", "1 validation error detected: Value 'short' at 'clientRequestToken' failed to satisfy constraint: Member must have length greater than or equal to 32"},
		{"replicas", func() error {
			_, err := w.CreateSecret(ctx, &sdk.CreateSecretInput{Name: aws.String("s"), AddReplicaRegions: []types.ReplicaRegionType{{Region: aws.String("eu-west-1")}}})
			return err
		}, "NotImplementedException", "local AWS does not implement the parameter AddReplicaRegions of secretsmanager"},
		{"rotation", func() error {
			_, err := w.RotateSecret(ctx, &sdk.RotateSecretInput{SecretId: aws.String("taken")})
			return err
		}, "NotImplementedException", "local AWS does not implement secretsmanager:RotateSecret"},
		{"a window", func() error {
			_, err := w.DeleteSecret(ctx, &sdk.DeleteSecretInput{SecretId: aws.String("taken"), RecoveryWindowInDays: aws.Int64(6)})
			return err
		}, "InvalidParameterException", "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive)."},
		{"a window and force", func() error {
			_, err := w.DeleteSecret(ctx, &sdk.DeleteSecretInput{SecretId: aws.String("taken"), RecoveryWindowInDays: aws.Int64(7), ForceDeleteWithoutRecovery: aws.Bool(true)})
			return err
		}, "InvalidParameterException", "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays."},
		{"a token of the list", func() error {
			_, err := w.ListSecrets(ctx, &sdk.ListSecretsInput{NextToken: aws.String("none")})
			return err
		}, "InvalidNextTokenException", "The NextToken value is invalid."},
	} {
		wantError(t, test.what, test.do(), test.code, test.message)
	}
	b, state := openBackend(t, t.TempDir())
	defer state.Close()
	_, err := b.CreateSecret(regional(t), &sdk.CreateSecretInput{Name: aws.String("s"), SecretString: aws.String(canary)})
	wantError(t, "no token", err, "InvalidRequestException", "You must provide a ClientRequestToken value. We recommend a UUID-type value.")
}

// A create that is sent again because its answer was lost succeeds, and makes nothing.
func TestCreateAgain(t *testing.T) {
	w := newWorld(t)
	in := &sdk.CreateSecretInput{Name: aws.String("s"), SecretString: aws.String(canary), ClientRequestToken: aws.String(strings.Repeat("t", 40))}
	first, err := w.CreateSecret(w.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	second, err := w.CreateSecret(w.Context(), in)
	if err != nil || *second.ARN != *first.ARN || *second.VersionId != *first.VersionId {
		t.Errorf("%+v, %v", second, err)
	}
}

func TestDeleteAndRestore(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b, state := openBackend(t, dir)
		ctx := regional(t)
		create := func() error {
			_, err := b.CreateSecret(ctx, &sdk.CreateSecretInput{Name: aws.String("s"), SecretString: aws.String(canary), ClientRequestToken: aws.String(strings.Repeat("t", 32))})
			return err
		}
		remove := func(days *int64, force bool) (*sdk.DeleteSecretOutput, error) {
			return b.DeleteSecret(ctx, &sdk.DeleteSecretInput{SecretId: aws.String("s"), RecoveryWindowInDays: days, ForceDeleteWithoutRecovery: &force})
		}
		value := func() error {
			_, err := b.GetSecretValue(ctx, &sdk.GetSecretValueInput{SecretId: aws.String("s")})
			return err
		}
		const marked = "You can't perform this operation on the secret because it was marked for deletion."
		if err := create(); err != nil {
			t.Fatal(err)
		}
		out, err := remove(aws.Int64(7), false)
		if err != nil || time.Until(*out.DeletionDate) != 7*24*time.Hour {
			t.Fatalf("%+v, %v", out, err)
		}
		wantError(t, "value", value(), "InvalidRequestException", marked)
		_, err = remove(nil, false)
		wantError(t, "delete again", err, "InvalidRequestException", marked)
		wantError(t, "create", create(), "InvalidRequestException", "You can't create this secret because a secret with this name is already scheduled for deletion.")
		described, err := b.DescribeSecret(ctx, &sdk.DescribeSecretInput{SecretId: aws.String("s")})
		if err != nil || described.DeletedDate == nil {
			t.Errorf("%+v, %v", described, err)
		}
		if _, err := b.RestoreSecret(ctx, &sdk.RestoreSecretInput{SecretId: aws.String("s")}); err != nil || value() != nil {
			t.Errorf("restored: %v, %v", err, value())
		}
		if _, err := remove(aws.Int64(7), false); err != nil {
			t.Fatal(err)
		}
		time.Sleep(7*24*time.Hour + time.Second)
		wantError(t, "after the window", value(), "ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
		if err := create(); err != nil {
			t.Error(err)
		}
		if _, err := remove(nil, false); err != nil {
			t.Fatal(err)
		}
		for range 2 { // what is not there is removed as well
			if out, err := remove(nil, true); err != nil || *out.Name != "s" {
				t.Errorf("%+v, %v", out, err)
			}
		}
		if err := create(); err != nil {
			t.Error(err)
		}
		if _, err := remove(nil, false); err != nil {
			t.Fatal(err)
		}
		state.Close()
		time.Sleep(31 * 24 * time.Hour)
		b, state = openBackend(t, dir)
		defer state.Close()
		listed, err := b.ListSecrets(ctx, &sdk.ListSecretsInput{IncludePlannedDeletion: aws.Bool(true)})
		if err != nil || len(listed.SecretList) != 0 {
			t.Errorf("after a restart: %+v, %v", listed, err)
		}
	})
}

func TestListSecrets(t *testing.T) {
	w := newWorld(t)
	ctx := w.Context()
	for name, about := range map[string]string{"prod/db": "The Database", "prod/api": "key", "test/db": ""} {
		if _, err := w.CreateSecret(ctx, &sdk.CreateSecretInput{Name: &name, Description: &about, Tags: []types.Tag{{Key: aws.String("env"), Value: aws.String(name[:4])}}}); err != nil {
			t.Fatal(err)
		}
	}
	w.create("gone", canary)
	if _, err := w.DeleteSecret(ctx, &sdk.DeleteSecretInput{SecretId: aws.String("gone")}); err != nil {
		t.Fatal(err)
	}
	filter := func(key types.FilterNameStringType, values ...string) *sdk.ListSecretsInput {
		return &sdk.ListSecretsInput{SortBy: types.SortByTypeName, Filters: []types.Filter{{Key: key, Values: values}}}
	}
	for what, test := range map[string]struct {
		in   *sdk.ListSecretsInput
		want []string
	}{
		"all":         {&sdk.ListSecretsInput{SortBy: types.SortByTypeName}, []string{"prod/api", "prod/db", "test/db"}},
		"backwards":   {&sdk.ListSecretsInput{SortBy: types.SortByTypeName, SortOrder: types.SortOrderTypeDesc}, []string{"test/db", "prod/db", "prod/api"}},
		"with gone":   {&sdk.ListSecretsInput{SortBy: types.SortByTypeName, IncludePlannedDeletion: aws.Bool(true)}, []string{"gone", "prod/api", "prod/db", "test/db"}},
		"name":        {filter(types.FilterNameStringTypeName, "prod/"), []string{"prod/api", "prod/db"}},
		"not name":    {filter(types.FilterNameStringTypeName, "!prod/"), []string{"test/db"}},
		"two names":   {filter(types.FilterNameStringTypeName, "prod/a", "test"), []string{"prod/api", "test/db"}},
		"description": {filter(types.FilterNameStringTypeDescription, "the data"), []string{"prod/db"}},
		"tag key":     {filter(types.FilterNameStringTypeTagKey, "e"), []string{"prod/api", "prod/db", "test/db"}},
		"tag value":   {filter(types.FilterNameStringTypeTagValue, "te"), []string{"test/db"}},
		"any":         {filter(types.FilterNameStringTypeAll, "DB"), []string{"prod/db", "test/db"}},
		"owner":       {filter(types.FilterNameStringTypeOwningService, "rds"), nil},
	} {
		var got []string
		test.in.MaxResults = aws.Int32(1)
		for pages := sdk.NewListSecretsPaginator(w.Client, test.in); pages.HasMorePages(); {
			page, err := pages.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range page.SecretList {
				got = append(got, *s.Name)
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", what, got, test.want)
		}
	}
}

func TestTags(t *testing.T) {
	w := newWorld(t)
	ctx := w.Context()
	w.create("s", canary)
	tag := func(key, value string) types.Tag { return types.Tag{Key: &key, Value: &value} }
	if _, err := w.TagResource(ctx, &sdk.TagResourceInput{SecretId: aws.String("s"), Tags: []types.Tag{tag("a", "1"), tag("b", "2"), tag("a", "3")}}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.UntagResource(ctx, &sdk.UntagResourceInput{SecretId: aws.String("s"), TagKeys: []string{"b", "c"}}); err != nil {
		t.Fatal(err)
	}
	described, err := w.DescribeSecret(ctx, &sdk.DescribeSecretInput{SecretId: aws.String("s")})
	if err != nil || len(described.Tags) != 1 || *described.Tags[0].Value != "3" {
		t.Errorf("%+v, %v", described, err)
	}
	_, err = w.TagResource(ctx, &sdk.TagResourceInput{SecretId: aws.String("s"), Tags: []types.Tag{tag("aws:x", "1")}})
	wantError(t, "a reserved tag", err, "InvalidParameterException", "Tag keys that start with aws: are reserved for use by AWS.")
}

// State survives a restart, and no file has a value in it: neither of secrets that are there, nor of those that are gone.
func TestValuesAtRest(t *testing.T) {
	w := newWorld(t)
	w.create("kept", canary+strings.Repeat("k", 9000))
	w.create("gone", canary+strings.Repeat("g", 9000))
	if _, err := w.DeleteSecret(w.Context(), &sdk.DeleteSecretInput{SecretId: aws.String("gone"), ForceDeleteWithoutRecovery: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	w.close()
	files := map[string]int{}
	for _, name := range []string{"state.db", "key"} {
		content, err := os.ReadFile(filepath.Join(w.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = bytes.Count(content, []byte(canary))
	}
	if !maps.Equal(files, map[string]int{"state.db": 0, "key": 0}) {
		t.Errorf("values are in files: %v", files)
	}
	w.open()
	if got := w.value("kept"); got != canary+strings.Repeat("k", 9000) {
		t.Errorf("after a restart: %d bytes", len(got))
	}
	w.close()
	if err := os.Remove(filepath.Join(w.dir, "key")); err != nil {
		t.Fatal(err)
	}
	w.open()
	_, err := w.GetSecretValue(w.Context(), &sdk.GetSecretValueInput{SecretId: aws.String("kept")})
	wantError(t, "without its key", err, "InternalFailure",
		"local AWS failed: the value of the secret kept: the value cannot be decrypted with this key; put it again: aws secretsmanager put-secret-value --secret-id kept …")
}

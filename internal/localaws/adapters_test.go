package localaws

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	awsssm "github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/ecs"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/store"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

// newVault is an empty vault, and the context of a call to its parts.
func newVault(t *testing.T) (vault, context.Context) {
	t.Helper()
	dir := t.TempDir()
	state, err := store.Open(filepath.Join(dir, "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = state.Close() })
	v, err := openVault(state, filepath.Join(dir, "key"))
	if err != nil {
		t.Fatal(err)
	}
	return v, wire.WithCaller(t.Context(), wire.Caller{Region: Region})
}

// TestVault: ECS finds secrets and parameters as the task definition names them, also with the account number of AWS.
func TestVault(t *testing.T) {
	v, ctx := newVault(t)
	token := strings.Repeat("t", 32)
	arns := map[string]string{}
	for _, name := range []string{"medusa/db", "ends-hyphen", "two"} {
		out, err := v.secrets.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: &name, SecretString: aws.String("value of " + name), ClientRequestToken: &token})
		if err != nil {
			t.Fatal(err)
		}
		arns[name] = *out.ARN
	}
	if _, err := v.secrets.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: aws.String("bytes"), SecretBinary: []byte{1}, ClientRequestToken: &token}); err != nil {
		t.Fatal(err)
	}
	const foreign = "arn:aws:secretsmanager:us-east-1:123456789012:secret:"
	for id, want := range map[string]string{
		arns["medusa/db"]:                                            "value of medusa/db",
		foreign + "medusa/db-ZyXwVu":                                 "value of medusa/db",
		foreign + "medusa/db":                                        "value of medusa/db",
		foreign + "ends-hyphen":                                      "value of ends-hyphen", // looks as if it had a suffix
		foreign + "ends-hyphen-1A2b3":                                "",
		arns["medusa/db"][:len(arns["medusa/db"])-6] + "ZyXwVu":      "",
		foreign + "none-ZyXwVu":                                      "",
		"arn:aws:secretsmanager:us-east-1:000000000000:secret:bytes": "",
	} {
		got, err := v.Secret(t.Context(), Region, ecs.SecretQuery{ID: id})
		binary := strings.HasSuffix(id, ":bytes")
		if got != want || (err == nil) != (want != "" || binary) {
			t.Errorf("%s: %q, %v; want %q", id, got, err, want)
		}
		if err != nil && err.Error() != "ResourceNotFoundException: Secrets Manager can't find the specified secret." {
			t.Errorf("%s: %v", id, err)
		}
	}
	for stage, wrong := range map[string]string{"AWSCURRENT": "", "green": "ResourceNotFoundException: Secrets Manager can't find the specified secret value for staging label: green"} {
		_, err := v.Secret(t.Context(), Region, ecs.SecretQuery{ID: foreign + "two-ZyXwVu", Stage: stage})
		if (err != nil || wrong != "") && (err == nil || err.Error() != wrong) {
			t.Errorf("stage %s: %v, want %q", stage, err, wrong)
		}
	}
}

func TestVaultParameters(t *testing.T) {
	v, ctx := newVault(t)
	for _, name := range []string{"/medusa/url", "plain", "/one"} {
		for _, value := range []string{"old ", "new "} {
			_, err := v.ssm.PutParameter(ctx, &awsssm.PutParameterInput{Name: &name, Value: aws.String(value + name), Type: types.ParameterTypeSecureString, Overwrite: aws.Bool(true)})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	const foreign = "arn:aws:ssm:us-east-1:123456789012:parameter/"
	want := map[string]string{
		"/medusa/url": "new /medusa/url", foreign + "medusa/url": "new /medusa/url", foreign + "medusa/url:1": "old /medusa/url",
		"plain": "new plain", "plain:1": "old plain", foreign + "plain": "new plain", foreign + "one": "new /one",
	}
	names := []string{"one", foreign + "none", "plain:7"} // a name is not an ARN: the slash counts
	for name := range want {
		names = append(names, name)
	}
	got, missing, err := v.Parameters(t.Context(), Region, names)
	if err != nil || !slices.Equal(missing, names[:3]) || len(got) != len(want) {
		t.Fatalf("%v, missing %v, %v", got, missing, err)
	}
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s: %q, want %q", name, got[name], value)
		}
	}
	if _, missing, err := v.Parameters(t.Context(), "eu-west-1", []string{"plain"}); err != nil || len(missing) != 1 {
		t.Errorf("another region: %v, %v", missing, err)
	}
}

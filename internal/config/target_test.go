package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const twoTargets = `app: shop
targets:
  production:
    region: us-east-1
    registry: ${ECR_URL}
    cluster: c
    services: [s]
  staging:
    region: us-east-1
    cluster: c
    services: [s]
`

const oneTarget = `app: shop
targets:
  production: {region: us-east-1, cluster: c, services: [s]}
`

func TestChoosingATarget(t *testing.T) {
	for name, tc := range map[string]struct {
		source, flag, variable string
		want, wantErr          string
	}{
		"flag wins over the variable":    {twoTargets, "staging", "production", "staging", ""},
		"variable":                       {twoTargets, "", "staging", "staging", ""},
		"local is always there":          {twoTargets, "local", "", "local", ""},
		"the only one of the file":       {oneTarget, "", "", "production", ""},
		"none in the file":               {"app: shop\n", "", "", "local", ""},
		"several":                        {twoTargets, "", "", "", "there are several targets, which one?\n  choose with --target or MEDUSA_DEPLOY_TARGET: production, staging, local"},
		"mistyped":                       {twoTargets, "prodution", "", "", "there is no target \"prodution\"\n  did you mean \"production\"? (known: production, staging, local)"},
		"mistyped in the variable":       {oneTarget, "", "moon", "", "there is no target \"moon\" (MEDUSA_DEPLOY_TARGET)\n  expected one of the known words (known: production, local)"},
		"an unset variable is an error":  {twoTargets, "production", "", "", ":5:15: environment variable ECR_URL is not set, target \"production\" needs it\n  export ECR_URL=HOST, or remove the key to use the account's own registry"},
		"an unset variable of another":   {twoTargets, "staging", "", "staging", ""},
		"an empty choice is not made":    {oneTarget, "", "", "production", ""},
		"the flag may repeat the choice": {oneTarget, "production", "production", "production", ""},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := Load(write(t, tc.source), func(name string) (string, bool) {
				return tc.variable, name == TargetVariable
			})
			if err != nil {
				t.Fatal(err)
			}
			got, err := c.Target(tc.flag)
			if tc.wantErr != "" {
				var errs Errors
				if !errors.As(err, &errs) || !strings.HasSuffix(err.Error(), tc.wantErr) {
					t.Errorf("Target = %v, want %q", err, tc.wantErr)
				}
				return
			}
			if err != nil || got.Name != tc.want {
				t.Errorf("Target = %q, %v; want %q", got.Name, err, tc.want)
			}
		})
	}
}

func TestTargetIsACopy(t *testing.T) {
	c, err := Load("testdata/good/full.yaml", environment)
	if err != nil {
		t.Fatal(err)
	}
	first, err := c.Target("production")
	if err != nil {
		t.Fatal(err)
	}
	first.Services[0], first.Migrate.Command[0] = "changed", "changed"
	delete(first.Definitions, "medusa-server")
	first.RequireSignature.Issuer = "changed"
	second, err := c.Target("production")
	if err != nil {
		t.Fatal(err)
	}
	if second.Services[0] != "medusa-server" || second.Migrate.Command[0] != "npx" || len(second.Definitions) != 2 || second.RequireSignature.Issuer == "changed" {
		t.Errorf("a caller changed the config: %+v", second)
	}
}

func TestRegistryValue(t *testing.T) {
	for value, want := range map[string]string{
		"${ECR_URL}":          "123456789012.dkr.ecr.eu-central-1.amazonaws.com",
		"${ECR_URL}/shop":     "123456789012.dkr.ecr.eu-central-1.amazonaws.com",
		"${ECR_URL}/":         "123456789012.dkr.ecr.eu-central-1.amazonaws.com",
		"localhost:5000":      "localhost:5000",
		"reg-${ECR_URL}:8443": "reg-123456789012.dkr.ecr.eu-central-1.amazonaws.com:8443",
		`""`:                  "the registry is empty",
		"https://${ECR_URL}":  "without https://",
		"${ECR_URL}:https":    "is no registry host",
		"${ECR_URL}/other":    `names the repository "other"`,
		"${ECR_URL}/shop:v1":  `names the repository "shop:v1"`,
		"$(ECR_URL)":          "is no reference to an environment variable",
		"${ECR_URL":           "is no reference to an environment variable",
		"${EMPTY}":            "environment variable EMPTY is not set",
		"${A}${B}":            "environment variable B is not set",
	} {
		source := strings.ReplaceAll(oneTarget, "cluster: c", "cluster: c, registry: '"+strings.Trim(value, `"`)+"'")
		c, err := Load(write(t, source), environment)
		var target Target
		if err == nil {
			target, err = c.Target("production")
		}
		switch {
		case err != nil && !strings.Contains(err.Error(), want):
			t.Errorf("%s: %v, want %q", value, err, want)
		case err == nil && target.Registry != want:
			t.Errorf("%s: registry %q, want %q", value, target.Registry, want)
		}
	}
}

func TestFind(t *testing.T) {
	root := t.TempDir()
	deep := filepath.Join(root, "a", "b")
	if err := os.MkdirAll(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	put := func(path string) {
		if err := os.WriteFile(filepath.Join(root, path), []byte("app: shop\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("medusa-deploy.yaml")
	if got, err := Find(deep); err != nil || got != filepath.Join(root, FileName) {
		t.Errorf("Find(%s) = %s, %v", deep, got, err)
	}
	t.Chdir(deep)
	if got, err := Find("."); err != nil || got != filepath.Join("..", "..", FileName) {
		t.Errorf("Find(.) = %s, %v", got, err)
	}
	if err := os.Mkdir(FileName, 0o700); err != nil {
		t.Fatal(err)
	}
	if got, err := Find("."); err != nil || got != filepath.Join("..", "..", FileName) {
		t.Errorf("a directory of that name is not the file: Find(.) = %s, %v", got, err)
	}
	put("a/medusa-deploy.yml")
	_, err := Find(".")
	if err == nil || !strings.Contains(err.Error(), "rename it to medusa-deploy.yaml") {
		t.Errorf("a .yml file nearby: %v", err)
	}
}

func TestFindNothing(t *testing.T) {
	_, err := Find(t.TempDir())
	if err == nil {
		t.Skip("a config file lies above the temporary directory")
	}
	var errs Errors
	if !errors.As(err, &errs) || !strings.Contains(err.Error(), "    app: my-app") {
		t.Errorf("Find = %v, want the smallest file shown", err)
	}
}

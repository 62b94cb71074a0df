package orchestrator

import (
	"strings"
	"testing"
)

func TestShown(t *testing.T) {
	cases := map[string]struct {
		name string
		v    any
		want string
	}{
		"nothing":            {"x", nil, ""},
		"an ordinary value":  {nameBelow("environment", "LOG_LEVEL"), "a<b & \"c\"", `"a<b & \"c\""`},
		"a number":           {"cpu", int64(5), "5"},
		"a password":         {nameBelow("environment", "PGPASSWORD"), "hunter2", `"***"`},
		"small letters":      {nameBelow("options", "splunk-token"), "hunter2", `"***"`},
		"a database":         {nameBelow("environment", "DATABASE_URL"), "postgres://h/db", `"***"`},
		"a URL with a user":  {nameBelow("environment", "BACKEND"), "https://u:hunter2@h:1/p?a=b", `"https://u:***@h:1/p?a=b"`},
		"a URL without":      {nameBelow("environment", "BACKEND"), "https://h:1/p@q", `"https://h:1/p@q"`},
		"a secret's place":   {nameBelow("secrets", "PGPASSWORD"), "arn:aws:secretsmanager:x", `"arn:aws:secretsmanager:x"`},
		"a label":            {nameBelow("dockerLabels", "api-key"), "hunter2", `"***"`},
		"a member's name":    {nameBelow("efs", "kmsKeyId"), "alias/x", `"alias/x"`},
		"a flag":             {"command", []any{"run", "--db-password", "hunter2", "--verbose"}, `["run","--db-password","***","--verbose"]`},
		"a flag with =":      {"command", []any{"run", "--db-password=hunter2", "x=y"}, `["run","--db-password=***","x=y"]`},
		"a shell's settings": {"command", []any{"sh", "-c", `SECRET="hunter2 hunter2" A=b run`}, `["sh","-c","SECRET=*** A=b run"]`},
		"an environment":     {"environment", []any{map[string]any{"name": "JWT_SECRET", "value": "hunter2"}, map[string]any{"name": "A", "value": "b"}}, `[{"name":"JWT_SECRET","value":"***"},{"name":"A","value":"b"}]`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := shown(tc.name, tc.v); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func FuzzScrub(f *testing.F) {
	f.Add("run --x=", "hunter2")
	f.Add("https://u:", "p%40ss")
	f.Fuzz(func(t *testing.T, before, secret string) {
		if secret == "" || strings.ContainsAny(secret, "\"' \t\r\n\v\f/@") || strings.Contains(secret, masked) || strings.Contains(before, secret) {
			return
		}
		for _, text := range []string{before + " PASSWORD=" + secret, "x://user:" + secret + "@host"} {
			if got := scrub(text); strings.Contains(got, secret) && !strings.Contains("PASSWORD= x://user:@host"+masked, secret) {
				t.Errorf("%q is shown as %q", text, got)
			}
		}
	})
}

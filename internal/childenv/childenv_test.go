package childenv

import (
	"slices"
	"testing"
)

func TestWhatAChildGets(t *testing.T) {
	tests := map[string]struct{ build, helper bool }{
		"PATH":                           {true, true},
		"HOME":                           {true, true},
		"HTTPS_PROXY":                    {true, true},
		"GIT_SSH_COMMAND":                {true, true},
		"SSH_AUTH_SOCK":                  {true, true},
		"AWS_REGION":                     {true, true},
		"AWS_PROFILE":                    {true, true},
		"KEYBOARD":                       {true, true},
		"MONKEY":                         {true, true},
		"MEDUSA_DEPLOY_LOCAL_DIR":        {true, true},
		"NPM_TOKEN":                      {true, false},
		"API_KEY":                        {true, false},
		"DATABASE_URL":                   {true, false},
		"pgpassword":                     {true, false},
		"AWS_ACCESS_KEY_ID":              {false, false},
		"AWS_SECRET_ACCESS_KEY":          {false, false},
		"AWS_SESSION_TOKEN":              {false, false},
		"GITHUB_TOKEN":                   {false, false},
		"COSIGN_PASSWORD":                {false, false},
		"ACTIONS_ID_TOKEN_REQUEST_TOKEN": {false, false},
	}
	for name, want := range tests {
		pair := name + "=a=b"
		if got := slices.Contains(ForBuild([]string{pair}), pair); got != want.build {
			t.Errorf("a build gets %s: %v", name, got)
		}
		if got := slices.Contains(ForHelper([]string{pair}), pair); got != want.helper {
			t.Errorf("a helper gets %s: %v", name, got)
		}
	}
}

func TestTheCallersEnvironmentStays(t *testing.T) {
	env := []string{"GITHUB_TOKEN=x", "PATH=/bin"}
	ForHelper(env)
	if env[0] != "GITHUB_TOKEN=x" || env[1] != "PATH=/bin" {
		t.Errorf("env = %v", env)
	}
}

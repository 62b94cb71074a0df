package cli

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/medusa-deploy/medusa-deploy/internal/github/githubtest"
)

// TestCheckNames types `check --workflow` in a clone of a repository on a GitHub Enterprise host over TLS.
func TestCheckNames(t *testing.T) {
	type key struct{}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/names",
		Setup: func(env *testscript.Env) error {
			shop := githubtest.New()
			shop.Settings = githubtest.Settings{Secrets: []string{"AWS_ROLE_ARN"}, Variables: []string{"AWS_REGION"}}
			shop.Organization = githubtest.Settings{Secrets: []string{"NPM_TOKEN"}}
			shop.Environments = map[string]githubtest.Settings{"production": {Secrets: []string{"DATABASE_URL"}}}
			started, err := shop.Start(env.WorkDir)
			if err != nil {
				return err
			}
			env.Defer(started.Close)
			env.Values[key{}] = shop
			for name, value := range map[string]string{
				"SERVER": started.Host, "GH_HOST": started.Host, "SSL_CERT_FILE": started.Certificate, "GH_ENTERPRISE_TOKEN": githubtest.Token,
				"TOKEN": githubtest.Token, "GH_CONFIG_DIR": env.WorkDir, "GIT_CONFIG_GLOBAL": os.DevNull,
			} {
				env.Setenv(name, value)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			// asked checks that GitHub got requests since the start; with ! that it got none.
			"asked": func(ts *testscript.TestScript, negated bool, _ []string) {
				if n := len(ts.Value(key{}).(*githubtest.Server).Requests()); (n == 0) != negated {
					ts.Fatalf("GitHub got %d requests", n)
				}
			},
			// refuse KIND MESSAGE has GitHub answer 403.
			"refuse": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Value(key{}).(*githubtest.Server).Answer(args[0], githubtest.Answer{Status: http.StatusForbidden, Message: strings.Join(args[1:], " ")})
			},
		},
	})
}

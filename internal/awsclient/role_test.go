package awsclient_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
)

const role = "arn:aws:iam::123456789012:role/deployer"

// issuing is GitHub's token service and AWS's STS and ECS in one: it notes how the role was taken, and by whom calls are
// signed.
type issuing struct {
	*httptest.Server
	tokenStatus int
	taken       url.Values
	grant       string
	audience    string
	signedBy    string
}

func newIssuing(t *testing.T) *issuing {
	i := &issuing{tokenStatus: http.StatusOK}
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			i.grant, i.audience = r.Header.Get("Authorization"), r.URL.Query().Get("audience")
			w.WriteHeader(i.tokenStatus)
			_, _ = io.WriteString(w, `{"count":1,"value":"the.jobs.token"}`)
			return
		}
		if r.Header.Get("X-Amz-Target") != "" {
			i.signedBy = r.Header.Get("Authorization")
			_, _ = io.WriteString(w, `{"services":[]}`)
			return
		}
		body, _ := io.ReadAll(r.Body)
		i.taken, _ = url.ParseQuery(string(body))
		action := i.taken.Get("Action")
		fmt.Fprintf(w, `<%[1]sResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><%[1]sResult><Credentials><AccessKeyId>ASIATAKEN</AccessKeyId><SecretAccessKey>x</SecretAccessKey><SessionToken>y</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></%[1]sResult></%[1]sResponse>`, action)
	}))
	t.Cleanup(i.Close)
	return i
}

func (i *issuing) describe(t *testing.T) error {
	t.Helper()
	s, err := awsclient.Load(t.Context(), awsclient.Config{Region: "us-east-1", Endpoint: i.URL, Role: role})
	if err != nil {
		t.Fatal(err)
	}
	return describe(t.Context(), s)
}

func TestARoleIsTakenWithTheJobsIdentity(t *testing.T) {
	emptyEnvironment(t)
	i := newIssuing(t)
	t.Setenv("GITHUB_ACTIONS", "true")
	t.Setenv("GITHUB_RUN_ID", "42")
	t.Setenv("ACTIONS_ID_TOKEN_REQUEST_URL", i.URL+"/token?api-version=2.0")
	t.Setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "grant")
	if err := i.describe(t); err != nil {
		t.Fatal(err)
	}
	if i.grant != "Bearer grant" || i.audience != "sts.amazonaws.com" {
		t.Errorf("asked with %q for audience %q", i.grant, i.audience)
	}
	for name, want := range map[string]string{"Action": "AssumeRoleWithWebIdentity", "RoleArn": role, "WebIdentityToken": "the.jobs.token", "RoleSessionName": "medusa-deploy-42"} {
		if got := i.taken.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if !strings.Contains(i.signedBy, "Credential=ASIATAKEN/") {
		t.Errorf("calls are signed by %q", i.signedBy)
	}
}

func TestAJobWithoutIdentityIsToldWhatItLacks(t *testing.T) {
	for name, status := range map[string]int{"no permission": 0, "permission refused": http.StatusForbidden} {
		t.Run(name, func(t *testing.T) {
			emptyEnvironment(t)
			i := newIssuing(t)
			t.Setenv("GITHUB_ACTIONS", "true")
			t.Setenv("ACTIONS_ID_TOKEN_REQUEST_URL", i.URL+"/token")
			t.Setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "grant")
			if i.tokenStatus = status; status == 0 {
				t.Setenv("ACTIONS_ID_TOKEN_REQUEST_URL", "")
			}
			if err := i.describe(t); err == nil || !strings.Contains(err.Error(), "id-token: write") {
				t.Errorf("error = %v", err)
			}
		})
	}
}

func TestARoleIsTakenWithKeysElsewhere(t *testing.T) {
	emptyEnvironment(t)
	i := newIssuing(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAMINE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "x")
	if err := i.describe(t); err != nil {
		t.Fatal(err)
	}
	if got := i.taken.Get("Action"); got != "AssumeRole" || !strings.Contains(i.signedBy, "Credential=ASIATAKEN/") {
		t.Errorf("took the role by %s, calls are signed by %q", got, i.signedBy)
	}
}

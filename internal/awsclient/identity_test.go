package awsclient_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
	"github.com/medusa-deploy/medusa-deploy/internal/awsclient/awstest"
)

func TestIdentity(t *testing.T) {
	aws := awstest.New(t).On("GetCallerIdentity", awstest.Always(awstest.Body{"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:user/u"}))
	who, err := aws.Session(t).Identity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := (awsclient.Identity{Account: "123456789012", ARN: "arn:aws:iam::123456789012:user/u"}); who != want {
		t.Errorf("got %+v", who)
	}
}

func TestIdentitySaysWhatIsWrongWithTheCredentials(t *testing.T) {
	cases := []struct {
		code, message string
		want          []string
		calls         int // 0: 1
	}{
		{"ExpiredToken", "The security token included in the request is expired", []string{"have expired", "aws sso login"}, 5},
		{"InvalidClientTokenId", "The security token included in the request is invalid.", []string{"does not know the access key", "AWS_PROFILE"}, 0},
		{"SignatureDoesNotMatch", "The request signature we calculated does not match", []string{"refuses the signature", "secret access key", "clock"}, 0},
		{"OptInRequired", "not subscribed", []string{"enable the region"}, 0},
		{"Whatever", "something new", []string{"sts:GetCallerIdentity: something new (Whatever)"}, 0},
	}
	for _, c := range cases {
		t.Run(c.code, func(t *testing.T) {
			aws := awstest.New(t).On("GetCallerIdentity", awstest.Always(awstest.Failure{Status: 403, Code: c.code, Message: c.message}))
			_, err := aws.Session(t).Identity(t.Context())
			wantIn(t, err, c.want...)
			if awsclient.CodeOf(err) != c.code {
				t.Errorf("the code is %q", awsclient.CodeOf(err))
			}
			if n := aws.Count("GetCallerIdentity"); n != max(1, c.calls) {
				t.Errorf("asked %d times", n)
			}
		})
	}
}

func TestSomethingElseAnswers(t *testing.T) {
	aws := awstest.New(t).On("DescribeServices", awstest.Always(awstest.Raw{Status: 200, Body: "<html>a proxy's page</html>"}))
	wantIn(t, describe(t.Context(), aws.Session(t)), "not AWS's", "AWS_ENDPOINT_URL")
}

func TestNoCredentials(t *testing.T) {
	emptyEnvironment(t)
	s, err := awsclient.Load(t.Context(), awsclient.Config{Region: "us-east-1", HTTP: awstest.New(t)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Identity(t.Context())
	wantIn(t, err, "no AWS credentials were found", "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: not set", `profile "default"`, "aws configure")
}

func TestCredentialsThatCannotBeHad(t *testing.T) {
	emptyEnvironment(t)
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/credentials")
	synctest.Test(t, func(t *testing.T) {
		s, err := awsclient.Load(t.Context(), awsclient.Config{Region: "us-east-1", HTTP: awstest.New(t)})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Identity(t.Context())
		wantIn(t, err, "could be had from AWS_CONTAINER_CREDENTIALS_*")
	})
}

func TestLoadSaysWhatIsWrong(t *testing.T) {
	cases := map[string]struct {
		config      awsclient.Config
		environment map[string]string
		want        []string
	}{
		"no region":        {awsclient.Config{AccessKeyID: "a", SecretAccessKey: "b"}, nil, []string{"no AWS region", "AWS_REGION"}},
		"half a key":       {awsclient.Config{AccessKeyID: "a"}, nil, []string{"go together"}},
		"unknown profile":  {awsclient.Config{Region: "r"}, map[string]string{"AWS_PROFILE": "nobody"}, []string{`profile "nobody" does not exist`, "list-profiles"}},
		"endpoint, no URL": {awsclient.Config{Region: "r", Endpoint: "localhost:4566", AccessKeyID: "a", SecretAccessKey: "b"}, nil, []string{"is no URL", "http://HOST:PORT"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			emptyEnvironment(t)
			for key, value := range c.environment {
				t.Setenv(key, value)
			}
			_, err := awsclient.Load(t.Context(), c.config)
			wantIn(t, err, c.want...)
		})
	}
}

func TestTheLocalTargetReadsNothingOfTheUsers(t *testing.T) {
	emptyEnvironment(t)
	t.Setenv("AWS_PROFILE", "nobody")
	t.Setenv("AWS_ENDPOINT_URL_STS", "http://192.0.2.1:1")
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	aws := awstest.New(t).On("GetCallerIdentity", awstest.InTurn(broken, awstest.Body{"Account": "000000000000"}))
	s := aws.Session(t)
	if _, err := s.Identity(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !s.OnThisMachine() || !s.Overridden() {
		t.Error("127.0.0.1 is this machine")
	}
}

func TestTheEnvironmentsEndpointIsUsed(t *testing.T) {
	emptyEnvironment(t)
	t.Setenv("AWS_ENDPOINT_URL", "http://localhost:4566")
	t.Setenv("AWS_ACCESS_KEY_ID", "a")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "b")
	t.Setenv("AWS_REGION", "eu-west-1")
	s, err := awsclient.Load(t.Context(), awsclient.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if !s.OnThisMachine() || s.Region() != "eu-west-1" {
		t.Errorf("on this machine: %t, region %s", s.OnThisMachine(), s.Region())
	}
}

// emptyEnvironment takes away whatever AWS configuration the machine has.
func emptyEnvironment(t *testing.T) {
	t.Helper()
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	none := filepath.Join(t.TempDir(), "none")
	t.Setenv("AWS_CONFIG_FILE", none)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", none)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

func wantIn(t *testing.T, err error, wants ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range wants {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in:\n%v", want, err)
		}
	}
}

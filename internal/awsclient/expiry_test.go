package awsclient_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
	"github.com/medusa-deploy/medusa-deploy/internal/awsclient/awstest"
)

func TestExpiry(t *testing.T) {
	const at = "2031-02-03T04:05:06Z"
	const process = "[default]\ncredential_process = echo '{\"Version\":1,\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"b\",\"SessionToken\":\"c\",\"Expiration\":\"" + at + "\"}'\n"
	for name, tc := range map[string]struct {
		variables map[string]string
		profile   string
		source    string // empty: it is not known when they end
	}{
		"keys for ever":        {map[string]string{"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}, "", ""},
		"exported with an end": {map[string]string{"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_CREDENTIAL_EXPIRATION": at}, "", "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"},
		"an end that is none":  {map[string]string{"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_CREDENTIAL_EXPIRATION": "soon"}, "", ""},
		"a program's":          {nil, process, `profile "default" of ~/.aws/config and ~/.aws/credentials`},
		"another one's end":    {map[string]string{"AWS_CREDENTIAL_EXPIRATION": "2001-01-01T00:00:00Z"}, process, `profile "default" of ~/.aws/config and ~/.aws/credentials`},
	} {
		t.Run(name, func(t *testing.T) {
			emptyEnvironment(t)
			for key, value := range tc.variables {
				t.Setenv(key, value)
			}
			if tc.profile != "" {
				file := filepath.Join(t.TempDir(), "config")
				if err := os.WriteFile(file, []byte(tc.profile), 0o600); err != nil {
					t.Fatal(err)
				}
				t.Setenv("AWS_CONFIG_FILE", file)
			}
			s, err := awsclient.Load(t.Context(), awsclient.Config{Region: "us-east-1", HTTP: awstest.New(t)})
			if err != nil {
				t.Fatal(err)
			}
			got, known, err := s.Expiry(t.Context())
			if err != nil || known != (tc.source != "") {
				t.Fatalf("known: %v, %v", known, err)
			}
			if known && (got.At.UTC().Format(time.RFC3339) != at || got.Source != tc.source || got.Renews) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestExpiryOfARole(t *testing.T) {
	emptyEnvironment(t)
	metadata := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"AccessKeyId":"a","SecretAccessKey":"b","Token":"c","Expiration":"2031-02-03T04:05:06Z"}`)
	}))
	defer metadata.Close()
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", metadata.URL)
	s, err := awsclient.Load(t.Context(), awsclient.Config{Region: "us-east-1", HTTP: awstest.New(t)})
	if err != nil {
		t.Fatal(err)
	}
	got, known, err := s.Expiry(t.Context())
	if err != nil || !known || !got.Renews {
		t.Errorf("got %+v, known: %v, %v; want one that renews itself", got, known, err)
	}
}

func TestExpiryWithoutCredentials(t *testing.T) {
	emptyEnvironment(t)
	s, err := awsclient.Load(t.Context(), awsclient.Config{Region: "us-east-1", HTTP: awstest.New(t)})
	if err != nil {
		t.Fatal(err)
	}
	_, known, err := s.Expiry(t.Context())
	if known {
		t.Error("credentials that do not exist end")
	}
	wantIn(t, err, "no AWS credentials were found")
}

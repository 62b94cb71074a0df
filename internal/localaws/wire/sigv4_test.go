package wire

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

const (
	testKey    = "AKIDEXAMPLE"
	testSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
)

var signedAt = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// signed makes a request with the SDK's own signer: the oracle for ours.
func signed(t *testing.T, method, url, body, service string, headers map[string]string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	credentials := aws.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret}
	if err := v4.NewSigner().SignHTTP(t.Context(), credentials, r, hexSHA256([]byte(body)), service, "eu-west-1", signedAt); err != nil {
		t.Fatal(err)
	}
	r.Host = r.URL.Host
	return r
}

func TestVerifyAgreesWithTheSDK(t *testing.T) {
	tests := []struct {
		name, method, url, body string
		headers                 map[string]string
	}{
		{"json", "POST", "http://127.0.0.1:4566/", `{"a":1}`, map[string]string{"X-Amz-Target": "T.Op", "Content-Type": jsonContentType}},
		{"no body", "GET", "http://localhost/", "", nil},
		{"query string", "GET", "http://localhost/?Action=X&b=2&a=1&a=0&empty=&sp=a%20b%2Bc", "", nil},
		{"odd path", "GET", "http://localhost/a%20b/c:d/~e", "", nil},
		{"spaces in a header", "POST", "http://localhost/", "x", map[string]string{"X-Amz-Meta": "  a   b  c "}},
		{"session token", "POST", "http://localhost/", "x", map[string]string{"X-Amz-Security-Token": "t/+="}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := signed(t, test.method, test.url, test.body, "ecs", test.headers)
			s, err := parseAuthorization(r.Header.Get("Authorization"))
			if err != nil {
				t.Fatal(err)
			}
			if s.accessKey != testKey || s.region != "eu-west-1" || s.service != "ecs" {
				t.Errorf("parsed %+v", s)
			}
			if err := s.verify(r, []byte(test.body), testSecret, signedAt); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestVerifyRefuses(t *testing.T) {
	tests := []struct {
		name   string
		tamper func(r *http.Request) // what changes after signing
		body   string
		secret string
		now    time.Time
		code   string
		says   string
	}{
		{name: "other body", body: "tampered", code: "InvalidSignatureException", says: "does not match the signature"},
		{name: "other secret", secret: "wrong", code: "InvalidSignatureException", says: "does not match the signature"},
		{name: "other target", tamper: func(r *http.Request) { r.Header.Set("X-Amz-Target", "T.Delete") }, code: "InvalidSignatureException", says: "does not match"},
		{name: "other method", tamper: func(r *http.Request) { r.Method = "PUT" }, code: "InvalidSignatureException", says: "does not match"},
		{name: "other host", tamper: func(r *http.Request) { r.Host = "evil" }, code: "InvalidSignatureException", says: "does not match"},
		{name: "too old", now: signedAt.Add(5*time.Minute + time.Second), code: "InvalidSignatureException", says: "Signature expired: 20261123T120000Z is now earlier than 20261123T120001Z (20261123T120501Z - 5 min.)"},
		{name: "too new", now: signedAt.Add(-6 * time.Minute), code: "InvalidSignatureException", says: "Signature not yet current: 20261123T120000Z is still later than 20261123T115900Z"},
		{name: "no date", tamper: func(r *http.Request) { r.Header.Del("X-Amz-Date") }, code: "IncompleteSignatureException", says: "X-Amz-Date"},
		{name: "other day", tamper: func(r *http.Request) { r.Header.Set("X-Amz-Date", "20261122T120000Z") }, code: "InvalidSignatureException", says: "Date in Credential scope does not match"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := signed(t, "POST", "http://localhost/", "body", "ecs", map[string]string{"X-Amz-Target": "T.Describe"})
			s, err := parseAuthorization(r.Header.Get("Authorization"))
			if err != nil {
				t.Fatal(err)
			}
			body, secret, now := "body", testSecret, signedAt
			if test.body != "" {
				body = test.body
			}
			if test.secret != "" {
				secret = test.secret
			}
			if !test.now.IsZero() {
				now = test.now
			}
			if test.tamper != nil {
				test.tamper(r)
			}
			wantFault(t, s.verify(r, []byte(body), secret, now), test.code, test.says)
		})
	}
}

func TestVerifyAllowsFiveMinutesOfSkew(t *testing.T) {
	r := signed(t, "POST", "http://localhost/", "", "ecs", nil)
	s, err := parseAuthorization(r.Header.Get("Authorization"))
	if err != nil {
		t.Fatal(err)
	}
	for _, skew := range []time.Duration{-5 * time.Minute, 5 * time.Minute} {
		if err := s.verify(r, nil, testSecret, signedAt.Add(skew)); err != nil {
			t.Errorf("skew %v: %v", skew, err)
		}
	}
}

func TestParseAuthorization(t *testing.T) {
	const scope = "20261123/us-east-1/ecs/aws4_request"
	tests := []struct{ name, header, code string }{
		{"nothing", "", "MissingAuthenticationTokenException"},
		{"basic", "Basic QVdTOng=", "IncompleteSignatureException"},
		{"no pairs", "AWS4-HMAC-SHA256 hello", "IncompleteSignatureException"},
		{"no credential", "AWS4-HMAC-SHA256 SignedHeaders=host, Signature=0", "IncompleteSignatureException"},
		{"no signature", "AWS4-HMAC-SHA256 Credential=AK/" + scope + ", SignedHeaders=host", "IncompleteSignatureException"},
		{"short scope", "AWS4-HMAC-SHA256 Credential=AK/20261123/ecs/aws4_request, SignedHeaders=host, Signature=0", "IncompleteSignatureException"},
		{"empty region", "AWS4-HMAC-SHA256 Credential=AK/20261123//ecs/aws4_request, SignedHeaders=host, Signature=0", "IncompleteSignatureException"},
		{"host not signed", "AWS4-HMAC-SHA256 Credential=AK/" + scope + ", SignedHeaders=x-amz-date, Signature=0", "IncompleteSignatureException"},
		{"good", "AWS4-HMAC-SHA256 Credential=AK/" + scope + ", SignedHeaders=host;x-amz-date, Signature=0", ""},
		{"good without spaces", "AWS4-HMAC-SHA256 Credential=A/K/" + scope + ",SignedHeaders=host,Signature=0", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, err := parseAuthorization(test.header)
			if test.code != "" {
				wantFault(t, err, test.code, "")
				return
			}
			if err != nil || s.scope() != scope {
				t.Errorf("scope %q, %v", s.scope(), err)
			}
		})
	}
}

func FuzzParseAuthorization(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=AK/20261123/us-east-1/ecs/aws4_request, SignedHeaders=host, Signature=0")
	f.Add("AWS4-HMAC-SHA256 Credential=/////, SignedHeaders=, Signature=")
	f.Fuzz(func(t *testing.T, header string) {
		s, err := parseAuthorization(header)
		if err != nil {
			return
		}
		if s.accessKey == "" || s.region == "" || s.service == "" || s.digest == "" {
			t.Errorf("accepted %q as %+v", header, s)
		}
		// Whatever was parsed, an unsigned request must not pass.
		r, _ := http.NewRequestWithContext(t.Context(), "POST", "http://localhost/", nil)
		r.Header.Set("X-Amz-Date", s.day+"T000000Z")
		if s.verify(r, nil, testSecret, signedAt) == nil {
			t.Errorf("verified a forged signature %q", header)
		}
	})
}

func wantFault(t *testing.T, err error, code, says string) {
	t.Helper()
	var f *fault
	if !errors.As(err, &f) || f.json != code || !strings.Contains(f.message, says) {
		t.Errorf("got %v, want %s: …%s…", err, code, says)
	}
}

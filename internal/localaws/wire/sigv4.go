package wire

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	signingAlgorithm = "AWS4-HMAC-SHA256"
	signingEnd       = "aws4_request"
	amzTimeFormat    = "20060102T150405Z"
	// maxSkew is how far a request's date may be from the server's clock (AWS: "Troubleshooting Signature Version 4").
	maxSkew = 5 * time.Minute
)

// signature is what an Authorization header says.
type signature struct {
	accessKey string
	day       string // yyyymmdd
	region    string
	service   string // the signing name
	headers   []string
	digest    string // hex
}

func (s signature) scope() string {
	return strings.Join([]string{s.day, s.region, s.service, signingEnd}, "/")
}

// parseAuthorization reads an Authorization header of Signature Version 4.
func parseAuthorization(header string) (signature, error) {
	if header == "" {
		return signature{}, errMissingToken
	}
	algorithm, rest, _ := strings.Cut(header, " ")
	if algorithm != signingAlgorithm {
		return signature{}, incomplete("unsupported authorization algorithm %q: only %s is accepted", algorithm, signingAlgorithm)
	}
	var s signature
	for part := range strings.SplitSeq(rest, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok {
			return signature{}, incomplete("%q is not a valid key=value pair in Authorization header: %q", part, header)
		}
		switch name {
		case "Credential":
			if err := s.parseCredential(value); err != nil {
				return signature{}, err
			}
		case "SignedHeaders":
			s.headers = strings.Split(strings.ToLower(value), ";")
		case "Signature":
			s.digest = value
		}
	}
	for name, missing := range map[string]bool{
		"Credential": s.accessKey == "", "SignedHeaders": len(s.headers) == 0, "Signature": s.digest == "",
	} {
		if missing {
			return signature{}, incomplete("Authorization header requires '%s' parameter. Authorization=%s", name, algorithm)
		}
	}
	if !slices.Contains(s.headers, "host") {
		return signature{}, incomplete("'Host' must be a 'SignedHeader' in the AWS Authorization.")
	}
	return s, nil
}

// parseCredential reads ACCESSKEY/yyyymmdd/region/service/aws4_request; an access key may itself contain slashes.
func (s *signature) parseCredential(value string) error {
	parts := strings.Split(value, "/")
	n := len(parts)
	if n < 5 || parts[n-1] != signingEnd || slices.Contains(parts, "") {
		return incomplete("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '%s'", value)
	}
	s.accessKey = strings.Join(parts[:n-4], "/")
	s.day, s.region, s.service = parts[n-4], parts[n-3], parts[n-2]
	return nil
}

// verify checks that r, whose body was body, was signed with secret and at about now.
func (s signature) verify(r *http.Request, body []byte, secret string, now time.Time) error {
	stamp := r.Header.Get("X-Amz-Date")
	signedAt, err := time.Parse(amzTimeFormat, stamp)
	if err != nil {
		return incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. Authorization=%s", signingAlgorithm)
	}
	if !strings.HasPrefix(stamp, s.day) {
		return mismatch("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%s', from '%s'.", s.day, stamp[:8], stamp)
	}
	want := sign(secret, s, stringToSign(stamp, s.scope(), canonicalRequest(r, s.headers, body)))
	if !hmac.Equal([]byte(want), []byte(s.digest)) {
		return mismatch("The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
	}
	return checkSkew(signedAt, now)
}

func checkSkew(signedAt, now time.Time) error {
	at, clock := signedAt.UTC().Format(amzTimeFormat), now.UTC().Format(amzTimeFormat)
	switch {
	case signedAt.Before(now.Add(-maxSkew)):
		return mismatch("Signature expired: %s is now earlier than %s (%s - 5 min.)", at, now.UTC().Add(-maxSkew).Format(amzTimeFormat), clock)
	case signedAt.After(now.Add(maxSkew)):
		return mismatch("Signature not yet current: %s is still later than %s (%s + 5 min.)", at, now.UTC().Add(maxSkew).Format(amzTimeFormat), clock)
	}
	return nil
}

// canonicalRequest is the first step of the signing process in "Create a signed AWS API request".
func canonicalRequest(r *http.Request, headers []string, body []byte) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n%s\n", r.Method, canonicalPath(r.URL), canonicalQuery(r.URL.Query()))
	for _, name := range headers {
		fmt.Fprintf(&b, "%s:%s\n", name, headerValue(r, name))
	}
	fmt.Fprintf(&b, "\n%s\n%s", strings.Join(headers, ";"), hexSHA256(body))
	return b.String()
}

// canonicalPath is the path encoded twice, as every service but S3 signs it.
func canonicalPath(u *url.URL) string {
	path := u.EscapedPath()
	if path == "" {
		return "/"
	}
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		segments[i] = escape(segment)
	}
	return strings.Join(segments, "/")
}

func canonicalQuery(query url.Values) string {
	pairs := make([]string, 0, len(query))
	for name, values := range query {
		for _, value := range values {
			pairs = append(pairs, escape(name)+"="+escape(value))
		}
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

// escape percent-encodes everything but RFC 3986's unreserved characters.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// headerValue gives a header as it was signed: net/http keeps the host and the length apart from the header map.
func headerValue(r *http.Request, name string) string {
	switch name {
	case "host":
		return r.Host
	case "content-length":
		return strconv.FormatInt(r.ContentLength, 10)
	}
	values := slices.Clone(r.Header.Values(name))
	for i, value := range values {
		values[i] = strings.Join(strings.Fields(value), " ")
	}
	return strings.Join(values, ",")
}

func stringToSign(stamp, scope, canonical string) string {
	return strings.Join([]string{signingAlgorithm, stamp, scope, hexSHA256([]byte(canonical))}, "\n")
}

func sign(secret string, s signature, text string) string {
	key := []byte("AWS4" + secret)
	for _, part := range []string{s.day, s.region, s.service, signingEnd, text} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	return hex.EncodeToString(key)
}

func hexSHA256(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

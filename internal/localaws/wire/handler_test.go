package wire_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/medusa-deploy/medusa-deploy/internal/awshttp"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

const (
	key    = "LOCALKEY"
	secret = "local-secret"
)

// clusters is a backend with one operation for each way to answer.
type clusters struct{}

func (clusters) DescribeClusters(ctx context.Context, in *ecs.DescribeClustersInput) (*ecs.DescribeClustersOutput, error) {
	caller := wire.CallerOf(ctx)
	var out ecs.DescribeClustersOutput
	for _, name := range in.Clusters {
		arn := "arn:aws:ecs:" + caller.Region + ":" + wire.AccountID + ":cluster/" + name
		out.Clusters = append(out.Clusters, types.Cluster{ClusterName: &name, ClusterArn: &arn, Status: aws.String(caller.AccessKey)})
	}
	return &out, nil
}

func (clusters) CreateCluster(_ context.Context, in *ecs.CreateClusterInput) (*ecs.CreateClusterOutput, error) {
	if err := wire.Required(in, "ClusterName"); err != nil {
		return nil, err
	}
	return nil, &types.ClusterNotFoundException{Message: aws.String("Cluster not found.")}
}

func (clusters) DeleteCluster(context.Context, *ecs.DeleteClusterInput) (*ecs.DeleteClusterOutput, error) {
	return nil, fmt.Errorf("delete: %w", wire.Errorf("ClientException", "no %s", "way"))
}

func (clusters) RunTask(context.Context, *ecs.RunTaskInput) (*ecs.RunTaskOutput, error) {
	return nil, errors.New("the disk is on fire")
}

func (clusters) StopTask(context.Context, *ecs.StopTaskInput) (*ecs.StopTaskOutput, error) {
	panic("at the wheel")
}

func (clusters) UpdateService(context.Context, *ecs.UpdateServiceInput) (*ecs.UpdateServiceOutput, error) {
	return nil, &types.AccessDeniedException{Message: aws.String("wrapped")}
}

type identities struct{}

func (identities) GetCallerIdentity(ctx context.Context, _ *sts.GetCallerIdentityInput) (*sts.GetCallerIdentityOutput, error) {
	return &sts.GetCallerIdentityOutput{Account: aws.String(wire.AccountID), Arn: aws.String("arn:<&>"), UserId: aws.String(wire.CallerOf(ctx).Region)}, nil
}

func (identities) GetSessionToken(_ context.Context, in *sts.GetSessionTokenInput) (*sts.GetSessionTokenOutput, error) {
	return nil, wire.Required(in, "SerialNumber")
}

func serve(t *testing.T) *httptest.Server {
	t.Helper()
	h, err := wire.NewHandler(wire.Config{
		Services: []wire.Service{
			{Name: "ecs", TargetPrefix: "AmazonEC2ContainerServiceV20141113", Backend: clusters{}, Operations: wire.OperationsOf((*ecs.Client)(nil)), MaxBody: 4096},
			{Name: "sts", QueryVersion: "2011-06-15", Backend: identities{}, Operations: wire.OperationsOf((*sts.Client)(nil))},
		},
		Credentials: func(k string) (string, bool) { return secret, k == key },
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server
}

func ecsClient(server *httptest.Server, accessKey, secretKey string) *ecs.Client {
	return ecs.New(ecs.Options{
		Region: "eu-west-1", BaseEndpoint: &server.URL, HTTPClient: awshttp.New(), Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
	})
}

func stsClient(server *httptest.Server, accessKey, secretKey string) *sts.Client {
	return sts.New(sts.Options{
		Region: "eu-west-1", BaseEndpoint: &server.URL, HTTPClient: awshttp.New(), Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
	})
}

func TestJSONClient(t *testing.T) {
	client := ecsClient(serve(t), key, secret)
	out, err := client.DescribeClusters(t.Context(), &ecs.DescribeClustersInput{Clusters: []string{"a", "b"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Clusters) != 2 || *out.Clusters[1].ClusterArn != "arn:aws:ecs:eu-west-1:000000000000:cluster/b" || *out.Clusters[0].Status != key {
		t.Errorf("got %+v", out.Clusters)
	}
	if out.Failures == nil {
		t.Error("failures are absent; clients loop over them")
	}
}

func TestJSONErrors(t *testing.T) {
	client := ecsClient(serve(t), key, secret)
	_, err := client.CreateCluster(t.Context(), &ecs.CreateClusterInput{ClusterName: aws.String("x")})
	var typed *types.ClusterNotFoundException
	if !errors.As(err, &typed) || typed.ErrorMessage() != "Cluster not found." {
		t.Errorf("a typed exception arrived as %v", err)
	}
	tests := []struct {
		name, code, says string
		call             func() error
	}{
		{"missing member", "InvalidParameterException", "1 validation error detected: Value null at 'clusterName' failed to satisfy constraint: Member must not be null",
			func() error { _, err := client.CreateCluster(t.Context(), &ecs.CreateClusterInput{}); return err }},
		{"wrapped error", "ClientException", "no way",
			func() error {
				_, err := client.DeleteCluster(t.Context(), &ecs.DeleteClusterInput{Cluster: aws.String("x")})
				return err
			}},
		{"own failure", "InternalFailure", "the disk is on fire",
			func() error {
				_, err := client.RunTask(t.Context(), &ecs.RunTaskInput{TaskDefinition: aws.String("x")})
				return err
			}},
		{"panic", "InternalFailure", "at the wheel",
			func() error {
				_, err := client.StopTask(t.Context(), &ecs.StopTaskInput{Task: aws.String("x")})
				return err
			}},
		{"unknown enum value", "InvalidParameterException", "Value 'MARS' at 'launchType' failed to satisfy constraint: Member must satisfy enum value set: [EC2, FARGATE, EXTERNAL",
			func() error {
				_, err := client.RunTask(t.Context(), &ecs.RunTaskInput{TaskDefinition: aws.String("x"), LaunchType: "MARS"})
				return err
			}},
		{"not implemented", "NotImplementedException", "local AWS does not implement ecs:ListAttributes",
			func() error {
				_, err := client.ListAttributes(t.Context(), &ecs.ListAttributesInput{TargetType: types.TargetTypeContainerInstance})
				return err
			}},
		{"body too large", "RequestEntityTooLargeException", "larger than 4096 bytes",
			func() error {
				_, err := client.DescribeClusters(t.Context(), &ecs.DescribeClustersInput{Clusters: []string{strings.Repeat("x", 5000)}})
				return err
			}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { wantAPIError(t, test.call(), test.code, test.says) })
	}
}

func TestQueryClient(t *testing.T) {
	server := serve(t)
	out, err := stsClient(server, key, secret).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil {
		t.Fatal(err)
	}
	if *out.Account != wire.AccountID || *out.Arn != "arn:<&>" || *out.UserId != "eu-west-1" {
		t.Errorf("got %+v", out)
	}
	_, err = stsClient(server, key, secret).GetSessionToken(t.Context(), &sts.GetSessionTokenInput{})
	wantAPIError(t, err, "ValidationError", "Value null at 'serialNumber'")
	_, err = stsClient(server, key, secret).AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::0:role/x"), RoleSessionName: aws.String("s")})
	wantAPIError(t, err, "NotImplemented", "local AWS does not implement sts:AssumeRole")
}

func TestWrongCredentials(t *testing.T) {
	server := serve(t)
	call := func(accessKey, secretKey string) (jsonErr, queryErr error) {
		_, jsonErr = ecsClient(server, accessKey, secretKey).DescribeClusters(t.Context(), &ecs.DescribeClustersInput{})
		_, queryErr = stsClient(server, accessKey, secretKey).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
		return jsonErr, queryErr
	}
	jsonErr, queryErr := call("NOBODY", secret)
	wantAPIError(t, jsonErr, "UnrecognizedClientException", "security token included in the request is invalid")
	wantAPIError(t, queryErr, "InvalidClientTokenId", "security token included in the request is invalid")
	jsonErr, queryErr = call(key, "wrong")
	wantAPIError(t, jsonErr, "InvalidSignatureException", "does not match the signature you provided")
	wantAPIError(t, queryErr, "SignatureDoesNotMatch", "does not match the signature you provided")
}

// TestRawAnswers looks at bytes and headers, which SDK clients hide.
func TestRawAnswers(t *testing.T) {
	server := serve(t)
	tests := []struct {
		name, service, target, body string
		unsigned                    bool
		status                      int
		contentType                 string
		want                        []string
	}{
		{name: "lists are never absent", service: "ecs", target: "AmazonEC2ContainerServiceV20141113.DescribeClusters", body: "",
			status: 200, contentType: "application/x-amz-json-1.1", want: []string{`{"clusters":[],"failures":[]}`}},
		{name: "error", service: "ecs", target: "AmazonEC2ContainerServiceV20141113.CreateCluster", body: `{"clusterName":"x"}`,
			status: 400, contentType: "application/x-amz-json-1.1", want: []string{`{"__type":"ClusterNotFoundException","message":"Cluster not found."}`}},
		{name: "server error", service: "ecs", target: "AmazonEC2ContainerServiceV20141113.RunTask", body: `{}`,
			status: 500, contentType: "application/x-amz-json-1.1", want: []string{`"__type":"InternalFailure"`}},
		{name: "unknown operation", service: "ecs", target: "AmazonEC2ContainerServiceV20141113.Dance", status: 400,
			contentType: "application/x-amz-json-1.1", want: []string{"UnknownOperationException", "Dance"}},
		{name: "target of another service", service: "ecs", target: "Logs_20140328.CreateLogGroup", status: 400,
			contentType: "application/x-amz-json-1.1", want: []string{"UnknownOperationException"}},
		{name: "unknown service", service: "s3", target: "", status: 400, contentType: "text/xml",
			want: []string{"<Code>NotImplemented</Code>", "local AWS has no service &#34;s3&#34;; it has ecs, sts"}},
		{name: "malformed", service: "ecs", target: "AmazonEC2ContainerServiceV20141113.RunTask", body: `{"count":"one"}`, status: 400,
			contentType: "application/x-amz-json-1.1", want: []string{"SerializationException", "STRING_VALUE can not be converted to an Integer at 'count'"}},
		{name: "unsigned JSON", service: "ecs", target: "AmazonEC2ContainerServiceV20141113.RunTask", unsigned: true, status: 400,
			contentType: "application/x-amz-json-1.1", want: []string{`{"__type":"MissingAuthenticationTokenException","message":"Missing Authentication Token"}`}},
		{name: "unsigned Query", service: "sts", body: "Action=GetCallerIdentity&Version=2011-06-15", unsigned: true, status: 403,
			contentType: "text/xml", want: []string{"<Code>MissingAuthenticationToken</Code>"}},
		{name: "Query", service: "sts", body: "Action=GetCallerIdentity&Version=2011-06-15", status: 200, contentType: "text/xml",
			want: []string{`<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>`, "<Arn>arn:&lt;&amp;&gt;</Arn>", "<RequestId>"}},
		{name: "Query of another version", service: "sts", body: "Action=GetCallerIdentity&Version=1999-01-01", status: 400, contentType: "text/xml",
			want: []string{"<Type>Sender</Type><Code>InvalidAction</Code>", "Could not find operation GetCallerIdentity for version 1999-01-01"}},
		{name: "Query without action", service: "sts", body: "Version=2011-06-15", status: 400, contentType: "text/xml", want: []string{"Action is missing"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), "POST", server.URL, strings.NewReader(test.body))
			if err != nil {
				t.Fatal(err)
			}
			if test.target != "" {
				r.Header.Set("X-Amz-Target", test.target)
			}
			if !test.unsigned {
				signRequest(t, r, test.body, test.service)
			}
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatal(err)
			}
			if response.StatusCode != test.status || response.Header.Get("Content-Type") != test.contentType || response.Header.Get("X-Amzn-Requestid") == "" {
				t.Errorf("%d %v", response.StatusCode, response.Header)
			}
			for _, want := range test.want {
				if !strings.Contains(string(body), want) {
					t.Errorf("%s\nlacks %s", body, want)
				}
			}
			if test.status >= 400 && test.contentType == "application/x-amz-json-1.1" {
				var e struct {
					Type string `json:"__type"`
				}
				if err := json.Unmarshal(body, &e); err != nil || response.Header.Get("X-Amzn-Errortype") != e.Type {
					t.Errorf("x-amzn-ErrorType %q, body %s", response.Header.Get("X-Amzn-Errortype"), body)
				}
			}
		})
	}
}

func TestNewHandlerRefuses(t *testing.T) {
	credentials := func(string) (string, bool) { return "", false }
	good := wire.Service{Name: "ecs", TargetPrefix: "T", Backend: clusters{}}
	tests := []struct {
		name string
		cfg  wire.Config
		says string
	}{
		{"no credentials", wire.Config{Services: []wire.Service{good}}, "Credentials"},
		{"twice", wire.Config{Services: []wire.Service{good, good}, Credentials: credentials}, "twice"},
		{"no protocol", wire.Config{Services: []wire.Service{{Name: "x", Backend: clusters{}}}, Credentials: credentials}, "target prefix"},
		{"no operation", wire.Config{Services: []wire.Service{{Name: "x", TargetPrefix: "T", Backend: new(bytes.Buffer)}}, Credentials: credentials}, "no operation"},
		{"invented operation", wire.Config{Services: []wire.Service{{Name: "x", TargetPrefix: "T", Backend: clusters{}, Operations: []string{"RunTask"}}}, Credentials: credentials}, "but its backend has"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := wire.NewHandler(test.cfg); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want …%s…", err, test.says)
			}
		})
	}
}

func TestOperationsOf(t *testing.T) {
	names := wire.OperationsOf((*ecs.Client)(nil))
	if len(names) < 70 {
		t.Errorf("only %d operations of ECS: %v", len(names), names)
	}
	for _, name := range names {
		if name == "Options" {
			t.Error("Options is no operation")
		}
	}
}

func BenchmarkCall(b *testing.B) {
	h, err := wire.NewHandler(wire.Config{
		Services:    []wire.Service{{Name: "ecs", TargetPrefix: "T", Backend: clusters{}}},
		Credentials: func(string) (string, bool) { return secret, true },
	})
	if err != nil {
		b.Fatal(err)
	}
	const body = `{"clusters":["a","b","c"]}`
	for b.Loop() {
		r := httptest.NewRequest("POST", "http://localhost/", strings.NewReader(body))
		r.Header.Set("X-Amz-Target", "T.DescribeClusters")
		signRequest(b, r, body, "ecs")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 200 {
			b.Fatal(w.Body)
		}
	}
}

func signRequest(t testing.TB, r *http.Request, body, service string) {
	t.Helper()
	err := v4.NewSigner().SignHTTP(r.Context(), aws.Credentials{AccessKeyID: key, SecretAccessKey: secret}, r, sha256Hex(body), service, "us-east-1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
}

func wantAPIError(t *testing.T, err error, code, says string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code || !strings.Contains(api.ErrorMessage(), says) {
		t.Errorf("got %v, want %s: …%s…", err, code, says)
	}
}

func sha256Hex(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

package sts_test

import (
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/medusa-deploy/medusa-deploy/internal/awshttp"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/sts"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

func TestGetCallerIdentity(t *testing.T) {
	h, err := wire.NewHandler(wire.Config{
		Services:    []wire.Service{(&sts.Backend{}).Service()},
		Credentials: func(string) (string, bool) { return "secret", true },
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	defer server.Close()
	client := sdk.New(sdk.Options{
		Region: "us-east-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
		HTTPClient: awshttp.New(),
	})
	out, err := client.GetCallerIdentity(t.Context(), &sdk.GetCallerIdentityInput{})
	if err != nil {
		t.Fatal(err)
	}
	if *out.Account != "000000000000" || *out.Arn != "arn:aws:iam::000000000000:user/local" || *out.UserId == "" {
		t.Errorf("got %+v", out)
	}
}

package localaws

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

func TestServeAnswersEveryService(t *testing.T) {
	o := options(t)
	info, stop := serving(t, o)
	ctx, cfg := t.Context(), config(info)
	who, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil || *who.Account != "000000000000" {
		t.Errorf("sts: %+v %v", who, err)
	}
	repository, err := ecr.NewFromConfig(cfg).CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: aws.String("medusa")})
	if err != nil || *repository.Repository.RepositoryUri != info.Host+"/medusa" {
		t.Errorf("ecr: %+v %v", repository, err)
	}
	if _, err := ecs.NewFromConfig(cfg).CreateCluster(ctx, &ecs.CreateClusterInput{ClusterName: aws.String("c")}); err != nil {
		t.Errorf("ecs: %v", err)
	}
	if _, err := cloudwatchlogs.NewFromConfig(cfg).CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("/g")}); err != nil {
		t.Errorf("logs: %v", err)
	}
	wrong := info
	wrong.SecretAccessKey = "wrong"
	_, err = sts.NewFromConfig(config(wrong)).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if api := smithy.APIError(nil); !errors.As(err, &api) || api.ErrorCode() != "SignatureDoesNotMatch" {
		t.Errorf("a wrong secret: %v", err)
	}
	resp, err := http.Get(info.Endpoint + "/v2/")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("Www-Authenticate") == "" {
		t.Errorf("the registry answers %s", resp.Status)
	}
	if err := stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	if exists(dir(o.Dir).info()) || inspect(t, o.Dir).Running {
		t.Error("a stopped server is still announced")
	}
	again, _ := serving(t, o)
	if again.AccessKeyID != info.AccessKeyID || again.Host != info.Host {
		t.Errorf("%+v became %+v", info, again)
	}
	groups, err := cloudwatchlogs.NewFromConfig(config(again)).DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{})
	if err != nil || len(groups.LogGroups) != 1 {
		t.Errorf("the state after a restart: %+v %v", groups, err)
	}
}

func TestControl(t *testing.T) {
	info, _ := serving(t, options(t))
	for _, tt := range []struct {
		method, path, host string
		code               int
		body               string
	}{
		{"GET", "/_local/status", "", 200, `"services":[]`},
		{"GET", "/_local/status", "evil.example", 403, "no loopback address"},
		{"POST", "/_local/status", "", 405, "use GET"},
		{"GET", "/_local/", "", 404, "not found"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tt.method, info.Endpoint+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = tt.host
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != tt.code || !strings.Contains(string(body), tt.body) || strings.Contains(string(body), info.SecretAccessKey) {
			t.Errorf("%+v: %d %s", tt, resp.StatusCode, body)
		}
	}
}

func TestOneServerADirectory(t *testing.T) {
	o := options(t)
	info, _ := serving(t, o)
	err := Serve(t.Context(), o, func(Info) { t.Error("a second server became ready") })
	if !errors.Is(err, ErrRunning) {
		t.Errorf("a second server: %v", err)
	}
	wantError(t, err, o.Dir, "medusa-deploy local down")
	if s := inspect(t, o.Dir); !s.Running || s.Info != info {
		t.Errorf("%+v, want %+v", s, info)
	}
}

func TestPortTaken(t *testing.T) {
	o := options(t)
	o.Listen = occupied(t)
	err := Serve(t.Context(), o, func(Info) { t.Error("a server without a port became ready") })
	wantError(t, err, o.Listen, "in use by", "--listen 127.0.0.1:0")
	if s := inspect(t, o.Dir); s.Running || s.Crashed || s.Starting {
		t.Errorf("after a failed start: %+v", s)
	}
}

func TestRemoteAddressIsRefused(t *testing.T) {
	o := options(t)
	o.Listen = "0.0.0.0:0"
	wantError(t, Serve(t.Context(), o, func(Info) { t.Error("it became ready") }), "not a loopback address")
	o.AllowRemote = true
	info, _ := serving(t, o)
	if !strings.HasPrefix(info.Host, "127.0.0.1:") {
		t.Errorf("host = %s", info.Host)
	}
}

func TestDamagedStateIsAnError(t *testing.T) {
	o := options(t)
	d := dir(o.Dir)
	if err := d.writeFile(d.state(), []byte("this is no database, but it is long enough to be looked at")); err != nil {
		t.Fatal(err)
	}
	wantError(t, Serve(t.Context(), o, func(Info) { t.Error("it became ready") }), d.state())
	if _, held, err := holder(d.serverLock()); held || err != nil {
		t.Errorf("the lock is still held: %v", err)
	}
}

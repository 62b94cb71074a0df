package orchestrator_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient/awstest"
	"github.com/medusa-deploy/medusa-deploy/internal/orchestrator"
)

func TestPlaces(t *testing.T) {
	c := newCloud(t)
	c.On("ListClusters", awstest.InTurn(
		body{"clusterArns": []any{"arn:aws:ecs:us-east-1:1:cluster/shop"}, "nextToken": "more"},
		body{"clusterArns": []any{"arn:aws:ecs:us-east-1:1:cluster/empty", "arn:aws:ecs:us-east-1:1:cluster/blog"}},
	))
	c.On("ListServices", func(in body) any {
		switch in["cluster"].(string) + " " + text(in["nextToken"]) {
		case "arn:aws:ecs:us-east-1:1:cluster/shop ":
			return body{"serviceArns": []any{"arn:aws:ecs:us-east-1:1:service/shop/worker"}, "nextToken": "more"}
		case "arn:aws:ecs:us-east-1:1:cluster/shop more":
			return body{"serviceArns": []any{"arn:aws:ecs:us-east-1:1:service/shop/server"}}
		case "arn:aws:ecs:us-east-1:1:cluster/blog ":
			return body{"serviceArns": []any{"arn:aws:ecs:us-east-1:1:service/blog/web"}}
		}
		return body{"serviceArns": []any{}}
	})
	got, err := c.orchestrator(t).Places(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []orchestrator.Place{{Cluster: "blog", Services: []string{"web"}}, {Cluster: "shop", Services: []string{"server", "worker"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

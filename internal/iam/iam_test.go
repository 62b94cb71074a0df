package iam

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func needs() Needs {
	return Needs{
		Partition: "aws", Account: "123456789012", Region: "eu-central-1", RegistryAccount: "123456789012", RegistryRegion: "eu-central-1",
		Repository: "shop/medusa", Cluster: "medusa-cluster", Services: []string{"medusa-server", "medusa-worker"},
	}
}

func full() Needs {
	n := needs()
	n.Pinned, n.Migrate, n.Apply, n.Attest, n.Parameters, n.CheckLogGroups = true, true, true, true, true, true
	n.Families, n.LogGroups = []string{"medusa"}, []string{"/ecs/medusa"}
	n.Roles = []string{"arn:aws:iam::123456789012:role/ecsTaskExecutionRole"}
	n.Secrets = []string{"arn:aws:secretsmanager:eu-central-1:123456789012:secret:medusa/*"}
	return n
}

func TestPolicy(t *testing.T) {
	trust, err := TrustFor(needs(), Workflow{Repository: "acme/shop", OwnerID: "1", RepoID: "2", Environment: "production"})
	if err != nil {
		t.Fatal(err)
	}
	for name, document := range map[string]any{"least": PolicyFor(needs()), "full": PolicyFor(full()), "trust": trust} {
		got, err := json.MarshalIndent(document, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", name+".json")
		if *update {
			if err := os.WriteFile(path, append(got, '\n'), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)+"\n"); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

func TestNothingIsAllowedByPattern(t *testing.T) {
	for _, p := range []Policy{PolicyFor(needs()), PolicyFor(full())} {
		for _, s := range p.Statement {
			if s.Why == "" || s.Sid == "" {
				t.Errorf("%+v has no reason or no name", s)
			}
			for _, action := range s.Action {
				if strings.Contains(action, "*") {
					t.Errorf("%s: an action by pattern: %s", s.Sid, action)
				}
			}
			if len(s.Resource) == 0 {
				t.Errorf("%s has no resource", s.Sid)
			}
		}
	}
	if slices.Contains(PolicyFor(needs()).Actions(), "ecs:RegisterTaskDefinition") {
		t.Error("a release that only moves a tag registers nothing")
	}
}

func TestSubject(t *testing.T) {
	tests := map[string]struct {
		w    Workflow
		want string // empty: refused
	}{
		"branch":               {Workflow{Repository: "acme/shop", Branch: "main"}, "repo:acme/shop:ref:refs/heads/main"},
		"environment":          {Workflow{Repository: "acme/shop", Environment: "production", Branch: "main"}, "repo:acme/shop:environment:production"},
		"immutable":            {Workflow{Repository: "acme/shop", OwnerID: "12", RepoID: "345", Environment: "production"}, "repo:acme@12/shop@345:environment:production"},
		"nothing to go by":     {Workflow{Repository: "acme/shop"}, ""},
		"no owner":             {Workflow{Repository: "shop", Branch: "main"}, ""},
		"a path":               {Workflow{Repository: "acme/shop/x", Branch: "main"}, ""},
		"everybody's":          {Workflow{Repository: "acme/*", Branch: "main"}, ""},
		"half of the ids":      {Workflow{Repository: "acme/shop", OwnerID: "12", Branch: "main"}, ""},
		"a variable in a name": {Workflow{Repository: "acme/${x}", Branch: "main"}, ""},
	}
	for name, tt := range tests {
		got, err := tt.w.Subject()
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%s: %q, %v; want %q", name, got, err, tt.want)
		}
	}
}

package cli

import (
	"bufio"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

// asked runs the questions with what somebody types, after flags.
func asked(t *testing.T, typed string, flags ...string) (p *plan, prompts string, err error) {
	t.Helper()
	f := &initFlags{globals: &globals{}, region: "us-east-1", cluster: "medusa-cluster", auth: "oidc"}
	cmd := &cobra.Command{}
	for name, value := range map[string]*string{"region": &f.region, "cluster": &f.cluster, "auth": &f.auth} {
		cmd.Flags().StringVar(value, name, *value, "")
	}
	if err := cmd.ParseFlags(flags); err != nil {
		t.Fatal(err)
	}
	p = &plan{initFlags: f}
	var out strings.Builder
	err = p.ask(cmd, bufio.NewReader(strings.NewReader(typed)), &out)
	return p, out.String(), err
}

func TestInitAsks(t *testing.T) {
	p, prompts, err := asked(t, "eu-central-1\n\na, b\nkeys\n")
	if err != nil || p.region != "eu-central-1" || p.cluster != "medusa-cluster" || p.auth != "keys" {
		t.Errorf("%v: region %q, cluster %q, auth %q", err, p.region, p.cluster, p.auth)
	}
	if diff := cmp.Diff([]string{"a", "b"}, p.services); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
	if !strings.HasPrefix(prompts, "AWS region [us-east-1]: ECS cluster [medusa-cluster]: ") {
		t.Errorf("asked %q", prompts)
	}
	// What a flag has said is not asked.
	if p, prompts, err = asked(t, "\n\n", "--region", "eu-west-1", "--auth", "oidc"); err != nil || p.region != "eu-west-1" || strings.Contains(prompts, "region") {
		t.Errorf("%v: region %q, asked %q", err, p.region, prompts)
	}
	if _, _, err = asked(t, "eu-west-1\n"); err == nil || !strings.Contains(err.Error(), "nothing was written") {
		t.Errorf("the end of the input: %v", err)
	}
	if _, _, err = asked(t, "\n\n\npassword\n"); err == nil || !strings.Contains(err.Error(), "expected oidc or keys") {
		t.Errorf("a wrong answer: %v", err)
	}
}

func TestRepositoryPage(t *testing.T) {
	for remote, want := range map[string]string{
		"https://github.com/acme/shop.git":         "https://github.com/acme/shop",
		"git@github.com:acme/shop.git":             "https://github.com/acme/shop",
		"ssh://git@ghe.example.com:2222/acme/shop": "https://ghe.example.com/acme/shop",
		"https://ghe.example.com:8443/acme/shop/":  "https://ghe.example.com:8443/acme/shop",
		"https://gitlab.com/group/sub/shop.git":    "",
		"":                                         "",
	} {
		if got, _ := repositoryPage(remote); got != want {
			t.Errorf("repositoryPage(%q) = %q, want %q", remote, got, want)
		}
	}
}

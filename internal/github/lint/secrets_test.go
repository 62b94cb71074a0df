package lint

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// secretsOf are the messages of MW059 for a workflow, each as LINE:COLUMN and the name.
func secretsOf(t *testing.T, content string, o Options) []string {
	t.Helper()
	problems, err := Source(t.Context(), "w.yml", []byte(content), o)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, p := range problems {
		if p.Code == codeNoSecret {
			_, place, _ := strings.Cut(p.Finding().Where, ":")
			_, what, _ := strings.Cut(p.Message, "has no ")
			what, _, _ = strings.Cut(what, ":")
			found = append(found, place+" "+what)
		}
	}
	return found
}

func TestSecretsThatAreNotThere(t *testing.T) {
	const head = "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n"
	known := Options{
		Secrets: []string{"ROLE"}, Variables: []string{"REGION"},
		Environments: map[string]Names{"live": {Secrets: []string{"DB"}, Variables: []string{}}, "hidden": {Variables: []string{"URL"}}},
	}
	cases := map[string]struct {
		content string
		want    []string
	}{
		"case does not matter":         {head + "    env: {A: '${{ secrets.role }}', B: '${{ VARS.Region }}'}\n", nil},
		"GITHUB_TOKEN is always there": {head + "    env: {A: '${{ secrets.GITHUB_TOKEN }}'}\n", nil},
		"a secret and a variable":      {head + "    env:\n      A: ${{ secrets.NOPE }}\n      B: x ${{ vars['nada'] }}\n", []string{"6:10 secret NOPE", "7:12 variable NADA"}},
		"of the environment":           {head + "    environment: Live\n    env: {A: '${{ secrets.DB }}', B: '${{ secrets.ROLE }}'}\n", nil},
		"not even of the environment":  {head + "    environment: {name: live}\n    env:\n      A: ${{ secrets.NOPE }}\n", []string{"7:10 secret NOPE"}},
		"another job's environment":    {head + "    env:\n      A: ${{ secrets.DB }}\n  b:\n    runs-on: x\n    environment: live\n", []string{"6:10 secret DB"}},
		"an environment half seen":     {head + "    environment: hidden\n    env:\n      A: ${{ secrets.NOPE }}\n      B: ${{ vars.NADA }}\n", []string{"8:10 variable NADA"}},
		"an environment not seen":      {head + "    environment: other\n    env: {A: '${{ secrets.NOPE }}'}\n", nil},
		"an environment by expression": {head + "    environment: ${{ github.ref_name }}\n    env: {A: '${{ secrets.NOPE }}'}\n", nil},
		"a value in its place":         {head + "    env: {A: \"${{ vars.NADA || 'x' }}\", B: \"${{ format('{0}', vars.NIL || 'x') }}\"}\n", nil},
		"a comparison":                 {head + "    env: {A: \"${{ secrets.NOPE != '' }}\"}\n    steps:\n      - run: ./notify\n        env: {S: '${{ secrets.NOPE }}'}\n", nil},
		"a condition without braces":   {head + "    if: vars.NADA\n    env: {A: '${{ vars.NADA }}'}\n", nil},
		"a choice needs both":          {head + "    env:\n      A: ${{ github.ref_name == 'main' && secrets.ONE || secrets.TWO }}\n", []string{"6:10 secret ONE", "6:10 secret TWO"}},
		"a script that tests it":       {head + "    steps:\n      - run: if [ -n \"$S\" ]; then ./notify; fi\n        env: {S: '${{ secrets.NOPE }}'}\n", nil},
		"a script that does not":       {head + "    steps:\n      - run: ./notify\n        env:\n          S: ${{ secrets.NOPE }}\n", []string{"8:14 secret NOPE"}},
		"what callers pass":            {"on:\n  push:\n  workflow_call:\n    secrets:\n      Nope: {required: false}\njobs:\n  a:\n    runs-on: x\n    env: {A: '${{ secrets.NOPE }}'}\n", nil},
		"only called":                  {"on:\n  workflow_call:\n    secrets:\n      ONE: {required: true}\njobs:\n  a:\n    runs-on: x\n    env: {A: '${{ vars.NADA }}', B: '${{ secrets.NOPE }}'}\n", nil},
		"passed to a called workflow":  {"on: push\njobs:\n  a:\n    uses: acme/shop/.github/workflows/x.yml@main\n    secrets:\n      TOKEN: ${{ secrets.NOPE }}\n", []string{"6:14 secret NOPE"}},
		"all of the caller's":          {"on: push\njobs:\n  a:\n    uses: acme/shop/.github/workflows/x.yml@main\n    secrets: inherit\n", nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, secretsOf(t, c.content, known)); diff != "" {
				t.Errorf("found (-want +got):\n%s", diff)
			}
			if found := secretsOf(t, c.content, Options{}); found != nil {
				t.Errorf("found without any names: %q", found)
			}
		})
	}
}

func TestWhatWorkflowsReferTo(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	token := write("token.yml", "on: push\njobs:\n  a:\n    env: {A: '${{ secrets.GITHUB_TOKEN }}'}\n    environment: ${{ github.ref_name }}\n")
	secret := write("secret.yml", "on: push\nenv: {A: '${{ secrets.a }}'}\njobs:\n  a: {environment: Live}\n  b: {environment: {name: live}}\n  c: {environment: test}\n")
	variable := write("variable.yml", "on: push\njobs:\n  a: {if: \"${{ vars.X }}\"}\n")
	called := write("called.yml", "on: workflow_call\njobs:\n  a: {environment: other, env: {A: '${{ secrets.B }}'}}\n")
	broken := write("broken.yml", "on: [push\n")
	for _, c := range []struct {
		files []string
		want  References
	}{
		{[]string{token, called, broken}, References{}},
		{[]string{secret, token}, References{Secrets: true, Environments: []string{"live", "test"}}},
		{[]string{variable, secret}, References{Secrets: true, Variables: true, Environments: []string{"live", "test"}}},
	} {
		got, err := Refer(c.files)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", c.files, diff)
		}
	}
	if _, err := Refer([]string{filepath.Join(dir, "gone.yml")}); err == nil || !strings.Contains(err.Error(), "gone.yml") {
		t.Errorf("the error is %v", err)
	}
}

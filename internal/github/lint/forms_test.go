package lint

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// correct gives the corrected text.
func correct(t *testing.T, text string) string {
	t.Helper()
	fixed, _, err := Correct(t.Context(), "x.yml", []byte(text), Options{})
	if err != nil {
		t.Fatal(err)
	}
	again, titles, err := Correct(t.Context(), "x.yml", fixed, Options{})
	if err != nil || len(titles) > 0 || !bytes.Equal(again, fixed) {
		t.Errorf("correcting once more: %v, %v", titles, err)
	}
	return string(fixed)
}

// TestIntoEnv: an expression becomes a variable where that means the same, and stays where it would not.
func TestIntoEnv(t *testing.T) {
	with := func(run string) string {
		return "      - run: |\n          " + strings.ReplaceAll(run, "\n", "\n          ") + "\n"
	}
	moved := func(run string) string {
		return "      - env:\n          TAG: ${{ vars.TAG }}\n        run: |\n          " + strings.ReplaceAll(run, "\n", "\n          ") + "\n"
	}
	for name, test := range map[string]struct{ before, after string }{
		"word":          {with("make ${{ vars.TAG }}"), moved(`make "${TAG}"`)},
		"in a word":     {with("make a-${{ vars.TAG }}.x"), moved(`make a-"${TAG}".x`)},
		"twice":         {with("make ${{ vars.TAG }} \"${{ vars.TAG }}\""), moved(`make "${TAG}" "${TAG}"`)},
		"double quotes": {with(`make "v${{ vars.TAG }}"`), moved(`make "v${TAG}"`)},
		"single quotes": {with(`make '${{ vars.TAG }}'`), moved(`make "${TAG}"`)},
		"within single": {with(`jq '.a = "${{ vars.TAG }}"'`), moved(`jq '.a = "'"${TAG}"'"'`)},
		"assignment":    {with("T=${{ vars.TAG }}\nexport U=${{ vars.TAG }}"), moved("T=\"${TAG}\"\nexport U=\"${TAG}\"")},
		"test":          {with("[[ ${{ vars.TAG }} == v* ]]"), moved(`[[ "${TAG}" == v* ]]`)},
		"redirection":   {with("make > ${{ vars.TAG }}"), moved(`make > "${TAG}"`)},
		"here-document": {with("cat <<EOF\na ${{ vars.TAG }}\nEOF"), moved("cat <<EOF\na ${TAG}\nEOF")},
		"substitution":  {with("X=$(make ${{ vars.TAG }})"), moved(`X=$(make "${TAG}")`)},
		"comment kept":  {"      # why\n      - run: make ${{ vars.TAG }} # x\n", "      # why\n      - env:\n          TAG: ${{ vars.TAG }}\n        run: make \"${TAG}\" # x\n"},
		"yaml double":   {"      - run: \"make '${{ vars.TAG }}'\"\n", "      - env:\n          TAG: ${{ vars.TAG }}\n        run: \"make \\\"${TAG}\\\"\"\n"},
		"yaml single":   {"      - run: 'make ''a ${{ vars.TAG }}'''\n", "      - env:\n          TAG: ${{ vars.TAG }}\n        run: 'make ''a ''\"${TAG}\"'''''\n"},
		"env there": {
			"      - run: make ${{ vars.TAG }}\n        env:\n          A: 1 # one\n",
			"      - run: make \"${TAG}\"\n        env:\n          A: 1 # one\n          TAG: ${{ vars.TAG }}\n",
		},
		"env in braces": {"      - run: make ${{ vars.TAG }}\n        env: {A: 1}\n", "      - run: make \"${TAG}\"\n        env: {TAG: \"${{ vars.TAG }}\", A: 1}\n"},
		"already there": {
			"      - run: make ${{ vars.TAG }}\n        env:\n          T: ${{ vars.TAG }}\n",
			"      - run: make \"${T}\"\n        env:\n          T: ${{ vars.TAG }}\n",
		},
		"name taken": {
			"      - run: make ${{ vars.TAG }}\n        env:\n          TAG: 1\n",
			"      - run: make \"${TAG_2}\"\n        env:\n          TAG: 1\n          TAG_2: ${{ vars.TAG }}\n",
		},
		"eval":               {with("eval ${{ vars.TAG }}"), ""},
		"inner shell":        {with(`bash -c "make ${{ vars.TAG }}"`), ""},
		"over ssh":           {with(`ssh host "make ${{ vars.TAG }}"`), ""},
		"program":            {with("${{ vars.TAG }} --version"), ""},
		"arithmetic":         {with("echo $(( ${{ vars.TAG }} + 1 ))"), ""},
		"default":            {with("echo ${X:-${{ vars.TAG }}}"), ""},
		"comment":            {with("# ${{ vars.TAG }}\nmake"), ""},
		"raw here-document":  {with("cat <<'EOF'\n${{ vars.TAG }}\nEOF"), ""},
		"interpreter's text": {with("python <<EOF\nprint('${{ vars.TAG }}')\nEOF"), ""},
		"several words":      {with("make ${{ vars.FLAGS }}"), ""},
		"list of a loop":     {with("for x in ${{ vars.TAG }}; do make; done"), ""},
		"start of a scalar":  {"      - run: ${{ vars.TAG }}\n", ""},
		"step in braces":     {"      - {run: \"make ${{ vars.TAG }}\"}\n", ""},
		"anchor":             {"      - run: &x make ${{ vars.TAG }}\n      - run: *x\n", ""},
		"broken script":      {with("make ${{ vars.TAG }} 'open"), ""},
		"powershell":         {"      - shell: pwsh\n        run: make ${{ vars.TAG }}\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			want := test.after
			if want == "" {
				want = test.before
			}
			if diff := cmp.Diff(ciWith(want), correct(t, ciWith(test.before))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestWindowsLineBreaks: an edit breaks lines as its file does.
func TestWindowsLineBreaks(t *testing.T) {
	windows := func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }
	before := windows(ciWith("      - run: |\n          make ${{ vars.TAG }}\n"))
	after := windows(ciWith("      - env:\n          TAG: ${{ vars.TAG }}\n        run: |\n          make \"${TAG}\"\n"))
	if diff := cmp.Diff(after, correct(t, before)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestTriggerForms: workflow_dispatch joins the other triggers in their own form.
func TestTriggerForms(t *testing.T) {
	const rest = "\npermissions: {contents: read}\nconcurrency: x\njobs:\n  a:\n    runs-on: [self-hosted, linux]\n    timeout-minutes: 5\n    steps:\n      - run: medusa-deploy ship\n"
	for before, after := range map[string]string{
		"on: push":                                "on: [push, workflow_dispatch]",
		"on: push # always":                       "on: [push, workflow_dispatch] # always",
		"on: [push]":                              "on: [workflow_dispatch, push]",
		"on:\n  - push\n  - pull_request_review":  "on:\n  - workflow_dispatch\n  - push\n  - pull_request_review",
		"on:\n- push":                             "on:\n- workflow_dispatch\n- push",
		"on:\n  push:\n    branches: [main]":      "on:\n  workflow_dispatch:\n  push:\n    branches: [main]",
		"on:\n  # all\n  push:\n    tags: ['v*']": "on:\n  # all\n  workflow_dispatch:\n  push:\n    tags: ['v*']",
		"\"on\": {push: {branches: [main]}}":      "\"on\": {workflow_dispatch: {}, push: {branches: [main]}}",
	} {
		if diff := cmp.Diff(after+rest, correct(t, before+rest)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", before, diff)
		}
	}
}

// TestPermissionForms: a permission joins the others in their own form, or is left to a person.
func TestPermissionForms(t *testing.T) {
	const role = "      - uses: aws-actions/configure-aws-credentials@b47578312673ae6fa5b5096b330d9fbac3d116df # v4.2.1\n        with: {role-to-assume: x, aws-region: y}\n"
	file := func(top, job string) string {
		return "on: push\n" + top + "jobs:\n  a:\n    runs-on: ubuntu-latest\n" + job + "    steps:\n" + role
	}
	for name, test := range map[string]struct{ before, after string }{
		"block":       {file("permissions:\n  contents: read # code\n", ""), file("permissions:\n  contents: read # code\n  id-token: write\n", "")},
		"braces":      {file("permissions: {contents: read}\n", ""), file("permissions: {id-token: write, contents: read}\n", "")},
		"none":        {file("permissions: {}\n", ""), file("permissions: {id-token: write}\n", "")},
		"job's own":   {file("permissions: {contents: read}\n", "    permissions:\n      packages: read\n"), file("permissions: {contents: read}\n", "    permissions:\n      packages: read\n      id-token: write\n")},
		"nothing":     {file("# the jobs\n", ""), file("permissions:\n  contents: read\n  id-token: write\n\n# the jobs\n", "")},
		"read-all":    {file("permissions: read-all\n", ""), ""},
		"decided":     {file("permissions:\n  id-token: none\n", ""), ""},
		"token used":  {strings.Replace(file("", ""), "    steps:\n", "    env: {T: \"${{ github.token }}\"}\n    steps:\n", 1), ""},
		"other owner": {file("", "") + "      - uses: example/tool@b47578312673ae6fa5b5096b330d9fbac3d116df # v1\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			want := test.after
			if want == "" {
				want = test.before
			}
			if diff := cmp.Diff(want, correct(t, test.before)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestDiffer: two names that may be the same are never said to differ.
func TestDiffer(t *testing.T) {
	sha, tag, reg := unknownSymbol("github.sha"), unknownSymbol("$TAG"), unknownSymbol("steps.ecr.outputs.registry")
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"app:1", "app:1", false},
		{"app", "app:latest", false},
		{"app:1", "app:2", true},
		{"app:" + sha, "app:latest", true},
		{"app:" + sha, "app:v" + sha, true},
		{"app:" + tag, "app:latest", false},
		{"app:" + tag, "app:" + sha, false},
		{reg + "/app:1", reg + "/app:2", true},
		{reg + "/app:1", "1.dkr.ecr.x.amazonaws.com/app:1", false},
		{tag, "app:1", false},
		{"app:" + tag + "-a", "app:" + tag + "-b", true},
		{"app@sha256:1", "app:1", true},
	} {
		if got := differ(test.a, test.b); got != test.want {
			t.Errorf("differ(%q, %q) = %v", test.a, test.b, got)
		}
		if got := differ(test.b, test.a); got != test.want {
			t.Errorf("differ(%q, %q) = %v", test.b, test.a, got)
		}
	}
}

// TestTrust: whose text a property is.
func TestTrust(t *testing.T) {
	const text = `on:
  push: {branches: [main, 'release/*']}
  pull_request:
  workflow_dispatch:
    inputs:
      free: {type: string}
      old: {required: true}
      kind: {type: choice, options: [a]}
      really: {type: boolean}
env: {FIXED: x, HEAD: "${{ github.head_ref }}", LOOP: "${{ env.LOOP }}"}
jobs:
  a:
    runs-on: ubuntu-latest
    strategy: {matrix: {node: [20], from: "${{ fromJSON(needs.x.outputs.y) }}"}}
    steps: [{run: x}]
`
	c := &checker{src: newSource([]byte(text))}
	document := c.parse()
	if document == nil {
		t.Fatal("not YAML")
	}
	s := newWorkflow("x.yml", c.src, document).steps[0]
	for expression, want := range map[string]trust{
		"github.sha": harmless, "github.run_id": harmless, "github.repository": harmless, "github.actor": harmless, "github.event.number": harmless,
		"github.event.pull_request.head.sha": harmless, "github.event.pull_request.user.login": harmless, "github.event.pull_request.html_url": harmless,
		"github.event.repository.name": harmless, "github.event.pull_request.created_at": harmless, "github.event.merge_group.base_sha": harmless,
		"github.head_ref": outsider, "github.event.pull_request.title": outsider, "github.event.pull_request.head.ref": outsider, "github.event.commits[0].message": outsider,
		"github.event.comment.body": outsider, "github.event": outsider, "toJSON(github)": outsider, "github['head_ref']": outsider, "github.event.pull_request.head.repo.default_branch": outsider,
		"github.ref_name": insider, "github.ref": insider, "github.base_ref": insider, "github.event.release.tag_name": insider, "github.event.client_payload.x": insider,
		"inputs.free": insider, "inputs.old": insider, "inputs.unknown": insider, "github.event.inputs.free": insider, "inputs.kind": harmless, "inputs.really": harmless,
		"env.FIXED": harmless, "env.HEAD": outsider, "env.OTHER": plain, "env.LOOP": plain, "matrix.node": harmless, "matrix.from": plain,
		"secrets.X": plain, "vars.X": plain, "steps.a.outputs.b": plain, "steps.a.outcome": harmless, "needs.a.result": harmless, "runner.os": harmless, "job.status": harmless,
		"github.head_ref == 'x'": harmless, "contains(github.head_ref, 'x')": harmless, "github.head_ref && 'a' || 'b'": harmless, "github.head_ref || 'x'": outsider,
		"format('{0}', github.head_ref)": outsider, "fromJSON(github.event.comment.body).x": outsider, "!github.head_ref": harmless, "hashFiles('x')": harmless,
	} {
		worst := harmless
		for _, read := range flows(parseExpression(expression)) {
			worst = max(worst, s.trust(read))
		}
		if worst != want {
			t.Errorf("%s: trust %d, want %d", expression, worst, want)
		}
	}
}

package check

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// read makes instructions of a simple Dockerfile: one line each.
func read(file string) []release.Instruction {
	var all []release.Instruction
	stage := -1
	for n, line := range strings.Split(file, "\n") {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		i := release.Instruction{Name: name, Line: n + 1}
		words := strings.Fields(rest)
		if len(words) > 0 && strings.HasPrefix(words[0], "--from=") {
			i.From, words = strings.TrimPrefix(words[0], "--from="), words[1:]
		}
		if len(words) > 0 && strings.HasPrefix(words[0], "--platform=") {
			i.Platform, words = strings.TrimPrefix(words[0], "--platform="), words[1:]
		}
		if len(words) > 0 && words[0] == "--checksum" {
			i.Verified, words = true, words[1:]
		}
		switch name {
		case "":
			continue
		case "FROM":
			stage++
			i.Words = []string{strings.Join(words[:min(1, len(words))], ""), strings.Join(words[min(2, len(words)):], "")}
		case "COPY", "ADD":
			i.Words = words[:max(0, len(words)-1)]
			i.To = strings.Join(words[max(0, len(words)-1):], "")
		case "RUN", "CMD", "ENTRYPOINT":
			if json.Unmarshal([]byte(rest), &i.Words) != nil {
				i.Shell, i.Words = true, []string{rest}
			}
		case "ARG", "ENV":
			for _, w := range words {
				key, value, _ := strings.Cut(w, "=")
				i.Words = append(i.Words, key)
				if name == "ENV" && !strings.Contains(value, "$") {
					if i.Values == nil {
						i.Values = map[string]string{}
					}
					i.Values[key] = value
				}
			}
		default:
			i.Words = words
		}
		i.Stage = stage
		all = append(all, i)
	}
	return all
}

// clean is the end of a Dockerfile that has nothing wrong.
const clean = "\nUSER 1000\nENTRYPOINT [\"/app\"]"

func TestDockerfile(t *testing.T) {
	for name, tc := range map[string]struct {
		file   string
		stage  string
		online bool
		apps   []release.ContainerDefinition
		want   []string // code:line
	}{
		"sound":   {file: "FROM node:22-slim AS build\nCOPY package.json ./\nRUN npm ci\nCOPY . .\nFROM scratch\nCOPY --from=build /app /app" + clean},
		"scratch": {file: "FROM scratch\nCOPY app /app" + clean},

		"a frontend":                  {file: "SYNTAX docker/dockerfile:1\nFROM scratch" + clean, want: []string{"MD039:1"}},
		"a frontend that can be had":  {file: "SYNTAX docker/dockerfile:1\nFROM scratch" + clean, online: true},
		"a frontend and nothing else": {file: "SYNTAX example.com/own", want: []string{"MD039:1"}},

		"latest":                    {file: "FROM node" + clean, want: []string{"MD046:1"}},
		"latest, said":              {file: "FROM registry:5000/node:latest" + clean, want: []string{"MD046:1"}},
		"latest with a digest":      {file: "FROM node@sha256:0" + clean},
		"a stage is no image":       {file: "FROM node:22 AS base\nFROM base" + clean},
		"a name that comes later":   {file: "FROM later AS x\nFROM x AS later\n" + clean, want: []string{"MD046:1"}},
		"what nobody knows":         {file: "FROM $BASE" + clean},
		"a stage that is not built": {file: "FROM node AS unused\nFROM scratch" + clean},
		"a stage that is copied":    {file: "FROM node AS used\nFROM scratch\nCOPY --from=used /a /a" + clean, want: []string{"MD046:1"}},
		"copied by number":          {file: "FROM node\nFROM scratch\nCOPY --from=0 /a /a" + clean, want: []string{"MD046:1"}},
		"another stage is built":    {file: "FROM scratch AS app" + clean + "\nFROM node AS dev", stage: "app"},
		"that stage is built":       {file: "FROM scratch AS app" + clean + "\nFROM node AS dev", stage: "DEV", want: []string{"MD040:4", "MD046:4"}},

		"root":                     {file: "FROM node:22\nENTRYPOINT [\"/app\"]", want: []string{"MD040:1"}},
		"root, said":               {file: "FROM node:22\nUSER 1000\nUSER root:root\nENTRYPOINT [\"/app\"]", want: []string{"MD040:3"}},
		"uid 0":                    {file: "FROM node:22\nUSER 0\nENTRYPOINT [\"/app\"]", want: []string{"MD040:2"}},
		"the user of the base":     {file: "FROM node:22 AS base\nUSER node\nFROM base\nENTRYPOINT [\"/app\"]"},
		"a user of another stage":  {file: "FROM node:22 AS build\nUSER node\nFROM node:22\nCOPY --from=build /a /a\nENTRYPOINT [\"/app\"]", want: []string{"MD040:3"}},
		"a base without root":      {file: "FROM gcr.io/distroless/nodejs22:nonroot\nENTRYPOINT [\"/app\"]"},
		"the task sets the user":   {file: "FROM node:22\nENTRYPOINT [\"/app\"]", apps: []release.ContainerDefinition{{User: "1000"}}},
		"one of two tasks does":    {file: "FROM node:22\nENTRYPOINT [\"/app\"]", apps: []release.ContainerDefinition{{User: "1000"}, {}}, want: []string{"MD040:1"}},
		"the task says root again": {file: "FROM node:22\nENTRYPOINT [\"/app\"]", apps: []release.ContainerDefinition{{User: "0:0"}}, want: []string{"MD040:1"}},

		"healthcheck":                    {file: "FROM scratch\nHEALTHCHECK CMD curl" + clean, want: []string{"MD041:2"}},
		"healthcheck none":               {file: "FROM scratch\nHEALTHCHECK NONE" + clean},
		"healthcheck, and ECS has one":   {file: "FROM scratch\nHEALTHCHECK CMD curl" + clean, apps: []release.ContainerDefinition{{HealthCheck: true, User: "1"}}},
		"healthcheck, one task has none": {file: "FROM scratch\nHEALTHCHECK CMD curl" + clean, apps: []release.ContainerDefinition{{HealthCheck: true}, {}}, want: []string{"MD041:2"}},
		"healthcheck of another stage":   {file: "FROM node:22 AS b\nHEALTHCHECK CMD curl\nFROM scratch\nCOPY --from=b /a /a" + clean},

		"shell form":               {file: "FROM scratch\nUSER 1\nCMD npm start", want: []string{"MD042:3"}},
		"shell entrypoint":         {file: "FROM scratch\nUSER 1\nENTRYPOINT npm start\nCMD ignored", want: []string{"MD042:3"}},
		"shell behind an entry":    {file: "FROM scratch\nUSER 1\nENTRYPOINT [\"tini\", \"--\"]\nCMD npm start", want: []string{"MD042:4"}},
		"it hands over":            {file: "FROM scratch\nUSER 1\nCMD exec npm start"},
		"it hands over at the end": {file: "FROM scratch\nUSER 1\nCMD cd /app && exec npm start"},
		"executive is no exec":     {file: "FROM scratch\nUSER 1\nCMD node executive exec", want: []string{"MD042:3"}},
		"the last one counts":      {file: "FROM scratch\nUSER 1\nCMD npm start\nCMD [\"npm\", \"start\"]"},

		"everything, then install":        {file: "FROM node:22\nCOPY . .\nRUN npm ci --omit=dev" + clean, want: []string{"MD043:2"}},
		"everything by ./":                {file: "FROM node:22\nCOPY ./ /app\nRUN cd /app && yarn install --frozen-lockfile && yarn build" + clean, want: []string{"MD043:2"}},
		"everything by *":                 {file: "FROM node:22\nCOPY * /app\nRUN [\"pnpm\", \"install\"]" + clean, want: []string{"MD043:2"}},
		"with variables":                  {file: "FROM node:22\nCOPY . .\nRUN CI=1 NODE_ENV=production yarn" + clean, want: []string{"MD043:2"}},
		"pip":                             {file: "FROM python:3\nCOPY . .\nRUN pip install --no-cache-dir -r requirements.txt" + clean, want: []string{"MD043:2"}},
		"go":                              {file: "FROM golang:1.26\nCOPY . .\nRUN go mod download" + clean, want: []string{"MD043:2"}},
		"a tool is installed":             {file: "FROM node:22\nCOPY . .\nRUN npm install -g pm2 && npm i --global yarn && npm install left-pad && yarn build" + clean},
		"installed before":                {file: "FROM node:22\nCOPY package.json .\nRUN npm ci\nCOPY . .\nRUN npm run build && npm ci --omit=dev" + clean},
		"installed in the stage before":   {file: "FROM node:22 AS deps\nCOPY package.json .\nRUN npm ci\nFROM deps\nCOPY . .\nRUN npm ci --omit=dev" + clean},
		"copied in the stage before":      {file: "FROM node:22 AS deps\nCOPY . .\nFROM deps\nRUN npm ci" + clean, want: []string{"MD043:2"}},
		"everything of another stage":     {file: "FROM node:22 AS b\nFROM node:22\nCOPY --from=b . .\nRUN npm ci" + clean},
		"a folder":                        {file: "FROM node:22\nCOPY packages .\nRUN npm ci" + clean},
		"nothing is installed afterwards": {file: "FROM node:22\nCOPY . .\nRUN npm run build" + clean},

		"a download":          {file: "FROM scratch\nADD https://example.com/a.tar /a" + clean, want: []string{"MD044:2"}},
		"a git repository":    {file: "FROM scratch\nADD x git@example.com:a/b.git /a" + clean, want: []string{"MD044:2"}},
		"a verified download": {file: "FROM scratch\nADD --checksum https://example.com/a.tar /a" + clean},
		"a file of one's own": {file: "FROM scratch\nADD a.tar /a" + clean},

		"secrets":        {file: "ARG NPM_TOKEN\nFROM scratch\nARG A=1 DB_PASSWORD=x\nENV JWT_SECRET=s PORT=1" + clean, want: []string{"MD045:1", "MD045:3", "MD045:4"}},
		"two on a line":  {file: "FROM scratch\nENV API_KEY=1 aws_secret_access_key=2" + clean, want: []string{"MD045:2", "MD045:2"}},
		"no secrets":     {file: "FROM scratch\nENV TOKEN_TTL=1 PUBLIC_KEY=2 NEXT_PUBLIC_API_KEY=3 SECRET_FILE=4 KEYBOARD=5 PASSWORDLESS=6 AUTH_CORS=7 PWD=8 MONKEY=9" + clean},
		"several things": {file: "FROM node\nENV A_TOKEN=1\nADD https://a b\nCMD x", want: []string{"MD040:1", "MD042:4", "MD044:3", "MD045:2", "MD046:1"}},
		"nothing":        {},
	} {
		t.Run(name, func(t *testing.T) {
			d := dockerfile{path: "Dockerfile", all: reachable(read(tc.file), tc.stage), offline: !tc.online, apps: tc.apps}
			var got []string
			previous := 0
			for _, f := range d.judge() {
				var line int
				if _, err := fmt.Sscanf(f.Where, "Dockerfile:%d", &line); err != nil || line < previous {
					t.Errorf("%s is not in the order of the lines: %v", f.Where, err)
				}
				previous = line
				got = append(got, fmt.Sprintf("%s:%d", f.Code, line))
				if f.Problem == "" || f.Why == "" || f.Cure == "" {
					t.Errorf("incomplete: %+v", f)
				}
			}
			if diff := cmp.Diff(tc.want, slices.Sorted(slices.Values(got))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestJSONForm(t *testing.T) {
	for command, want := range map[string]string{
		"npm start":           `["npm", "start"]`,
		"node  a.js --port 1": `["node", "a.js", "--port", "1"]`,
		"a && b":              `["/bin/sh", "-c", "exec …"]`,
		"node $FILE":          `["/bin/sh", "-c", "exec …"]`,
	} {
		if got := jsonForm(command); got != want {
			t.Errorf("jsonForm(%q) = %s, want %s", command, got, want)
		}
	}
}

// FuzzDockerfile: no Dockerfile, however odd, breaks the judgement, and every finding has its place and cure.
func FuzzDockerfile(f *testing.F) {
	f.Add("FROM a AS b\nFROM b AS b\nCOPY --from=b . .\nCOPY --from=9 x y\nRUN npm ci\nCMD x", "b")
	f.Add("ARG A_TOKEN\nFROM $A\nUSER\nHEALTHCHECK\nADD a\nENTRYPOINT []", "")
	f.Add("CMD a\nSYNTAX", "none")
	f.Fuzz(func(t *testing.T, file, stage string) {
		all := read(file)
		d := dockerfile{path: "Dockerfile", all: reachable(all, stage), offline: true}
		for _, found := range d.judge() {
			if found.Where == "" || found.Problem == "" || found.Cure == "" {
				t.Errorf("incomplete: %+v", found)
			}
		}
		sources(all)
	})
}

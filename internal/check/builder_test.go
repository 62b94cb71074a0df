package check

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

func TestPlatformsOfTheBuilder(t *testing.T) {
	const (
		installs = "FROM node:22\nCOPY package.json .\nRUN npm ci"
		crosses  = "FROM --platform=$BUILDPLATFORM golang:1.27 AS build\nRUN go build\nFROM scratch\nCOPY --from=build /app /app"
	)
	amd, emulating := []string{"linux/amd64", "linux/amd64/v2", "linux/386"}, []string{"linux/amd64", "linux/arm64"}
	for name, tc := range map[string]struct {
		file      string
		platforms []string // of the image
		builder   Builder
		want      []string // code:where
	}{
		"its own":                     {installs, []string{"linux/amd64"}, Builder{Platforms: amd}, nil},
		"it does not say":             {installs, []string{"linux/arm64"}, Builder{}, nil},
		"foreign":                     {installs, []string{"linux/arm64"}, Builder{Platforms: amd}, []string{"MD050:Dockerfile:3"}},
		"both":                        {installs, []string{"linux/amd64", "linux/arm64"}, Builder{Platforms: amd}, []string{"MD050:Dockerfile:3"}},
		"emulated":                    {installs, []string{"linux/arm64"}, Builder{Platforms: emulating}, []string{"MD051:Dockerfile:3"}},
		"two machines":                {installs, []string{"linux/arm64"}, Builder{Platforms: emulating, Several: true}, nil},
		"an older variant":            {installs, []string{"linux/arm64/v8"}, Builder{Platforms: []string{"linux/arm64"}}, nil},
		"copies only":                 {"FROM scratch\nCOPY app /app", []string{"linux/arm64"}, Builder{Platforms: amd}, nil},
		"cross-compiled":              {crosses, []string{"linux/arm64"}, Builder{Platforms: amd}, []string{"MD052:Dockerfile"}},
		"cross-compiled in vain":      {crosses + "\nRUN /app --prepare", []string{"linux/arm64"}, Builder{Platforms: amd}, []string{"MD050:Dockerfile:5"}},
		"a stage on such a stage":     {"FROM --platform=${BUILDPLATFORM} golang AS tools\nFROM tools AS build\nRUN go build\nFROM scratch\nCOPY --from=build /a /a", []string{"linux/arm64"}, Builder{Platforms: amd}, []string{"MD052:Dockerfile"}},
		"a stage of a fixed platform": {"FROM --platform=linux/amd64 golang AS build\nRUN go build\nFROM scratch\nCOPY --from=build /a /a", []string{"linux/arm64"}, Builder{Platforms: amd}, []string{"MD052:Dockerfile"}},
		"an unused stage":             {"FROM node:22 AS test\nRUN npm test\nFROM scratch\nCOPY a /a", []string{"linux/arm64"}, Builder{Platforms: amd}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			all := read(tc.file + clean)
			d := dockerfile{path: "Dockerfile", all: reachable(all, "")}
			var got []string
			for _, f := range judgeBuilder(release.CheckRequest{Platforms: tc.platforms}, d, builderLook{Builder: tc.builder, looked: true}) {
				got = append(got, f.Code+":"+f.Where)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestNoBuilder: it is a finding of check with all reasons, and only where something would be built.
func TestNoBuilder(t *testing.T) {
	req, p := building(t, soundFile, map[string]string{"package.json": "{}"})
	p.Builder = func(context.Context) (Builder, error) {
		return Builder{}, errors.New("there is no builder\n  docker buildx: docker is not installed\n  start one")
	}
	findings := checkBuild(t, req, p)
	if len(findings) != 1 || findings[0].Code != "MD049" || findings[0].Severity != release.SeverityWarning || findings[0].Cure != "start one" ||
		!strings.Contains(findings[0].Problem, "docker is not installed") {
		t.Errorf("findings = %+v", findings)
	}
	req.Dockerfile = ""
	p.Builder = func(context.Context) (Builder, error) { t.Error("a builder was looked for"); return Builder{}, nil }
	if findings := checkBuild(t, req, p); len(findings) > 0 {
		t.Errorf("findings = %+v", findings)
	}
}

package cli

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/build"
	"github.com/medusa-deploy/medusa-deploy/internal/config"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// named is a builder that only has a name.
type named struct {
	release.Builder
	name string
}

func (n named) Name() string { return n.name }

func opens(name string) candidate {
	return candidate{name, func(context.Context) (builderFound, error) { return builderFound{Builder: named{name: name}}, nil }}
}

func fails(name string, err error) candidate {
	return candidate{name, func(context.Context) (builderFound, error) { return builderFound{}, err }}
}

var errDaemon = errors.New("permission denied on /var/run/docker.sock\n  add yourself to the group docker")

func TestFirstBuilder(t *testing.T) {
	absent := absentError{errors.New("it is not set")}
	cases := map[string]struct {
		candidates []candidate
		want       string   // the builder's name
		passed     []string // names of those that are there and do not work
		err        []string // lines
	}{
		"the first": {candidates: []candidate{opens("a"), opens("b")}, want: "a"},
		"one that is not there is passed over in silence":       {candidates: []candidate{fails("a", absent), opens("b")}, want: "b"},
		"one that does not work is passed over with its reason": {candidates: []candidate{fails("a", errDaemon), fails("b", absent), opens("c")}, want: "c", passed: []string{"a"}},
		"none": {candidates: []candidate{fails("docker buildx", errDaemon), fails("BUILDKIT_HOST", absent)}, err: []string{
			"there is no builder", "  docker buildx: permission denied on /var/run/docker.sock", "  BUILDKIT_HOST: it is not set", "  " + howToGetABuilder,
		}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			found, passed, err := firstBuilder(t.Context(), c.candidates)
			if c.err != nil {
				if err == nil || err.Error() != strings.Join(c.err, "\n") {
					t.Errorf("error:\n%v\nwant:\n%s", err, strings.Join(c.err, "\n"))
				}
				return
			}
			if err != nil || found.Name() != c.want {
				t.Fatalf("%v, %v; want %s", found, err, c.want)
			}
			var names []string
			for _, m := range passed {
				names = append(names, m.name)
			}
			if !slices.Equal(names, c.passed) {
				t.Errorf("passed over %v, want %v", names, c.passed)
			}
		})
	}
}

// TestAnInterruptEndsTheSearch: it is not taken for a builder that does not work.
func TestAnInterruptEndsTheSearch(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("interrupted")
	stops := candidate{"a", func(context.Context) (builderFound, error) { cancel(why); return builderFound{}, errors.New("killed") }}
	if _, _, err := firstBuilder(ctx, []candidate{stops, opens("b")}); !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
}

func TestBuilderWish(t *testing.T) {
	for text, want := range map[string]builderWish{
		"":                                   {},
		"buildx":                             {kind: kindBuildx, by: "--builder"},
		"buildx:ci":                          {kind: kindBuildx, name: "ci", by: "--builder"},
		"buildkit":                           {kind: kindBuildKit, by: "--builder"},
		"buildkit:unix:///run/buildkit.sock": {kind: kindBuildKit, name: "unix:///run/buildkit.sock", by: "--builder"},
		"buildkit:tcp://127.0.0.1:1234":      {kind: kindBuildKit, name: "tcp://127.0.0.1:1234", by: "--builder"},
		"engine":                             {kind: kindEngine, by: "--builder"},
	} {
		g := &globals{sys: System{LookupEnv: func(string) (string, bool) { return "", false }}, builder: text}
		if got, err := g.wish(); err != nil || got != want {
			t.Errorf("%q: %+v, %v; want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"docker", "buildx:", "engine:x", "Buildx", ":x"} {
		g := &globals{builder: text}
		var coded *exitError
		if _, err := g.wish(); !errors.As(err, &coded) || coded.code != release.ExitUsage || !strings.Contains(err.Error(), "expected buildx") {
			t.Errorf("%q: %v, want a usage error", text, err)
		}
	}
	g := &globals{sys: System{LookupEnv: func(name string) (string, bool) { return "engine", name == builderVariable }}}
	if got, err := g.wish(); err != nil || got.kind != kindEngine || got.by != builderVariable {
		t.Errorf("the variable: %+v, %v", got, err)
	}
}

// TestBuilderOrder: docker buildx goes first, and last for local AWS, whose own engine reaches its registry.
func TestBuilderOrder(t *testing.T) {
	for local, want := range map[bool][]string{false: {kindBuildx, kindBuildKit, kindEngine}, true: {kindBuildKit, kindEngine, kindBuildx}} {
		s := &session{globals: &globals{}, plain: config.Target{Local: local}}
		if got := s.builderOrder(); !slices.Equal(got, want) {
			t.Errorf("local %v: %v, want %v", local, got, want)
		}
	}
}

func TestFactsOfBuildx(t *testing.T) {
	info := build.BuildxInfo{Nodes: []build.BuildxNode{
		{Status: "stopped"}, {Version: "v0.34.2", Platforms: []string{"linux/amd64"}}, {Version: "v0.20.0", Platforms: []string{"linux/arm64"}},
	}}
	got := factsOf(info)
	if got.Version != "v0.34.2" || !slices.Equal(got.Platforms, []string{"linux/amd64", "linux/arm64"}) || !got.Several {
		t.Errorf("got %+v", got)
	}
}

package elb

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseSettings(t *testing.T) {
	tests := []struct {
		name string
		tags map[string]string
		want Settings
	}{
		{"none", nil, Settings{0, "/", Codes{{200, 200}}, 30 * time.Second}},
		{"other tags", map[string]string{"team": "shop", "medusa-deploy:commit": "abc"}, Settings{0, "/", Codes{{200, 200}}, 30 * time.Second}},
		{"all", map[string]string{
			TagListenPort: "8080", TagHealthCheckPath: "/health?deep=1", TagHealthCheckMatcher: "200,204,300-399", TagDeregistrationDelay: "0",
		}, Settings{8080, "/health?deep=1", Codes{{200, 200}, {204, 204}, {300, 399}}, 0}},
	}
	for _, tt := range tests {
		got, err := ParseSettings(tt.tags)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

func TestParseSettingsRefuses(t *testing.T) {
	tests := []struct{ tag, value, want string }{
		{TagListenPort, "0", "from 1 to 65535"},
		{TagListenPort, "http", "from 1 to 65535"},
		{TagHealthCheckPath, "health", `start with a slash: "/health"`},
		{TagHealthCheckPath, "", "start with a slash"},
		{TagHealthCheckPath, "/a b", "without spaces"},
		{TagHealthCheckPath, "/" + strings.Repeat("x", maxPath), "longer than 1024"},
		{TagHealthCheckMatcher, "2xx", "HTTP codes from 200 to 499"},
		{TagHealthCheckMatcher, "500", "HTTP codes from 200 to 499"},
		{TagHealthCheckMatcher, "299-200", "HTTP codes from 200 to 499"},
		{TagHealthCheckMatcher, "200,", "HTTP codes from 200 to 499"},
		{TagDeregistrationDelay, "30s", "whole number of seconds from 0 to 3600"},
		{TagDeregistrationDelay, "3601", "whole number of seconds from 0 to 3600"},
		{"medusa-deploy:health-check-pth", "/", "there is no such setting (known: medusa-deploy:deregistration-delay,"},
	}
	for _, tt := range tests {
		_, err := ParseSettings(map[string]string{tt.tag: tt.value})
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), tt.tag) {
			t.Errorf("%s=%s: %v, want %q", tt.tag, tt.value, err, tt.want)
		}
	}
	_, err := ParseSettings(map[string]string{TagListenPort: "x", TagDeregistrationDelay: "y"})
	if err == nil || !strings.Contains(err.Error(), TagListenPort) || !strings.Contains(err.Error(), TagDeregistrationDelay) {
		t.Errorf("not everything that is wrong is told: %v", err)
	}
}

func TestCodesHas(t *testing.T) {
	codes, err := ParseCodes("200,204-206")
	if err != nil {
		t.Fatal(err)
	}
	var has []int
	for code := 190; code < 500; code++ {
		if codes.Has(code) {
			has = append(has, code)
		}
	}
	if !slices.Equal(has, []int{200, 204, 205, 206}) {
		t.Errorf("the codes are %v", has)
	}
}

func FuzzParseSettings(f *testing.F) {
	f.Add("80", "/", "200-299", "30")
	f.Add("-1", "//x", "200,,", "+5")
	f.Fuzz(func(t *testing.T, port, path, matcher, delay string) {
		s, err := ParseSettings(map[string]string{
			TagListenPort: port, TagHealthCheckPath: path, TagHealthCheckMatcher: matcher, TagDeregistrationDelay: delay,
		})
		if err != nil {
			return
		}
		if s.ListenPort < 1 || s.ListenPort > 65535 || s.HealthCheckPath[0] != '/' || s.DeregistrationDelay > time.Hour || len(s.HealthyCodes) == 0 {
			t.Errorf("accepted %+v", s)
		}
		for _, r := range s.HealthyCodes {
			if r.First < minCode || r.Last > maxCode || r.First > r.Last {
				t.Errorf("accepted the range %+v of %q", r, matcher)
			}
		}
	})
}

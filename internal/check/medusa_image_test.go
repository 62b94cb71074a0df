package check

import (
	"testing"

	"github.com/Masterminds/semver/v3"
)

func TestNodeOf(t *testing.T) {
	for _, tc := range []struct {
		image, engine string
		told, fits    bool
	}{
		{"node:22-bookworm-slim", "^20.19.0 || >=22.12.0", true, true},
		{"node:20", "^20.19.0 || >=22.12.0", true, true},
		{"node:20.18-alpine", "^20.19.0 || >=22.12.0", true, false},
		{"node:22.12.0", "^20.19.0 || >=22.12.0", true, true},
		{"node:22.11", "^20.19.0 || >=22.12.0", true, false},
		{"node:21", "^20.19.0 || >=22.12.0", true, false},
		{"node:18-slim", ">=20", true, false},
		{"node:20", "20.11.1", true, true}, // it may be that one
		{"node:20", "<=20.18", true, true}, // the same
		{"node:22", "20.x", true, false},
		{"node:22", ">=18 <23", true, true},
		{"node:v24.1.0-slim", ">= 20", true, true},
		{"docker.io/library/node:18", ">=20", true, false},
		{"public.ecr.aws/docker/library/node:22@sha256:0", ">=20", true, true},
		{"gcr.io/distroless/nodejs18-debian12", ">=20", true, false},
		{"gcr.io/distroless/nodejs22:nonroot", ">=20", true, true},
		{"node:lts-alpine", ">=20", false, false},
		{"node:jod", ">=20", false, false},
		{"node", ">=20", false, false},
		{"debian:12", ">=20", false, false},
		{"example.com/node-base:18", ">=20", false, false},
		{"node@sha256:0", ">=20", false, false},
	} {
		v, ok := nodeOf(tc.image)
		wanted, err := semver.NewConstraint(tc.engine)
		if err != nil {
			t.Fatal(err)
		}
		if ok != tc.told || ok && v.mayBe(wanted, tc.engine) != tc.fits {
			t.Errorf("%s for %s: told %v (%v), fits %v", tc.image, tc.engine, ok, v, ok && v.mayBe(wanted, tc.engine))
		}
	}
}

func FuzzNodeOf(f *testing.F) {
	f.Add("node:22.1.0-slim", "^20 || >=22.12")
	f.Add("gcr.io/distroless/nodejs99999999999", "1.2.3.4")
	f.Fuzz(func(t *testing.T, image, engine string) {
		v, ok := nodeOf(image)
		if wanted, err := semver.NewConstraint(engine); err == nil && ok {
			v.mayBe(wanted, engine)
		}
	})
}

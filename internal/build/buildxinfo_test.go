package build

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseInspect(t *testing.T) {
	for name, c := range map[string]struct {
		text    string
		want    BuildxInfo
		failure string
	}{
		"two nodes, one of them stopped": {
			text: "Name:          both\nDriver:        docker-container\nLast Activity: 2026-11-26 02:22:44 +0000 UTC\n\nNodes:\n" +
				"Name:                  both0\nEndpoint:              unix:///var/run/docker.sock\nDriver Options:        network=\"host\"\nStatus:                running\n" +
				"BuildKit version:      v0.34.2\nPlatforms:             linux/amd64*, linux/386\nLabels:\n org.mobyproject.buildkit.worker.executor:         oci\n" +
				"GC Policy rule#0:\n All:            false\n\n" +
				"Name:                  both1\nEndpoint:              ssh://builder\nStatus:                stopped\n",
			want: BuildxInfo{Name: "both", Driver: DriverContainer, Nodes: []BuildxNode{
				{Name: "both0", Endpoint: "unix:///var/run/docker.sock", Status: "running", Version: "v0.34.2", Platforms: []string{"linux/amd64", "linux/386"}, Options: `network="host"`},
				{Name: "both1", Endpoint: "ssh://builder", Status: "stopped"},
			}},
		},
		"before 0.11": {
			text: "Name:   default\nDriver: docker\n\nNodes:\nName:      default\nEndpoint:  default\nStatus:    running\nBuildkit:  20.10.24\nPlatforms: linux/amd64\n",
			want: BuildxInfo{Name: "default", Driver: DriverDocker, Nodes: []BuildxNode{{Name: "default", Endpoint: "default", Status: "running", Version: "20.10.24", Platforms: []string{"linux/amd64"}}}},
		},
		"a node that does not answer": {
			text: "Name:   far\nDriver: remote\n\nNodes:\nName:     far0\nEndpoint: tcp://far:1234\nError:    dial tcp: connect: connection refused\n",
			want: BuildxInfo{Name: "far", Driver: DriverRemote, Nodes: []BuildxNode{{Name: "far0", Endpoint: "tcp://far:1234", Err: "dial tcp: connect: connection refused"}}},
		},
		"no engine": {
			text:    "Name:   default\nDriver: \nError:  failed to connect to the docker API at unix:///nowhere\n",
			want:    BuildxInfo{Name: "default"},
			failure: "failed to connect to the docker API at unix:///nowhere",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, failure := parseInspect(c.text)
			if diff := cmp.Diff(c.want, got); diff != "" || failure != c.failure {
				t.Errorf("%s %q", diff, failure)
			}
		})
	}
}

func TestCanBuild(t *testing.T) {
	both := []string{"linux/amd64", "linux/arm64"}
	for name, c := range map[string]struct {
		info BuildxInfo
		want bool
	}{
		"an engine without manifests": {BuildxInfo{Driver: DriverDocker}, false},
		"an engine with manifests":    {BuildxInfo{Driver: DriverDocker, ContainerdStore: true}, true},
		"a daemon of its own":         {BuildxInfo{Driver: DriverContainer}, true},
	} {
		if err := c.info.canBuild(both); (err == nil) != c.want {
			t.Errorf("%s: %v", name, err)
		}
		if err := c.info.canBuild(both[:1]); err != nil {
			t.Errorf("%s, one platform: %v", name, err)
		}
	}
}

func TestTakesContexts(t *testing.T) {
	for engine, want := range map[string]bool{"": true, "20.10.24+dfsg1": false, "23.0.1": true, "28.2.2": true, "a-build-of-ones-own": true} {
		if err := (BuildxInfo{Engine: engine}).takesContexts(); (err == nil) != want {
			t.Errorf("%q: %v", engine, err)
		}
	}
}

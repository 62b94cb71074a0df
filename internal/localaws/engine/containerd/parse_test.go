//go:build linux

package containerd

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

func TestParseStat(t *testing.T) {
	const rest = " S 1 1 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 %START 2 3 4"
	for _, c := range []struct {
		name, stat string
		state      byte
		start      uint64
		fails      bool
	}{
		{"plain", "42 (app)" + strings.Replace(rest, "%START", "777", 1), 'S', 777, false},
		{"a name that imitates fields", "42 (a) Z 1 (b)" + strings.Replace(rest, "%START", "778", 1), 'S', 778, false},
		{"cut short", "42 (app) S 1 1", 0, 0, true},
		{"no name", "42", 0, 0, true},
		{"bad start", "42 (app)" + strings.Replace(rest, "%START", "-1", 1), 0, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			state, start, err := parseStat([]byte(c.stat))
			if (err != nil) != c.fails || state != c.state || start != c.start {
				t.Errorf("= %c, %d, %v", state, start, err)
			}
		})
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("42 (app) S 1 1 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 777 2"))
	f.Add([]byte(")"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if state, _, err := parseStat(raw); err != nil && state != 0 {
			t.Errorf("a state and an error: %c, %v", state, err)
		}
	})
}

func TestInspectSelf(t *testing.T) {
	self, ok := inspect(os.Getpid())
	if !ok || !self.alive() {
		t.Fatalf("inspect = %+v, %v", self, ok)
	}
	reused := self
	reused.Start++
	if reused.alive() {
		t.Error("a process with another start time counts as alive: numbers are reused")
	}
	if err := reused.kill(t.Context()); err != nil { // must not hit us
		t.Error(err)
	}
	file := filepath.Join(t.TempDir(), "x.pid")
	if err := writeJSON(file, self); err != nil {
		t.Fatal(err)
	}
	if got, ok := readProcess(file); !ok || got != self {
		t.Errorf("readProcess = %+v, %v", got, ok)
	}
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, ok := readProcess(file); ok {
		t.Error("a broken pid file names a process")
	}
}

func TestMissingCapabilities(t *testing.T) {
	for _, c := range []struct {
		name, status string
		want         []string
	}{
		{"all", "Name:\tx\nCapEff:\t000001ffffffffff\n", nil},
		{"without CAP_SYS_RESOURCE, which is not needed", "CapEff:\t000001fffeffffff\n", nil},
		{"two missing", "CapEff:\t000001ffffdfefff\n", []string{"CAP_SYS_ADMIN (mounts and namespaces)", "CAP_NET_ADMIN (network interfaces)"}},
		{"unreadable", "CapEff:\tx\n", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := missingCapabilities(c.status)
			if c.name == "unreadable" {
				if len(got) != len(neededCapabilities()) {
					t.Errorf("= %v, want all", got)
				}
				return
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestJudge(t *testing.T) {
	const all = "CapEff:\t000001fffeffffff\n"
	for _, c := range []struct {
		name    string
		uid     int
		status  string
		cgroups bool
		want    []string
	}{
		{"all is well", 0, all, true, nil},
		{"not root", 1000, all, true, []string{"root (the user id is 1000)", "sudo", "--engine simulated"}},
		{"root in a container without rights", 0, "CapEff:\t00000000a80425fb\n", true, []string{"CAP_SYS_ADMIN", "CAP_NET_ADMIN"}},
		{"several at once", 1000, all, false, []string{"root", "cgroup file system"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := judge(c.uid, c.status, c.cgroups)
			if (err == nil) != (c.want == nil) {
				t.Fatalf("err = %v", err)
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error lacks %q: %v", part, err)
				}
			}
		})
	}
}

func TestChooseSubnet(t *testing.T) {
	prefixes := func(texts ...string) []netip.Prefix {
		var out []netip.Prefix
		for _, text := range texts {
			out = append(out, netip.MustParsePrefix(text))
		}
		return out
	}
	for _, c := range []struct {
		name  string
		seed  uint32
		taken []netip.Prefix
		want  string
	}{
		{"free", 0, nil, "198.18.0.0/24"},
		{"seed", 257, prefixes("10.0.0.0/8"), "198.19.1.0/24"},
		{"seed beyond the range", 512 + 3, nil, "198.18.3.0/24"},
		{"next one", 0, prefixes("198.18.0.1/24", "198.18.1.7/32"), "198.18.2.0/24"},
		{"wraps around", 511, prefixes("198.19.255.0/24"), "198.18.0.0/24"},
		{"half of it is taken", 5, prefixes("198.18.0.0/16"), "198.19.0.0/24"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := chooseSubnet(c.seed, c.taken)
			if err != nil || got.String() != c.want || !usable(got, c.taken) {
				t.Errorf("= %v, %v; want %s", got, err, c.want)
			}
		})
	}
	if _, err := chooseSubnet(0, prefixes("198.0.0.0/8")); !errors.Is(err, errNoSubnet) {
		t.Errorf("err = %v, want errNoSubnet", err)
	}
	for _, bad := range []netip.Prefix{{}, netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("198.18.0.0/16")} {
		if usable(bad, nil) {
			t.Errorf("%v is usable", bad)
		}
	}
}

func TestPrefixOf(t *testing.T) {
	_, n, err := net.ParseCIDR("198.18.7.0/24")
	if err != nil {
		t.Fatal(err)
	}
	if p, ok := prefixOf(n); !ok || p.String() != "198.18.7.0/24" {
		t.Errorf("= %v, %v", p, ok)
	}
	if _, ok := prefixOf(nil); ok {
		t.Error("nothing has a prefix")
	}
}

func TestChooseManifest(t *testing.T) {
	manifest := func(name, architecture, variant string) ocispec.Descriptor {
		return ocispec.Descriptor{
			MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromString(name),
			Platform: &ocispec.Platform{OS: "linux", Architecture: architecture, Variant: variant},
		}
	}
	attestation := manifest("attestation", "unknown", "")
	attestation.Platform.OS = "unknown"
	windows := manifest("windows", "amd64", "")
	windows.Platform.OS = "windows"
	amd, arm, old := manifest("amd", "amd64", ""), manifest("arm", "arm64", "v8"), manifest("old", "arm", "v7")
	for _, c := range []struct {
		name         string
		manifests    []ocispec.Descriptor
		architecture string
		want         string
	}{
		{"among several", []ocispec.Descriptor{attestation, windows, arm, amd}, "amd64", "amd"},
		{"variant is normal", []ocispec.Descriptor{amd, arm}, "arm64", "arm"},
		{"better than an older kind", []ocispec.Descriptor{old, arm}, "arm64", "arm"},
		{"none", []ocispec.Descriptor{arm, attestation, windows}, "amd64", ""},
		{"no platform", []ocispec.Descriptor{{MediaType: ocispec.MediaTypeImageManifest}}, "amd64", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := chooseManifest(ocispec.Index{Manifests: c.manifests}, c.architecture)
			if c.want == "" {
				if err == nil {
					t.Errorf("= %v, want an error", got)
				}
				return
			}
			if err != nil || got.Digest != digest.FromString(c.want) {
				t.Errorf("= %v, %v", got, err)
			}
		})
	}
}

func TestProcessArgs(t *testing.T) {
	image := ocispec.ImageConfig{Entrypoint: []string{"/entry"}, Cmd: []string{"default"}}
	for _, c := range []struct {
		name  string
		spec  engine.ContainerSpec
		image ocispec.ImageConfig
		want  []string
	}{
		{"image", engine.ContainerSpec{}, image, []string{"/entry", "default"}},
		{"command", engine.ContainerSpec{Command: []string{"x"}}, image, []string{"/entry", "x"}},
		{"entrypoint", engine.ContainerSpec{Entrypoint: []string{"/other"}}, image, []string{"/other"}},
		{"both", engine.ContainerSpec{Entrypoint: []string{"/o"}, Command: []string{"x"}}, image, []string{"/o", "x"}},
		{"command alone", engine.ContainerSpec{Command: []string{"x"}}, ocispec.ImageConfig{}, []string{"x"}},
		{"nothing", engine.ContainerSpec{}, ocispec.ImageConfig{}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := processArgs(c.spec, c.image)
			if diff := cmp.Diff(c.want, got); diff != "" || (err == nil) != (c.want != nil) {
				t.Errorf("err %v, %s", err, diff)
			}
		})
	}
}

func TestCapabilities(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root has capabilities to give")
	}
	base, err := capabilities(nil, nil)
	if err != nil || !slices.Contains(base, "CAP_CHOWN") || slices.Contains(base, "CAP_SYS_ADMIN") {
		t.Errorf("default = %v, %v", base, err)
	}
	for _, c := range []struct {
		name      string
		add, drop []string
		has, not  string
	}{
		{"added by its short name", []string{"sys_ptrace"}, nil, "CAP_SYS_PTRACE", "CAP_NET_ADMIN"},
		{"added by its long name", []string{"CAP_SYS_PTRACE"}, nil, "CAP_SYS_PTRACE", "CAP_NET_ADMIN"},
		{"dropped", nil, []string{"CHOWN"}, "CAP_KILL", "CAP_CHOWN"},
		{"all dropped but one", []string{"KILL"}, []string{"ALL"}, "CAP_KILL", "CAP_CHOWN"},
		{"all added but one", []string{"ALL"}, []string{"CHOWN"}, "CAP_SYS_ADMIN", "CAP_CHOWN"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := capabilities(c.add, c.drop)
			if err != nil || !slices.Contains(got, c.has) || slices.Contains(got, c.not) {
				t.Errorf("= %v, %v", got, err)
			}
		})
	}
}

func TestOOMKills(t *testing.T) {
	for text, want := range map[string]int{
		"oom_kill_disable 0\nunder_oom 0\noom_kill 2\n":                2,
		"low 0\nhigh 0\nmax 12\noom 1\noom_kill 1\noom_group_kill 0\n": 1,
		"": 0, "oom_kill\n": 0, "oom_kill x\n": 0,
	} {
		if got := parseOOMKills(text); got != want {
			t.Errorf("%q = %d, want %d", text, got, want)
		}
	}
}

func TestInCgroup(t *testing.T) {
	for text, want := range map[string]bool{
		"0::/medusa-deploy-1/web\n":                    true,
		"3:cpu,cpuacct:/\n2:memory:/medusa-deploy-1\n": true,
		"2:memory:/medusa-deploy-10/web\n":             false,
		"2:memory:/other/medusa-deploy-1/web\n":        false,
		"":                                             false,
	} {
		if got := inCgroup(text, "/medusa-deploy-1"); got != want {
			t.Errorf("%q = %v, want %v", text, got, want)
		}
	}
}

func FuzzCgroupFiles(f *testing.F) {
	f.Add("oom_kill 1\n0::/x\n")
	f.Fuzz(func(_ *testing.T, text string) {
		parseOOMKills(text)
		inCgroup(text, "/x")
	})
}

func TestCheckID(t *testing.T) {
	for id, ok := range map[string]bool{
		"web": true, "0123abc-web_1.2": true, "": false, "../x": false, "a/b": false, "-a": false, "a--b": false,
		strings.Repeat("a", 76): true, strings.Repeat("a", 77): false,
	} {
		if err := checkID("container", id); (err == nil) != ok {
			t.Errorf("%q: %v", id, err)
		}
	}
}

func TestLayout(t *testing.T) {
	_, err := newLayout("/" + strings.Repeat("x", 100))
	if err == nil || !strings.Contains(err.Error(), "choose a shorter directory") {
		t.Errorf("err = %v", err)
	}
	one, err := newLayout("/a")
	if err != nil {
		t.Fatal(err)
	}
	two, err := newLayout("/b")
	if err != nil {
		t.Fatal(err)
	}
	if one.bridge() == two.bridge() || one.cgroup() == two.cgroup() || one.shimSockets() == two.shimSockets() {
		t.Error("two directories share a name")
	}
	if len(one.bridge()) > 15 || len(one.shimSockets()) > 42 {
		t.Errorf("names are too long: %s %s", one.bridge(), one.shimSockets())
	}
}

func TestHosts(t *testing.T) {
	got := hosts(sandboxRecord{IP: "198.18.0.2", Hostname: "ip-198-18-0-2", ExtraHosts: map[string]string{"b": "10.0.0.2", "a": "10.0.0.1"}})
	want := "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n10.0.0.1\ta\n10.0.0.2\tb\n198.18.0.2\tip-198-18-0-2\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestLeaseOwner(t *testing.T) {
	file := filepath.Join(t.TempDir(), "198.18.0.2")
	if err := os.WriteFile(file, []byte("box\r\neth0"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := leaseOwner(file); got != "box" {
		t.Errorf("owner = %q", got)
	}
	if got := leaseOwner(file + "x"); got != "" {
		t.Errorf("owner of nothing = %q", got)
	}
}

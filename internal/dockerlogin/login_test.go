package dockerlogin

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	password = "canary-password"
	ecr      = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
)

// machine is a Docker configuration beside stand-ins for programs. A stand-in writes its arguments and its standard input
// into a file of its name, prints what it is told, and ends with a code.
type machine struct {
	Docker
	bin string
}

func newMachine(t *testing.T, config string, programs ...string) machine {
	t.Helper()
	m := machine{bin: t.TempDir()}
	m.Dir = filepath.Join(t.TempDir(), "docker")
	m.LookPath = func(name string) (string, error) {
		path := filepath.Join(m.bin, name)
		_, err := os.Stat(path)
		return path, err
	}
	m.Env = []string{"PATH=" + os.Getenv("PATH")}
	for _, p := range programs {
		m.program(t, p, "exit 0")
	}
	if config != "" {
		if err := os.MkdirAll(m.Dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(m.Dir, "config.json"), []byte(config), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func (m machine) program(t *testing.T, name, rest string) {
	t.Helper()
	text := "#!/bin/sh\nprintf '%s\\n' \"$*\" >>\"$0.args\"\ncat >>\"$0.stdin\"\n" + rest + "\n"
	if err := os.WriteFile(filepath.Join(m.bin, name), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

// saw is what a stand-in was given.
func (m machine) saw(t *testing.T, program, what string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(m.bin, program+"."+what))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(raw)
}

func (m machine) config(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(m.Dir, "config.json"))
	if errors.Is(err, os.ErrNotExist) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func login(host string) Login { return Login{Host: host, Username: "AWS", Password: password} }

const others = `{"HttpHeaders":{"X-Meta":"a&b"},"psFormat":"table {{.ID}}","big":12345678901234567890,"auths":{"ghcr.io":{"auth":"eDp5"}},"credHelpers":{"other.example":"x"}}`

// TestOtherSettingsStay: whatever a login writes, everything else in the file is as before, and the user alone can read it.
func TestOtherSettingsStay(t *testing.T) {
	for name, programs := range map[string][]string{"file": nil, "helper": {"docker-credential-ecr-login"}} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t, others, programs...)
			done, err := m.Login(t.Context(), login(ecr), false)
			if err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(done.Path)
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
			}
			if !strings.Contains(m.config(t), ecr) {
				t.Errorf("config.json says nothing of %s:\n%s", ecr, m.config(t))
			}
			if _, undone, err := m.Logout(t.Context(), ecr); err != nil || !undone {
				t.Fatalf("logout: %v, %v", undone, err)
			}
			var got, want map[string]json.RawMessage
			if err := errors.Join(json.Unmarshal([]byte(m.config(t)), &got), json.Unmarshal([]byte(others), &want)); err != nil {
				t.Fatal(err)
			}
			for key, value := range want {
				if compact(t, got[key]) != compact(t, value) {
					t.Errorf("%s is %s, want %s", key, got[key], value)
				}
			}
			if len(got) != len(want) {
				t.Errorf("it has %d keys, want %d:\n%s", len(got), len(want), m.config(t))
			}
		})
	}
}

func compact(t *testing.T, raw json.RawMessage) string {
	t.Helper()
	return strings.Join(strings.Fields(string(raw)), "")
}

func TestWays(t *testing.T) {
	cases := map[string]struct {
		config, host string
		programs     []string
		noHelper     bool
		want         Way
		inConfig     string
	}{
		"nothing is installed":          {host: ecr, want: WayFile, inConfig: `"auth": "QVdTOmNhbmFyeS1wYXNzd29yZA=="`},
		"the helper goes first":         {host: ecr, programs: []string{"docker-credential-ecr-login", "docker"}, want: WayECRHelper, inConfig: `"` + ecr + `": "ecr-login"`},
		"the helper, over an old entry": {host: ecr, config: `{"auths":{"` + ecr + `":{"auth":"b2xk"}}}`, programs: []string{"docker-credential-ecr-login"}, want: WayECRHelper, inConfig: `"ecr-login"`},
		"the helper is not wanted":      {host: ecr, config: `{"credHelpers":{"` + ecr + `":"ecr-login"}}`, programs: []string{"docker-credential-ecr-login"}, noHelper: true, want: WayFile, inConfig: "QVdT"},
		"a host that it does not know":  {host: "127.0.0.1:4566", programs: []string{"docker-credential-ecr-login", "docker"}, want: WayDocker},
		"the docker client":             {host: ecr, programs: []string{"docker"}, want: WayDocker},
		"a store, without docker":       {host: ecr, config: `{"credsStore":"pass"}`, programs: []string{"docker-credential-pass"}, want: WayStore, inConfig: `"credsStore":"pass"`},
		"a store for that host":         {host: ecr, config: `{"credsStore":"none","credHelpers":{"` + ecr + `":"pass"}}`, programs: []string{"docker-credential-pass"}, want: WayStore},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t, c.config, c.programs...)
			done, err := m.Login(t.Context(), login(c.host), c.noHelper)
			if err != nil || done.Way != c.want {
				t.Fatalf("way %s, %v; want %s", done.Way, err, c.want)
			}
			if !strings.Contains(m.config(t), c.inConfig) {
				t.Errorf("config.json lacks %s:\n%s", c.inConfig, m.config(t))
			}
			if c.want == WayECRHelper && strings.Contains(m.config(t), `"auth"`) {
				t.Errorf("a password is left, which will grow stale:\n%s", m.config(t))
			}
			for _, p := range c.programs {
				if strings.Contains(m.saw(t, p, "args"), password) {
					t.Errorf("%s has the password in its arguments: %s", p, m.saw(t, p, "args"))
				}
			}
			switch c.want {
			case WayDocker:
				if m.saw(t, "docker", "stdin") != password || !strings.Contains(m.saw(t, "docker", "args"), "login --username AWS --password-stdin "+c.host) {
					t.Errorf("docker was run with %q and given %q", m.saw(t, "docker", "args"), m.saw(t, "docker", "stdin"))
				}
			case WayStore:
				if got := m.saw(t, "docker-credential-pass", "stdin"); got != `{"ServerURL":"`+ecr+`","Username":"AWS","Secret":"`+password+`"}` {
					t.Errorf("the store was given %s", got)
				}
			}
		})
	}
}

func TestDockerWithoutDaemon(t *testing.T) {
	m := newMachine(t, "")
	m.program(t, "docker", `echo "permission denied while trying to connect to the Docker daemon socket" >&2; exit 1`)
	if done, err := m.Login(t.Context(), login(ecr), false); err != nil || done.Way != WayFile {
		t.Errorf("way %s, %v; want %s", done.Way, err, WayFile)
	}
	m.program(t, "docker", `echo "Error response from daemon: unauthorized" >&2; exit 1`)
	if _, err := m.Login(t.Context(), login(ecr), false); err == nil || !strings.Contains(err.Error(), "unauthorized") {
		t.Errorf("a refused login: %v", err)
	}
}

func TestLoginThatCannotBe(t *testing.T) {
	m := newMachine(t, `{"credsStore":"desktop"}`, "docker")
	if _, err := m.Login(t.Context(), login(ecr), false); err == nil || !strings.Contains(err.Error(), "docker-credential-desktop, which is not installed") {
		t.Errorf("a store that is gone: %v", err)
	}
	const broken = `{"auths":`
	m = newMachine(t, broken)
	if _, err := m.Login(t.Context(), login(ecr), false); err == nil || !strings.Contains(err.Error(), "is no Docker configuration") || m.config(t) != broken {
		t.Errorf("a broken file: %v; it is now %q", err, m.config(t))
	}
}

func TestLogoutErasesFromTheStore(t *testing.T) {
	m := newMachine(t, `{"credsStore":"pass","auths":{"`+ecr+`":{}}}`, "docker-credential-pass")
	_, undone, err := m.Logout(t.Context(), ecr)
	if err != nil || !undone || m.saw(t, "docker-credential-pass", "args") != "get\nerase\n" || strings.Contains(m.config(t), ecr) {
		t.Errorf("%v, %v; the store was asked %q:\n%s", undone, err, m.saw(t, "docker-credential-pass", "args"), m.config(t))
	}
	m.program(t, "docker-credential-pass", `echo "credentials not found in native keychain"; exit 1`)
	if _, undone, err := m.Logout(t.Context(), ecr); err != nil || undone {
		t.Errorf("a second logout: %v, %v", undone, err)
	}
}

// TestLinkedConfig: a config.json that is a link stays one.
func TestLinkedConfig(t *testing.T) {
	m := newMachine(t, "")
	elsewhere := filepath.Join(t.TempDir(), "dotfiles.json")
	err := errors.Join(os.MkdirAll(m.Dir, 0o700), os.WriteFile(elsewhere, []byte("{}"), 0o600), os.Symlink(elsewhere, filepath.Join(m.Dir, "config.json")))
	if err != nil {
		t.Fatal(err)
	}
	done, err := m.Login(t.Context(), login(ecr), false)
	if err != nil || done.Path != elsewhere {
		t.Fatalf("written to %s, %v; want %s", done.Path, err, elsewhere)
	}
	if info, err := os.Lstat(filepath.Join(m.Dir, "config.json")); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v, %v", info.Mode(), err)
	}
}

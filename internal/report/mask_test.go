package report

import (
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

func TestMask(t *testing.T) {
	const secret = "s3cr3t-password-of-a-registry"
	encoded := base64.StdEncoding.EncodeToString([]byte("AWS:" + secret))
	mask := &Mask{}
	mask.Add("AWS", secret)
	mask.Add("AWS", "short")
	for _, kind := range []Kind{Terminal, Plain, GitHub, JSON} {
		stderr, stdout := render(t, kind, Options{Mask: mask, Verbose: true, Explain: true}, poison("say "+secret+" or "+encoded+" or short"))
		all := stderr + stdout
		if strings.Contains(all, secret) || strings.Contains(all, encoded) {
			t.Errorf("%s shows the secret", kind)
		}
		if !strings.Contains(all, masked) || !strings.Contains(all, "short") {
			t.Errorf("%s does not show where it was, or masks ordinary words", kind)
		}
	}
}

// shownBy is everything that a person can read from a face, escapes undone.
func shownBy(t *testing.T, kind Kind, o Options, events []release.Event) string {
	t.Helper()
	o.Verbose, o.Explain = true, true
	stderr, stdout := render(t, kind, o, events)
	switch kind {
	case GitHub:
		stderr = strings.NewReplacer("%25", "%", "%0D", "\r", "%0A", "\n", "%3A", ":", "%2C", ",").Replace(stderr)
	case JSON:
		var all strings.Builder
		for line := range strings.Lines(stdout) {
			var value any
			if err := json.Unmarshal([]byte(line), &value); err != nil {
				t.Fatalf("not JSON: %v: %s", err, line)
			}
			texts(value, &all)
		}
		stdout = all.String()
	}
	return stderr + stdout
}

// texts gathers the strings in a JSON value.
func texts(value any, into *strings.Builder) {
	switch v := value.(type) {
	case string:
		into.WriteString(v + "\n")
	case []any:
		for _, element := range v {
			texts(element, into)
		}
	case map[string]any:
		for _, member := range v {
			texts(member, into)
		}
	}
}

// checkMasked holds every face to showing no secret, whatever characters it is made of.
func checkMasked(t *testing.T, secret, around string) {
	t.Helper()
	mask := &Mask{}
	mask.Add("AWS", secret)
	for _, kind := range []Kind{Terminal, Plain, GitHub, JSON} {
		if strings.Contains(shownBy(t, kind, Options{}, poison(around)), secret) {
			return // it is one of our own words, or around has it
		}
		all := shownBy(t, kind, Options{Mask: mask}, poison(around+secret+around))
		if strings.Contains(all, secret) {
			t.Errorf("%s shows the secret %q amid %q", kind, secret, around)
		}
		for line := range strings.Lines(secret) {
			if line = strings.TrimSpace(line); len(line) >= 8 && strings.Contains(all, line) {
				t.Errorf("%s shows the line %q of a secret", kind, line)
			}
		}
	}
}

func awkwardSecrets() []string {
	return []string{
		`with "quotes" and \backslash`, "with <angles> & ampersand", "100%25 escaped, really: yes",
		"-----BEGIN KEY-----\nMIIEvQIBADANBg\r\nkqhkiG9w0BAQEF\n-----END KEY-----\n", "Schlüssel-größer-日本", "tab\tand\x1b[0mescape",
	}
}

func TestAwkwardSecretsAreMasked(t *testing.T) {
	for _, secret := range awkwardSecrets() {
		for _, around := range []string{"", " ", "%", "\"", "\n", strings.Repeat("x", 50)} {
			checkMasked(t, secret, around)
		}
	}
}

func FuzzMask(f *testing.F) {
	for _, secret := range awkwardSecrets() {
		f.Add(secret, " amid ")
	}
	f.Fuzz(func(t *testing.T, secret, around string) {
		if len(secret) < 8 {
			t.Skip("too short to be a secret")
		}
		checkMasked(t, secret, around)
	})
}

// TestTheLiveLineCutsNoSecret: half a secret is still too much of it.
func TestTheLiveLineCutsNoSecret(t *testing.T) {
	const secret = "abcdefghijklmnopqrstuvwxyz"
	mask := &Mask{}
	mask.Add("AWS", secret)
	for columns := 20; columns < 70; columns++ {
		stderr, _ := render(t, Terminal, Options{Mask: mask, Width: func() int { return columns }}, []release.Event{
			release.PhaseStarted{Phase: release.PhaseBuild, About: "with " + secret},
		})
		if strings.Contains(stderr, secret[:8]) {
			t.Fatalf("%d columns: %q", columns, stderr)
		}
	}
}

// TestMaskChangesNothingElse: an event without a secret reaches the face as it was.
func TestMaskChangesNothingElse(t *testing.T) {
	mask := &Mask{}
	mask.Add("AWS", "not in any of them")
	all := append(poison("text"), release.LogLine{At: time.Now(), Text: "text"})
	for _, events := range streams() {
		all = append(all, events...)
	}
	for _, e := range all {
		got := mask.value(reflect.ValueOf(e)).Interface()
		if diff := cmp.Diff(any(e), got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

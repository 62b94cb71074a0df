//go:build unix

package build

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func dialShell(t *testing.T, script string) *commandConn {
	t.Helper()
	conn, err := dialCommand(t.Context(), []string{"sh", "-c", script}, &lastWords{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn.(*commandConn)
}

func TestCommandConnCarriesBothWays(t *testing.T) {
	c := dialShell(t, "cat")
	sent := bytes.Repeat([]byte("0123456789abcdef"), 64<<10)
	go func() { _, _ = c.Write(sent) }()
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%v, %d bytes", err, len(got))
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := c.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	if state := c.cmd.ProcessState; state == nil || !state.Success() {
		t.Errorf("cat did not end by itself: %v", state)
	}
}

func TestCommandConnSaysWhatTheProgramComplainedOf(t *testing.T) {
	c := dialShell(t, "echo '#1 booting' >&2; echo 'ERROR: no builder \"x\" found' >&2; exit 1")
	_, err := c.Read(make([]byte, 1))
	var failed *commandError
	if !errors.As(err, &failed) || failed.said != `no builder "x" found` {
		t.Errorf("got %v", err)
	}
}

func TestCommandConnEndsLikeAConnection(t *testing.T) {
	c := dialShell(t, "printf x")
	got, err := io.ReadAll(c)
	if string(got) != "x" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// A program that does not end when its input does is killed with what it started, as the Docker client starts buildx.
func TestCommandConnKills(t *testing.T) {
	c := dialShell(t, "trap '' TERM; sleep 1000 & echo $!; wait; sleep 1000")
	line := make([]byte, 32)
	n, err := c.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	child, err := strconv.Atoi(strings.TrimSpace(string(line[:n])))
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took < commandGrace {
		t.Errorf("it had %s to end by itself", took)
	}
	deadline := time.Now().Add(time.Minute)
	for running(child) {
		if time.Now().After(deadline) {
			t.Fatal("its child still runs")
		}
		<-time.After(time.Millisecond)
	}
}

// running says whether a process exists and is no zombie that its new parent has yet to bury.
func running(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return false
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

func TestCommandConnNeedsAContextThatLasts(t *testing.T) {
	why := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if _, err := dialCommand(ctx, []string{"sh", "-c", "exit 0"}, &lastWords{}); !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
}

func TestCommandConnHasNoSecretOfOurs(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "canary-of-the-environment")
	got, err := io.ReadAll(dialShell(t, "env"))
	if err != nil || strings.Contains(string(got), "canary-of-the-environment") || !strings.Contains(string(got), "PATH=") {
		t.Errorf("%v: %s", err, got)
	}
}

func TestLastWords(t *testing.T) {
	var lines []string
	l := &lastWords{line: func(line string) { lines = append(lines, line) }}
	for _, piece := range []string{"one\ntw", "o\nth", "ree"} {
		if _, err := l.Write([]byte(piece)); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(lines, ","); got != "one,two" || l.complaint() != "one\ntwo\nthree" {
		t.Errorf("%q, %q", got, l.complaint())
	}
	_, _ = l.Write(bytes.Repeat([]byte("x"), 2*lastWordsMax))
	if l.said.Len() != lastWordsMax {
		t.Errorf("%d bytes are kept", l.said.Len())
	}
}

//go:build linux

package containerd_test

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine/containerd"
)

// A daemon that cannot start is explained with its own words, and nothing is left of the attempt.
func TestOpenBrokenDaemon(t *testing.T) {
	if err := containerd.Preflight(); err != nil {
		t.Skip(err)
	}
	dir, bin := t.TempDir(), t.TempDir()
	for _, name := range []string{"containerd-shim-runc-v2", "runc", "buildkitd", "init", "cni/bridge", "cni/host-local", "cni/loopback"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(bin, name)), 0o750); err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(bin, name), nil)
	}
	config := containerd.Config{Dir: dir, BinDir: bin}
	if _, err := containerd.Open(within(t), config); !errors.Is(err, containerd.ErrNoBinaries) || !strings.Contains(err.Error(), "make engine") {
		t.Errorf("without containerd: %v", err)
	}
	writeFile(t, filepath.Join(bin, "containerd"), []byte("#!/bin/sh\necho the disk is full >&2\nexit 1\n"))
	_, err := containerd.Open(within(t), config)
	if err == nil || !strings.Contains(err.Error(), "the disk is full") || !strings.Contains(err.Error(), "containerd.log") {
		t.Errorf("err = %v", err)
	}
	if err := containerd.Teardown(within(t), dir, nil); err != nil {
		t.Error(err)
	}
}

func TestOpenLongPath(t *testing.T) {
	config := containerd.Config{Dir: "/" + strings.Repeat("d", 120), BinDir: t.TempDir()}
	if _, err := containerd.Open(within(t), config); err == nil || !strings.Contains(err.Error(), "shorter directory") {
		t.Errorf("err = %v", err)
	}
}

// Two engines on one machine have subnets of their own, and a subnet stays the same across restarts.
func TestSubnets(t *testing.T) {
	one, two := newStage(t), newStage(t)
	address := func(s *stage) netip.Prefix {
		box, err := s.CreateSandbox(within(t), engine.SandboxSpec{ID: "box"})
		if err != nil {
			t.Fatal(err)
		}
		return netip.PrefixFrom(netip.MustParseAddr(box.Gateway), 24).Masked()
	}
	first, second := address(one), address(two)
	if first == second {
		t.Errorf("both have %s", first)
	}
	if err := two.RemoveSandbox(within(t), "box"); err != nil {
		t.Fatal(err)
	}
	if err := two.Close(); err != nil {
		t.Fatal(err)
	}
	two.open(t)
	if again := address(two); again != second {
		t.Errorf("subnet was %s, is %s after a restart", second, again)
	}
	for _, s := range []*stage{one, two} {
		if err := s.Shutdown(within(t)); err != nil {
			t.Error(err)
		}
	}
	interfaces, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range interfaces {
		addresses, err := i.Addrs()
		if err != nil {
			continue // it is being removed, by another test's engine
		}
		for _, a := range addresses {
			p, err := netip.ParsePrefix(a.String())
			if err == nil && (p.Masked() == first || p.Masked() == second) {
				t.Errorf("interface %s is left with %s", i.Name, a)
			}
		}
	}
}

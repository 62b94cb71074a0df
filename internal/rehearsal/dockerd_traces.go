//go:build linux

package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const cgroups = "/sys/fs/cgroup"

// addBridge makes a bridge with a network that no interface of the machine has, and gives its address.
func addBridge(name string) (gateway string, err error) {
	taken, err := netlink.AddrList(nil, netlink.FAMILY_V4)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) { // a list that changes meanwhile is good enough
		return "", fmt.Errorf("list addresses: %w", err)
	}
	network, err := freeNetwork(name, taken)
	if err != nil {
		return "", err
	}
	attributes := netlink.NewLinkAttrs()
	attributes.Name = name
	bridge := &netlink.Bridge{LinkAttrs: attributes}
	if err := netlink.LinkAdd(bridge); err != nil {
		return "", fmt.Errorf("make the bridge %s: %w", name, err)
	}
	first := network.Addr().Next()
	address, err := netlink.ParseAddr(netip.PrefixFrom(first, network.Bits()).String())
	if err != nil {
		return "", err
	}
	if err := netlink.AddrAdd(bridge, address); err != nil {
		return "", fmt.Errorf("give the bridge %s its address: %w", name, err)
	}
	if err := netlink.LinkSetUp(bridge); err != nil {
		return "", fmt.Errorf("set the bridge %s up: %w", name, err)
	}
	return first.String(), nil
}

// freeNetwork is the first of 10.214.0.0/16, from the one that name points at, that holds none of the addresses.
func freeNetwork(name string, taken []netlink.Addr) (netip.Prefix, error) {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(name)) // never fails
	for i := range uint32(256) {
		candidate := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 214, byte(hash.Sum32() + i), 0}), 24)
		if !slices.ContainsFunc(taken, func(a netlink.Addr) bool {
			ones, _ := a.Mask.Size()
			ip, ok := netip.AddrFromSlice(a.IP.To4())
			return ok && netip.PrefixFrom(ip, ones).Overlaps(candidate)
		}) {
			return candidate, nil
		}
	}
	return netip.Prefix{}, errors.New("every /24 of 10.214.0.0/16 is in use on this machine")
}

func removeBridge(name string) error {
	if name == "" {
		return nil
	}
	link, err := netlink.LinkByName(name)
	if errors.As(err, new(netlink.LinkNotFoundError)) {
		return nil
	}
	if err == nil {
		err = netlink.LinkDel(link)
	}
	if err != nil {
		return fmt.Errorf("remove the bridge %s: %w", name, err)
	}
	return nil
}

// killRest kills what outlives a daemon that was killed: its containerd, shims and containers. It looks again until
// there is nothing, because what was being started when it looked shows up the next time.
func (d *Dockerd) killRest() error {
	deadline := time.Now().Add(dockerdGrace)
	for {
		rest, err := d.processes()
		if err != nil || len(rest) == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("processes of dockerd do not end: %v", rest)
		}
		for _, pid := range rest {
			_ = syscall.Kill(pid, syscall.SIGKILL) // gone meanwhile: as it should be
		}
		time.Sleep(10 * time.Millisecond) // between two looks
	}
}

// processes are those that name the daemon's directory, and those in its cgroup.
func (d *Dockerd) processes() ([]int, error) {
	all, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var found []int
	for _, proc := range all {
		pid, err := strconv.Atoi(filepath.Base(proc))
		if err != nil || pid == os.Getpid() {
			continue
		}
		// A process may end while it is looked at: what cannot be read is not left over.
		command, _ := os.ReadFile(filepath.Join(proc, "cmdline"))
		groups, _ := os.ReadFile(filepath.Join(proc, "cgroup"))
		stat, _ := os.ReadFile(filepath.Join(proc, "stat"))
		dead := strings.Contains(string(stat), ") Z ")
		if !dead && (strings.Contains(string(command), d.Dir+"/") || strings.Contains(string(groups), ":/"+d.bridge+"/")) {
			found = append(found, pid)
		}
	}
	return found, nil
}

// unmount detaches every mount below the daemon's directory, the newest first: they may lie on older ones.
func (d *Dockerd) unmount() error {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return fmt.Errorf("list mounts: %w", err)
	}
	for _, line := range slices.Backward(strings.Split(strings.TrimSpace(string(table)), "\n")) {
		fields := strings.Fields(line) // proc_pid_mountinfo(5): the fifth is the mount point
		if len(fields) < 5 || !strings.HasPrefix(fields[4], d.Dir+"/") {
			continue
		}
		if err := unix.Unmount(fields[4], unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("unmount %s: %w", fields[4], err)
		}
	}
	return nil
}

// removeCgroups removes the daemon's cgroups, children first. The kernel may need a moment after the last process is gone.
func removeCgroups(name string) error {
	if name == "" {
		return nil
	}
	roots, err := filepath.Glob(filepath.Join(cgroups, "*", name))
	if err != nil {
		return fmt.Errorf("find the cgroups of %s: %w", name, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), dockerdGrace)
	defer cancel()
	for _, root := range append(roots, filepath.Join(cgroups, name)) {
		for err = removeTree(root); errors.Is(err, unix.EBUSY) && ctx.Err() == nil; err = removeTree(root) {
			time.Sleep(10 * time.Millisecond) // between two tries
		}
		if err != nil {
			return fmt.Errorf("remove the cgroup %s: %w", root, err)
		}
	}
	return nil
}

func removeTree(root string) error {
	var dirs []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			dirs = append(dirs, path)
		}
		return nil // what vanishes meanwhile is gone, as it should be
	})
	if err != nil {
		return err
	}
	for _, dir := range slices.Backward(dirs) {
		if err := unix.Rmdir(dir); err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
	}
	return nil
}

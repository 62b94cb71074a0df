//go:build linux

package containerd

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// network is the bridge that joins the sandboxes of one engine, as it is remembered in network.json.
type network struct {
	Subnet netip.Prefix `json:"subnet"`
}

// gateway is the host's address on the bridge.
func (n network) gateway() netip.Addr { return n.Subnet.Masked().Addr().Next() }

// openNetwork makes the bridge, or finds it, with a subnet that nothing else on this machine uses. The choice is
// remembered, so that addresses stay the same across restarts.
func openNetwork(ctx context.Context, l layout) (network, error) {
	unlock, err := lockAddresses(ctx)
	if err != nil {
		return network{}, err
	}
	defer unlock()
	taken, err := takenPrefixes(l.bridge())
	if err != nil {
		return network{}, err
	}
	var n network
	file := l.path("network.json")
	if err := readJSON(file, &n); err != nil && !errors.Is(err, os.ErrNotExist) {
		n = network{} // a broken memory is no reason not to choose anew
	}
	if !usable(n.Subnet, taken) {
		if n.Subnet, err = chooseSubnet(l.seed(), taken); err != nil {
			return network{}, err
		}
		if err := writeJSON(file, n); err != nil {
			return network{}, err
		}
	}
	return n, ensureBridge(l, n)
}

func (l layout) seed() uint32 {
	raw, err := hex.DecodeString(l.tag)
	if err != nil || len(raw) != 4 {
		return 0
	}
	return binary.BigEndian.Uint32(raw)
}

// wholeAttempts is how often the kernel is asked for a list that keeps changing.
const wholeAttempts = 1000

// whole asks the kernel for a list until it did not change on the way: other programs, and other local AWSes, add and
// remove interfaces at any time.
func whole[T any](list func() ([]T, error)) ([]T, error) {
	for attempt := 1; ; attempt++ {
		all, err := list()
		if attempt == wholeAttempts || !errors.Is(err, netlink.ErrDumpInterrupted) {
			return all, err
		}
	}
}

// takenPrefixes lists what the machine's interfaces and routes cover, but for the bridge that is ours. Default routes
// do not count.
func takenPrefixes(bridge string) ([]netip.Prefix, error) {
	own := -1
	if link, err := netlink.LinkByName(bridge); err == nil {
		own = link.Attrs().Index
	}
	addresses, err := whole(func() ([]netlink.Addr, error) { return netlink.AddrList(nil, netlink.FAMILY_V4) })
	if err != nil {
		return nil, fmt.Errorf("list addresses of this machine: %w", err)
	}
	routes, err := whole(func() ([]netlink.Route, error) { return netlink.RouteList(nil, netlink.FAMILY_V4) })
	if err != nil {
		return nil, fmt.Errorf("list routes of this machine: %w", err)
	}
	var taken []netip.Prefix
	add := func(index int, n *net.IPNet) {
		if p, ok := prefixOf(n); ok && index != own && p.Bits() > 0 {
			taken = append(taken, p)
		}
	}
	for _, a := range addresses {
		add(a.LinkIndex, a.IPNet)
	}
	for _, r := range routes {
		add(r.LinkIndex, r.Dst)
	}
	return taken, nil
}

func prefixOf(n *net.IPNet) (netip.Prefix, bool) {
	if n == nil {
		return netip.Prefix{}, false
	}
	address, ok := netip.AddrFromSlice(n.IP.To4())
	ones, _ := n.Mask.Size()
	return netip.PrefixFrom(address, ones), ok
}

// ensureBridge is idempotent. The bridge plugin could make the bridge too, but as a gateway it would also turn on IP
// forwarding for the whole machine, which nothing here needs: the load balancer dials tasks from the host.
func ensureBridge(l layout, n network) error {
	link, err := netlink.LinkByName(l.bridge())
	if errors.As(err, new(netlink.LinkNotFoundError)) {
		link, err = addBridge(l)
	}
	if err != nil {
		return fmt.Errorf("bridge %s: %w", l.bridge(), err)
	}
	address := &netlink.Addr{IPNet: &net.IPNet{IP: n.gateway().AsSlice(), Mask: net.CIDRMask(24, 32)}}
	if err := netlink.AddrReplace(link, address); err != nil {
		return fmt.Errorf("give bridge %s the address %s: %w", l.bridge(), n.gateway(), err)
	}
	if err := dropOtherAddresses(link, address); err != nil {
		return err
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("bring bridge %s up: %w", l.bridge(), err)
	}
	return nil
}

// addBridge fixes the hardware address: otherwise it changes with the first interface that joins, and neighbours that
// remember the old one lose packets.
func addBridge(l layout) (netlink.Link, error) {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = l.bridge()
	attrs.HardwareAddr = binary.BigEndian.AppendUint32(net.HardwareAddr{0x02, 0x6d}, l.seed()) // locally administered
	if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}); err != nil && !errors.Is(err, unix.EEXIST) {
		return nil, err
	}
	return netlink.LinkByName(attrs.Name)
}

// dropOtherAddresses removes what an earlier choice of subnet left on the bridge.
func dropOtherAddresses(link netlink.Link, keep *netlink.Addr) error {
	addresses, err := whole(func() ([]netlink.Addr, error) { return netlink.AddrList(link, netlink.FAMILY_V4) })
	if err != nil {
		return fmt.Errorf("list addresses of %s: %w", link.Attrs().Name, err)
	}
	for _, a := range addresses {
		if a.IP.Equal(keep.IP) {
			continue
		}
		if err := netlink.AddrDel(link, &a); err != nil {
			return fmt.Errorf("remove address %s of %s: %w", a.IPNet, link.Attrs().Name, err)
		}
	}
	return nil
}

// removeBridge deletes the bridge and the interfaces on it; both are gone when it returns.
func removeBridge(l layout) error {
	bridge, err := netlink.LinkByName(l.bridge())
	if errors.As(err, new(netlink.LinkNotFoundError)) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find bridge %s: %w", l.bridge(), err)
	}
	links, err := whole(netlink.LinkList)
	if err != nil {
		return fmt.Errorf("list interfaces: %w", err)
	}
	var doomed []netlink.Link
	for _, link := range links {
		if link.Attrs().MasterIndex == bridge.Attrs().Index {
			doomed = append(doomed, link)
		}
	}
	for _, link := range append(doomed, bridge) {
		if err := netlink.LinkDel(link); err != nil && !errors.Is(err, unix.ENODEV) {
			return fmt.Errorf("delete interface %s: %w", link.Attrs().Name, err)
		}
	}
	return nil
}

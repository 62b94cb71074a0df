//go:build linux

package containerd

import (
	"encoding/binary"
	"errors"
	"net/netip"
)

// benchmarking is 198.18.0.0/15: reserved for tests between devices (RFC 2544, RFC 6890), so it collides with no
// network that people use; the usual private ranges do.
func benchmarking() netip.Prefix { return netip.MustParsePrefix("198.18.0.0/15") }

const subnetCount = 512 // /24s in the range

// errNoSubnet says that every candidate overlaps something.
var errNoSubnet = errors.New("every /24 of 198.18.0.0/15 is in use on this machine; stop another local AWS or remove the interface that covers the range")

// chooseSubnet returns the first /24 of the range, from the one that seed points at, that overlaps nothing in taken.
func chooseSubnet(seed uint32, taken []netip.Prefix) (netip.Prefix, error) {
	for i := range uint32(subnetCount) {
		candidate := nthSubnet((seed + i) % subnetCount)
		if !overlapsAny(candidate, taken) {
			return candidate, nil
		}
	}
	return netip.Prefix{}, errNoSubnet
}

func nthSubnet(n uint32) netip.Prefix {
	base := benchmarking().Addr().As4()
	address := binary.BigEndian.Uint32(base[:]) + n<<8
	var raw [4]byte
	binary.BigEndian.PutUint32(raw[:], address)
	return netip.PrefixFrom(netip.AddrFrom4(raw), 24)
}

// usable says whether a remembered subnet is one that chooseSubnet could have chosen and nothing took it since.
func usable(subnet netip.Prefix, taken []netip.Prefix) bool {
	return subnet.IsValid() && subnet.Bits() == 24 && benchmarking().Contains(subnet.Addr()) && !overlapsAny(subnet, taken)
}

func overlapsAny(p netip.Prefix, others []netip.Prefix) bool {
	for _, other := range others {
		if p.Overlaps(other) {
			return true
		}
	}
	return false
}

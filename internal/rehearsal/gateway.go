package rehearsal

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
)

// Gateway is this machine's address as the tasks of the stage's local AWS know it (host.docker.internal): that of its
// bridge, which is there while local AWS runs.
func (s *Stage) Gateway() (netip.Addr, error) {
	sum := sha256.Sum256([]byte(s.State))
	bridge, err := net.InterfaceByName("md" + hex.EncodeToString(sum[:4]))
	if err != nil {
		return netip.Addr{}, fmt.Errorf("find the bridge of local AWS: %w", err)
	}
	addresses, err := bridge.Addrs()
	if err != nil {
		return netip.Addr{}, fmt.Errorf("find the address of %s: %w", bridge.Name, err)
	}
	for _, one := range addresses {
		if prefix, err := netip.ParsePrefix(one.String()); err == nil && prefix.Addr().Is4() {
			return prefix.Addr(), nil
		}
	}
	return netip.Addr{}, fmt.Errorf("%s has no IPv4 address", bridge.Name)
}

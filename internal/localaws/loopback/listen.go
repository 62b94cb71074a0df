// Package loopback opens listeners on this machine's loopback addresses and says who holds a port that is taken. It
// knows addresses; it must not know what is served on them.
package loopback

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"
)

// TakenError says that an address is in use.
type TakenError struct {
	Address string
	Holder  string // "postgres (pid 17)"; empty when the system does not tell
}

// Error implements error.
func (e *TakenError) Error() string {
	if e.Holder == "" {
		return "the address " + e.Address + " is in use by another process"
	}
	return "the address " + e.Address + " is in use by " + e.Holder
}

// Unwrap makes errors.Is(err, syscall.EADDRINUSE) true.
func (e *TakenError) Unwrap() error { return syscall.EADDRINUSE }

// Check refuses an address that is not HOST:PORT with a loopback host: local AWS has one user, and no other machine may
// reach it.
func Check(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%q is not HOST:PORT, such as 127.0.0.1:4566", address)
	}
	if number, err := strconv.Atoi(port); err != nil || number < 0 || number > 65535 {
		return fmt.Errorf("%q: the port must be a number from 0 to 65535", address)
	}
	if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return fmt.Errorf("%q is not a loopback address, so other machines could reach it; use 127.0.0.1:%s", address, port)
	}
	return nil
}

// Listen opens a TCP listener; a *TakenError when the address is in use.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, &TakenError{Address: address, Holder: holder(address)}
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return listener, nil
}

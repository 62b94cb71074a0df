//go:build !linux

package docker

// Become has nothing to become on this system: containers run Linux.
func Become([]string) {}

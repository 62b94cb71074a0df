package loopback

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// listening is TCP_LISTEN as /proc/net/tcp writes it (proc(5)).
const listening = "0A"

// holder names the process that listens on address's port, as far as /proc shows it to this user; else it is empty.
func holder(address string) string {
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		return ""
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return ""
	}
	var sockets []string
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		if f, err := os.Open(table); err == nil {
			sockets = append(sockets, socketsOn(f, uint16(port))...)
			_ = f.Close()
		}
	}
	return processWith(sockets)
}

// socketsOn reads a socket table and gives the link targets ("socket:[INODE]") of those that listen on port.
func socketsOn(table io.Reader, port uint16) []string {
	var sockets []string
	scanner := bufio.NewScanner(table)
	for scanner.Scan() {
		fields := strings.Fields(scanner.Text())
		if len(fields) < 10 || fields[3] != listening {
			continue
		}
		_, hex, _ := strings.Cut(fields[1], ":")
		if local, err := strconv.ParseUint(hex, 16, 16); err == nil && uint16(local) == port {
			sockets = append(sockets, "socket:["+fields[9]+"]")
		}
	}
	return sockets
}

// processWith finds a process that has one of the sockets open.
func processWith(sockets []string) string {
	if len(sockets) == 0 {
		return ""
	}
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*") // fails on a bad pattern only
	for _, link := range links {
		target, err := os.Readlink(link)
		if err != nil || !slices.Contains(sockets, target) {
			continue
		}
		pid := strings.Split(link, "/")[2]
		name, err := os.ReadFile(filepath.Join("/proc", pid, "comm"))
		if err != nil {
			continue
		}
		return fmt.Sprintf("%s (pid %s)", strings.TrimSpace(string(name)), pid)
	}
	return ""
}

package loopback

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestCheck(t *testing.T) {
	tests := []struct{ address, want string }{
		{"127.0.0.1:4566", ""},
		{"127.0.0.1:0", ""},
		{"127.1.2.3:80", ""},
		{"[::1]:80", ""},
		{"localhost:80", ""},
		{"0.0.0.0:4566", "is not a loopback address"},
		{":4566", "is not a loopback address"},
		{"[::]:4566", "is not a loopback address"},
		{"192.168.1.5:4566", "use 127.0.0.1:4566"},
		{"example.org:4566", "is not a loopback address"},
		{"127.0.0.1", "is not HOST:PORT"},
		{"4566", "is not HOST:PORT"},
		{"127.0.0.1:70000", "from 0 to 65535"},
		{"127.0.0.1:http", "from 0 to 65535"},
	}
	for _, tt := range tests {
		err := Check(tt.address)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Check(%q) = %v, want %q", tt.address, err, tt.want)
		}
	}
}

func TestListenNamesTheHolder(t *testing.T) {
	first, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	_, err = Listen(t.Context(), first.Addr().String())
	var taken *TakenError
	if !errors.As(err, &taken) || !errors.Is(err, syscall.EADDRINUSE) || taken.Address != first.Addr().String() {
		t.Fatalf("Listen on a taken address: %v", err)
	}
	if runtime.GOOS == "linux" && !strings.Contains(err.Error(), fmt.Sprintf("(pid %d)", os.Getpid())) {
		t.Errorf("%v does not name this process, %d", err, os.Getpid())
	}
}

func TestListenElsewhere(t *testing.T) {
	listener, err := Listen(t.Context(), "203.0.113.1:0") // TEST-NET-3: no machine has it
	if err == nil {
		listener.Close()
		t.Fatal("listening on another machine's address succeeded")
	}
	var taken *TakenError
	if errors.As(err, &taken) || !strings.Contains(err.Error(), "203.0.113.1:0") {
		t.Errorf("%v", err)
	}
}

const socketTable = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:11D6 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000000000000000 100 0 0 10 0
   1: 0100007F:11D6 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0000000000000000 20 4 30 10 -1
   2: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0000000000000000 100 0 0 10 0
`

func TestSocketsOn(t *testing.T) {
	if got := socketsOn(strings.NewReader(socketTable), 4566); !slices.Equal(got, []string{"socket:[4711]"}) {
		t.Errorf("sockets = %q", got)
	}
	if got := socketsOn(strings.NewReader(socketTable), 80); len(got) != 0 {
		t.Errorf("sockets = %q", got)
	}
}

func FuzzSocketsOn(f *testing.F) {
	f.Add(socketTable, uint16(4566))
	f.Add("", uint16(0))
	f.Fuzz(func(t *testing.T, table string, port uint16) {
		for _, socket := range socketsOn(strings.NewReader(table), port) {
			if !strings.HasPrefix(socket, "socket:[") {
				t.Errorf("%q is not a socket's link", socket)
			}
		}
	})
}

func FuzzCheck(f *testing.F) {
	f.Add("127.0.0.1:4566")
	f.Add("[::1%eth0]:1")
	f.Fuzz(func(t *testing.T, address string) {
		if Check(address) != nil {
			return
		}
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			t.Fatalf("%q passed: %v", address, err)
		}
		if ip := net.ParseIP(strings.SplitN(host, "%", 2)[0]); host != "localhost" && !ip.IsLoopback() {
			t.Errorf("%q passed and is not loopback", address)
		}
	})
}

//go:build linux

package containerd

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/containerd/containerd/v2/pkg/netns"
	"github.com/containernetworking/cni/libcni"
	types100 "github.com/containernetworking/cni/pkg/types/100"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

// sandboxRecord is sandbox.json: written when the sandbox is complete.
type sandboxRecord struct {
	ID      string `json:"id"`
	IP      string `json:"ip"`
	Gateway string `json:"gateway"`
	NetNS   string `json:"netns"`
}

func (r sandboxRecord) sandbox() engine.Sandbox {
	return engine.Sandbox{ID: r.ID, IP: r.IP, Gateway: r.Gateway}
}

// alive says whether the namespace is still there: a reboot leaves an ordinary file where it was mounted.
func (r sandboxRecord) alive() bool {
	var fs unix.Statfs_t
	return unix.Statfs(r.NetNS, &fs) == nil && fs.Type == unix.NSFS_MAGIC
}

// checkID keeps names out of paths and out of containerd that do not belong there: containerd takes 76 bytes of
// letters and digits with single separators between them.
func checkID(kind, id string) error {
	if len(id) > 76 || !regexp.MustCompile(`^[A-Za-z0-9]+([-_.][A-Za-z0-9]+)*$`).MatchString(id) {
		return fmt.Errorf("%s id %q must be at most 76 letters, digits, and single - _ . between them", kind, id)
	}
	return nil
}

// CreateSandbox makes the network namespace of one task and gives it an address on the engine's bridge.
func (e *Engine) CreateSandbox(ctx context.Context, id string) (engine.Sandbox, error) {
	if err := checkID("sandbox", id); err != nil {
		return engine.Sandbox{}, err
	}
	ctx, cancel := e.bound(ctx)
	defer cancel()
	e.keys.Lock("sandbox/" + id)
	defer func() { _ = e.keys.Unlock("sandbox/" + id) }()
	var r sandboxRecord
	if err := readJSON(e.sandboxFile(id), &r); err == nil && r.alive() {
		return r.sandbox(), nil
	}
	if err := e.releaseNetwork(ctx, id, r.NetNS); err != nil { // what a crash or a reboot left
		return engine.Sandbox{}, err
	}
	r, err := e.newSandbox(ctx, id)
	if err != nil {
		clean, done := unhurried(ctx)
		defer done()
		return engine.Sandbox{}, errors.Join(fmt.Errorf("create the network of sandbox %s: %w", id, err), e.releaseNetwork(clean, id, r.NetNS))
	}
	return r.sandbox(), nil
}

func (e *Engine) sandboxFile(id string) string {
	return filepath.Join(e.layout.sandbox(id), "sandbox.json")
}

func (e *Engine) newSandbox(ctx context.Context, id string) (sandboxRecord, error) {
	r := sandboxRecord{ID: id, Gateway: e.network.gateway().String()}
	if err := os.MkdirAll(e.layout.sandbox(id), 0o700); err != nil {
		return r, err
	}
	if err := os.WriteFile(e.resolvFile(id), hostResolvConf(), 0o644); err != nil { //nolint:gosec // any user of a container reads it
		return r, err
	}
	ns, err := netns.NewNetNS(e.layout.netns())
	if err != nil {
		return r, err
	}
	r.NetNS = ns.GetPath()
	if r.IP, err = e.attach(ctx, r); err != nil {
		return r, err
	}
	return r, writeJSON(e.sandboxFile(id), r)
}

func (e *Engine) resolvFile(id string) string {
	return filepath.Join(e.layout.sandbox(id), "resolv.conf")
}

// attach joins the namespace to the bridge and returns its address.
func (e *Engine) attach(ctx context.Context, r sandboxRecord) (string, error) {
	if _, err := e.cni.AddNetworkList(ctx, e.loopback(), runtimeConf(r.ID, r.NetNS, "lo")); err != nil {
		return "", err
	}
	result, err := e.cni.AddNetworkList(ctx, e.bridged(), runtimeConf(r.ID, r.NetNS, "eth0"))
	if err != nil {
		return "", err
	}
	current, err := types100.NewResultFromResult(result)
	if err != nil {
		return "", err
	}
	for _, ip := range current.IPs {
		if address, ok := netip.AddrFromSlice(ip.Address.IP); ok {
			return address.Unmap().String(), nil
		}
	}
	return "", errors.New("the bridge plugin gave no address")
}

func runtimeConf(id, ns, name string) *libcni.RuntimeConf {
	return &libcni.RuntimeConf{ContainerID: id, NetNS: ns, IfName: name}
}

func (e *Engine) loopback() *libcni.NetworkConfigList {
	return cniList("lo-"+e.layout.bridge(), map[string]any{"type": "loopback"})
}

// bridged is the network of tasks. isGateway stays off (see ensureBridge); the default route comes from host-local.
func (e *Engine) bridged() *libcni.NetworkConfigList {
	return cniList(e.layout.bridge(), map[string]any{
		"type": "bridge", "bridge": e.layout.bridge(), "isGateway": false, "ipMasq": false,
		"ipam": map[string]any{
			"type": "host-local", "dataDir": e.layout.ipam(),
			"ranges": [][]map[string]string{{{"subnet": e.network.Subnet.String(), "gateway": e.network.gateway().String()}}},
			"routes": []map[string]string{{"dst": "0.0.0.0/0"}},
		},
	})
}

func cniList(name string, plugin map[string]any) *libcni.NetworkConfigList {
	raw, err := json.Marshal(map[string]any{"cniVersion": "1.0.0", "name": name, "plugins": []any{plugin}})
	if err != nil {
		panic(err) // maps of strings always encode
	}
	list, err := libcni.NetworkConfFromBytes(raw)
	if err != nil {
		panic(err) // the document above is fixed but for names
	}
	return list
}

// RemoveSandbox kills and removes every container of the sandbox, then its namespace, address and files.
func (e *Engine) RemoveSandbox(ctx context.Context, id string) error {
	if err := checkID("sandbox", id); err != nil {
		return err
	}
	ctx, cancel := e.bound(ctx)
	defer cancel()
	e.keys.Lock("sandbox/" + id)
	defer func() { _ = e.keys.Unlock("sandbox/" + id) }()
	records, err := e.records(id)
	if err != nil {
		return err
	}
	var group errgroup.Group
	for _, record := range records {
		group.Go(func() error { return e.removeContainer(ctx, record.ID) })
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("remove sandbox %s: %w", id, err)
	}
	var r sandboxRecord
	if err := readJSON(e.sandboxFile(id), &r); err != nil && !errors.Is(err, os.ErrNotExist) {
		e.log.WarnContext(ctx, "sandbox record is broken; removing what can be found", "sandbox", id, "error", err)
	}
	if err := e.releaseNetwork(ctx, id, r.NetNS); err != nil {
		return fmt.Errorf("remove sandbox %s: %w", id, err)
	}
	if err := os.RemoveAll(e.layout.sandbox(id)); err != nil {
		return fmt.Errorf("remove sandbox %s: %w", id, err)
	}
	return nil
}

// releaseNetwork gives the address back and removes the namespace. Either may be gone.
func (e *Engine) releaseNetwork(ctx context.Context, id, ns string) error {
	path := ns
	if !(sandboxRecord{NetNS: ns}).alive() {
		path = "" // CNI then releases what it can without the namespace
	}
	if err := e.cni.DelNetworkList(ctx, e.bridged(), runtimeConf(id, path, "eth0")); err != nil {
		return fmt.Errorf("release the address of sandbox %s: %w", id, err)
	}
	if err := e.cni.DelNetworkList(ctx, e.loopback(), runtimeConf(id, path, "lo")); err != nil {
		return fmt.Errorf("take down the loopback of sandbox %s: %w", id, err)
	}
	if ns == "" {
		return nil
	}
	return netns.LoadNetNS(ns).Remove()
}

// sweepNetwork removes namespaces and addresses that no sandbox record mentions: what a crash left between two steps.
func (e *Engine) sweepNetwork(ctx context.Context, known map[string]sandboxRecord) error {
	inUse := map[string]bool{}
	for _, r := range known {
		inUse[filepath.Base(r.NetNS)] = true
	}
	for _, name := range dirNames(e.layout.netns()) {
		if !inUse[name] {
			e.log.InfoContext(ctx, "removing a namespace that a crash left", "netns", name)
			if err := netns.LoadNetNS(filepath.Join(e.layout.netns(), name)).Remove(); err != nil {
				return err
			}
		}
	}
	leases := filepath.Join(e.layout.ipam(), e.layout.bridge())
	for _, name := range dirNames(leases) {
		if _, err := netip.ParseAddr(name); err != nil {
			continue // host-local's lock and last-used files
		}
		file := filepath.Join(leases, name)
		if _, ok := known[leaseOwner(file)]; ok {
			continue
		}
		e.log.InfoContext(ctx, "releasing an address that a crash left", "address", name)
		if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("release address %s: %w", name, err)
		}
	}
	return nil
}

// leaseOwner reads the container id from a lease of host-local: the first line of the file that is named for the address.
func leaseOwner(file string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	scanner := bufio.NewScanner(f)
	scanner.Scan()
	return strings.TrimSpace(scanner.Text())
}

// dirNames lists a directory; one that is missing or unreadable has no entries.
func dirNames(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	names := make([]string, len(entries))
	for i, entry := range entries {
		names[i] = entry.Name()
	}
	return names
}

// hostResolvConf is what containers get as /etc/resolv.conf: the host's, or the one behind systemd-resolved's stub,
// whose loopback address means something else inside a container.
func hostResolvConf() []byte {
	raw, err := os.ReadFile("/etc/resolv.conf")
	if err != nil {
		return nil
	}
	if strings.Contains(string(raw), "nameserver 127.0.0.53") {
		if behind, err := os.ReadFile("/run/systemd/resolve/resolv.conf"); err == nil {
			return behind
		}
	}
	return raw
}

// removalPatience is how long a killed container may take to be gone.
const removalPatience = 20 * time.Second

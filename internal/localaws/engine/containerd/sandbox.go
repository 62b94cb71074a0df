//go:build linux

package containerd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/containerd/containerd/v2/pkg/netns"
	"github.com/containernetworking/cni/libcni"
	types100 "github.com/containernetworking/cni/pkg/types/100"
	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/vishvananda/netlink"
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

	Hostname   string            `json:"hostname"`
	ExtraHosts map[string]string `json:"extraHosts,omitempty"`
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
func (e *Engine) CreateSandbox(ctx context.Context, spec engine.SandboxSpec) (engine.Sandbox, error) {
	id := spec.ID
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
	err := engine.Whole(ctx, func(ctx context.Context) (err error) {
		r, err = e.newSandbox(ctx, spec)
		return err
	})
	if err != nil {
		clean, done := engine.Unhurried(ctx)
		defer done()
		return engine.Sandbox{}, errors.Join(fmt.Errorf("create the network of sandbox %s: %w", id, err), e.releaseNetwork(clean, id, r.NetNS))
	}
	return r.sandbox(), nil
}

func (e *Engine) sandboxFile(id string) string {
	return filepath.Join(e.layout.sandbox(id), "sandbox.json")
}

func (e *Engine) newSandbox(ctx context.Context, spec engine.SandboxSpec) (sandboxRecord, error) {
	id := spec.ID
	r := sandboxRecord{ID: id, Gateway: e.network.gateway().String(), Hostname: spec.Hostname, ExtraHosts: maps.Clone(spec.ExtraHosts)}
	for name, address := range r.ExtraHosts {
		if address == engine.HostGateway {
			r.ExtraHosts[name] = r.Gateway
		}
	}
	if err := os.MkdirAll(e.layout.sandbox(id), 0o700); err != nil {
		return r, err
	}
	if err := os.WriteFile(e.resolvFile(id), hostResolvConf(), 0o644); err != nil { // any user of a container reads it
		return r, err
	}
	space, err := netns.NewNetNS(e.layout.netns())
	if err != nil {
		return r, err
	}
	r.NetNS = space.GetPath()
	if r.IP, err = e.attach(ctx, r); err != nil {
		return r, err
	}
	if r.Hostname == "" { // as Amazon ECS names a task in the network mode awsvpc
		r.Hostname = "ip-" + strings.ReplaceAll(r.IP, ".", "-")
	}
	return r, writeJSON(e.sandboxFile(id), r)
}

func (e *Engine) resolvFile(id string) string {
	return filepath.Join(e.layout.sandbox(id), "resolv.conf")
}

// attach joins the namespace to the bridge and returns its address.
func (e *Engine) attach(ctx context.Context, r sandboxRecord) (string, error) {
	if err := netns.LoadNetNS(r.NetNS).Do(loopbackUp); err != nil {
		return "", fmt.Errorf("bring the loopback up: %w", err)
	}
	result, err := e.cni.AddNetworkList(ctx, e.bridged(), attachment(r.ID, r.NetNS))
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

// loopbackUp runs inside the namespace. CNI has a plugin for it, which costs a process a task.
func loopbackUp(ns.NetNS) error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(lo)
}

func attachment(id, path string) *libcni.RuntimeConf {
	return &libcni.RuntimeConf{ContainerID: id, NetNS: path, IfName: "eth0"}
}

// bridged is the network of tasks. isGateway stays off (see ensureBridge); the default route comes from host-local.
func (e *Engine) bridged() *libcni.NetworkConfigList {
	subnet, gateway := e.network.Subnet.String(), e.network.gateway().String()
	raw, err := json.Marshal(map[string]any{"cniVersion": "1.0.0", "name": e.layout.bridge(), "plugins": []any{map[string]any{
		"type": "bridge", "bridge": e.layout.bridge(), "isGateway": false, "ipMasq": false,
		"ipam": map[string]any{
			"type": "host-local", "dataDir": e.layout.ipam(),
			"ranges": [][]map[string]string{{{"subnet": subnet, "gateway": gateway}}},
			"routes": []map[string]string{{"dst": "0.0.0.0/0"}},
		},
	}}})
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
func (e *Engine) releaseNetwork(ctx context.Context, id, namespace string) error {
	path := namespace
	if !(sandboxRecord{NetNS: namespace}).alive() {
		path = "" // CNI then releases what it can without the namespace
	}
	if err := e.cni.DelNetworkList(ctx, e.bridged(), attachment(id, path)); err != nil {
		return fmt.Errorf("release the address of sandbox %s: %w", id, err)
	}
	if namespace == "" {
		return nil
	}
	return netns.LoadNetNS(namespace).Remove()
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

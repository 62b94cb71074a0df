//go:build linux

package containerd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/pkg/netns"
	"github.com/containerd/errdefs"
)

// keptImages is how many images that no container uses are kept for a rollback. The registry has the others.
const keptImages = 20

// adopt takes over what an earlier process left: it watches the containers that have a record, and removes what a
// crash left half made.
func (e *Engine) adopt(ctx context.Context) error {
	records, err := e.records("")
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, r := range records {
		known[r.ID] = true
	}
	containers, err := e.client.Containers(ctx)
	if err != nil {
		return fmt.Errorf("list containers: %w", err)
	}
	leftovers := dirNames(e.layout.containers())
	for _, c := range containers {
		leftovers = append(leftovers, c.ID())
	}
	for _, id := range leftovers {
		if known[id] {
			continue
		}
		e.log.InfoContext(ctx, "removing a container that a crash left half made", "container", id)
		if err := e.discard(ctx, id); err != nil {
			return err
		}
	}
	for id := range known {
		e.watch(id)
	}
	if err := e.sweepExecs(); err != nil {
		return err
	}
	if err := e.sweepNetwork(ctx, e.sandboxRecords()); err != nil {
		return err
	}
	return e.sweepImages(ctx, records)
}

// sweepImages forgets the images that are neither used nor among the newest; containerd then frees their disk.
func (e *Engine) sweepImages(ctx context.Context, records []containerRecord) error {
	used := map[string]bool{}
	for _, r := range records {
		used[r.Image] = true
	}
	all, err := e.client.ImageService().List(ctx)
	if err != nil {
		return fmt.Errorf("list images: %w", err)
	}
	idle := slices.DeleteFunc(all, func(img images.Image) bool { return used[img.Name] })
	slices.SortFunc(idle, func(a, b images.Image) int { return b.UpdatedAt.Compare(a.UpdatedAt) })
	for _, img := range idle[min(keptImages, len(idle)):] {
		e.log.DebugContext(ctx, "forgetting an image that nothing uses", "image", img.Name)
		if err := e.client.ImageService().Delete(ctx, img.Name); err != nil && !errdefs.IsNotFound(err) {
			return fmt.Errorf("forget image %s: %w", img.Name, err)
		}
	}
	return nil
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

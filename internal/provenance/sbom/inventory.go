package sbom

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

const (
	// layersAtOnce bounds how many layers are read at the same time.
	layersAtOnce = 2
	// layerAttempts bounds how often a layer is read whose connection breaks.
	layerAttempts = 3
)

// Inventory is what is installed in an image.
type Inventory struct {
	Distro   Distro
	Packages []Located
	Unread   []string // kinds of package databases that are there and are not read
}

// Located is a package and the files that say that it is there.
type Located struct {
	Package
	Paths []string
}

// Take lists what is installed in an image, given its layers from the lowest up.
func Take(ctx context.Context, layers []Layer, open Open) (Inventory, error) {
	all := make([]*scanned, len(layers))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(layersAtOnce)
	for i, l := range layers {
		group.Go(func() (err error) {
			for attempt := 1; ; attempt++ {
				if all[i], err = scan(ctx, l, open); err == nil {
					return nil
				}
				if attempt == layerAttempts || ctx.Err() != nil {
					return fmt.Errorf("read layer %s: %w", l.Digest, err)
				}
			}
		})
	}
	if err := group.Wait(); err != nil {
		return Inventory{}, err
	}
	return merge(all), nil
}

// merge puts layers on top of each other.
func merge(layers []*scanned) Inventory {
	above := newScanned()
	visible := map[string]finding{}
	for _, l := range slices.Backward(layers) {
		for name, f := range l.findings {
			if !above.hides(name) {
				visible[name] = f
			}
		}
		maps.Copy(above.files, l.files)
		maps.Copy(above.dirs, l.dirs)
		maps.Copy(above.removed, l.removed)
		maps.Copy(above.opaque, l.opaque)
	}
	return gather(visible)
}

// hides reports whether these layers hide a file of a lower one.
func (s *scanned) hides(name string) bool {
	if s.files[name] || s.dirs[name] || s.removed[name] {
		return true
	}
	for dir := path.Dir(name); ; dir = path.Dir(dir) {
		if dir == "." {
			return s.opaque[""]
		}
		if s.files[dir] || s.removed[dir] || s.opaque[dir] {
			return true
		}
	}
}

// gather brings findings into one list, each package once, in the order of kinds, names and versions.
func gather(findings map[string]finding) Inventory {
	var inventory Inventory
	paths := map[Package][]string{}
	for _, name := range slices.Sorted(maps.Keys(findings)) {
		f := findings[name]
		if f.distro.ID != "" && (inventory.Distro.ID == "" || strings.HasPrefix(name, "etc/")) {
			inventory.Distro = f.distro
		}
		if f.unread != "" && !slices.Contains(inventory.Unread, f.unread) {
			inventory.Unread = append(inventory.Unread, f.unread)
		}
		for _, p := range f.packages {
			if !slices.Contains(paths[p], name) {
				paths[p] = append(paths[p], name)
			}
		}
	}
	for p, where := range paths {
		inventory.Packages = append(inventory.Packages, Located{Package: p, Paths: where})
	}
	slices.SortFunc(inventory.Packages, func(a, b Located) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version),
			cmp.Compare(a.Architecture, b.Architecture), slices.Compare(a.Paths, b.Paths))
	})
	return inventory
}

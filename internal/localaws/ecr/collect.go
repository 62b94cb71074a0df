package ecr

import (
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/ecr/blob"
)

// collect removes the blobs that nothing needs. A layer that no image of its repository uses is kept if it was added
// after before: its manifest may still come. It must run before the backend serves: a blob that is being pushed is
// referenced by nothing.
func (b *Backend) collect(before time.Time) error {
	needed := map[string]bool{}  // digests of manifests, and of layers that a repository keeps
	inUse := map[string]bool{}   // keys of layers that an image of the repository uses
	var stale []string           // keys of layers that none uses
	layers := map[string]layer{} // by key
	err := b.repositories.Each("", func(_ string, r repository) error {
		at := r.place()
		err := b.images.Each(at.child(""), func(_ string, i image) error {
			needed[i.Digest] = true
			for _, digest := range i.Layers {
				inUse[at.child(digest)] = true
			}
			return nil
		})
		if err != nil {
			return err
		}
		return b.layers.Each(at.child(""), func(key string, l layer) error {
			layers[key] = l
			return nil
		})
	})
	if err != nil {
		return err
	}
	for key, l := range layers {
		if inUse[key] || l.Added.After(before) {
			needed[l.Digest] = true
		} else {
			stale = append(stale, key)
		}
	}
	return b.sweep(stale, needed)
}

func (b *Backend) sweep(stale []string, needed map[string]bool) error {
	for _, key := range stale {
		if err := b.layers.Delete(key); err != nil {
			return err
		}
	}
	return b.blobs.Each(func(d blob.Digest) error {
		if needed[string(d)] {
			return nil
		}
		b.log.Info("remove unreferenced blob", "digest", d)
		return b.blobs.Remove(d)
	})
}

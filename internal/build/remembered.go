package build

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// rememberedMax is how many images, and uploads, are remembered; the oldest are forgotten first.
const rememberedMax = 64

// remembered is a file that says what an image of a Docker Engine is packed to. It is a memory and no record: without it,
// the image is read and compressed again, to the same.
type remembered struct {
	Config   []byte `json:"config"`
	Manifest []byte `json:"manifest"`
}

func rememberedIn(dir, compression string) string {
	return filepath.Join(dir, "engine-images-"+compression)
}

func rememberedFile(dir string, id release.Digest, compression string) string {
	return filepath.Join(rememberedIn(dir, compression), strings.TrimPrefix(string(id), "sha256:")+".json")
}

// recall gives a remembered image, without its layers at hand.
func recall(dir string, id release.Digest, compression string) (*packedImage, error) {
	if dir == "" {
		return nil, fs.ErrNotExist
	}
	p, err := readRemembered(rememberedFile(dir, id, compression))
	if err != nil {
		return nil, err
	}
	if p.id != id {
		return nil, fmt.Errorf("what was remembered of %s is of %s", id, p.id)
	}
	return p, nil
}

func readRemembered(name string) (*packedImage, error) {
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var kept remembered
	if err := json.Unmarshal(raw, &kept); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var manifest ocispec.Manifest
	var config ocispec.Image
	if err := errors.Join(json.Unmarshal(kept.Manifest, &manifest), json.Unmarshal(kept.Config, &config)); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(manifest.Layers) != len(config.RootFS.DiffIDs) {
		return nil, fmt.Errorf("%s: %d layers for %d", name, len(manifest.Layers), len(config.RootFS.DiffIDs))
	}
	layers := map[digest.Digest]packedLayer{}
	for i, diff := range config.RootFS.DiffIDs {
		layers[diff] = packedLayer{diff: diff, descriptor: manifest.Layers[i]}
	}
	return newPackedImage(kept.Config, layers)
}

// remember keeps what the image is packed to.
func (p *packedImage) remember(dir, compression string) error {
	if dir == "" {
		return nil
	}
	raw, err := json.Marshal(remembered{p.config, p.manifest})
	if err != nil {
		return err
	}
	return keep(rememberedFile(dir, p.id, compression), raw)
}

// keep writes a file of a memory, of which a reader sees all or nothing.
func keep(name string, raw []byte) error {
	in := filepath.Dir(name)
	if err := os.MkdirAll(in, 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(in, "new-")
	if err != nil {
		return err
	}
	_, err = file.Write(raw)
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return forget(in)
}

// forget removes the oldest files beyond rememberedMax.
func forget(in string) error {
	files, err := byAge(in)
	if err != nil {
		return err
	}
	for _, name := range files[min(rememberedMax, len(files)):] {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// byAge lists the files of a directory, newest first.
func byAge(in string) ([]string, error) {
	entries, err := os.ReadDir(in)
	if err != nil {
		return nil, err
	}
	times := map[string]time.Time{}
	var names []string
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			continue // gone meanwhile
		}
		name := filepath.Join(in, entry.Name())
		names, times[name] = append(names, name), info.ModTime()
	}
	slices.SortFunc(names, func(a, b string) int { return times[b].Compare(times[a]) })
	return names, nil
}

// rememberedLayers are the layers of all remembered images, by the digests of their archives.
func rememberedLayers(dir, compression string) map[digest.Digest]packedLayer {
	layers := map[digest.Digest]packedLayer{}
	if dir == "" {
		return layers
	}
	files, err := byAge(rememberedIn(dir, compression))
	if err != nil {
		return layers // nothing is remembered
	}
	for _, name := range slices.Backward(files) { // the newest says it last
		p, err := readRemembered(name)
		if err != nil {
			continue // half a file of another version, say: it will be forgotten
		}
		for _, layer := range p.layers {
			layers[layer.diff] = layer
		}
	}
	return layers
}

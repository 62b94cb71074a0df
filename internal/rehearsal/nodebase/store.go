package nodebase

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"
)

// store is a directory of results, each named by a hash of what it was made from.
type store struct {
	dir  string
	log  io.Writer
	made int // results that were not there
}

// keep gives the path of a result (a file or a directory) and has it made when it is not there. A half-made one never has
// the final name.
func (s *store) keep(kind, inputs string, makeIt func(path string) error) (string, error) {
	sum := sha256.Sum256([]byte(inputs))
	final := filepath.Join(s.dir, kind+"-"+hex.EncodeToString(sum[:8]))
	if _, err := os.Stat(final); err == nil {
		return final, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("look for the base image: %w", err)
	}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return "", fmt.Errorf("keep the base image: %w", err)
	}
	work, err := os.MkdirTemp(s.dir, ".making-")
	if err != nil {
		return "", fmt.Errorf("keep the base image: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }() // it is in the cache: the worst that stays is a directory more
	begin, half := time.Now(), filepath.Join(work, kind)
	if err := makeIt(half); err != nil {
		return "", fmt.Errorf("make %s of the base image: %w", kind, err)
	}
	if err := os.Rename(half, final); err != nil {
		if _, there := os.Stat(final); there != nil { // nobody else made it meanwhile
			return "", fmt.Errorf("keep the base image: %w", err)
		}
	}
	s.made++
	fmt.Fprintf(s.log, "base image: %s made (%.1f s)\n", kind, time.Since(begin).Seconds())
	return final, nil
}

// entry is a file of a layer. A name that ends in / is a directory.
type entry struct {
	name    string // without a leading /
	content []byte
	link    string // target, of a symbolic link
	from    string // a file on this machine, or a directory that is taken with all that is in it
	uid     int
}

// layerTime is the time of all files: the same input gives the same bytes.
var layerTime = time.Unix(0, 0)

// writeLayer writes a gzipped tar. Everything belongs to root unless its entry says otherwise.
func writeLayer(file string, entries []entry) (err error) {
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	zip, err := gzip.NewWriterLevel(out, gzip.BestSpeed)
	if err != nil {
		return err
	}
	archive := tar.NewWriter(zip)
	for _, e := range entries {
		if err := e.write(archive); err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
	}
	return errors.Join(archive.Close(), zip.Close())
}

func (e entry) write(archive *tar.Writer) error {
	switch {
	case e.from != "":
		return e.copyTree(archive)
	case e.link != "":
		return archive.WriteHeader(&tar.Header{Name: e.name, Typeflag: tar.TypeSymlink, Linkname: e.link, Mode: 0o777, ModTime: layerTime})
	case e.name[len(e.name)-1] == '/':
		return archive.WriteHeader(&tar.Header{Name: e.name, Typeflag: tar.TypeDir, Mode: 0o755, ModTime: layerTime, Uid: e.uid, Gid: e.uid})
	}
	if err := archive.WriteHeader(&tar.Header{Name: e.name, Size: int64(len(e.content)), Mode: 0o644, ModTime: layerTime}); err != nil {
		return err
	}
	_, err := archive.Write(e.content)
	return err
}

func (e entry) copyTree(archive *tar.Writer) error {
	return filepath.WalkDir(e.from, func(source string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(e.from, source)
		if err != nil {
			return err
		}
		return copyFile(archive, source, path.Join(e.name, filepath.ToSlash(relative)), d)
	})
}

func copyFile(archive *tar.Writer, source, name string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	var link string
	if info.Mode()&fs.ModeSymlink != 0 {
		if link, err = os.Readlink(source); err != nil {
			return err
		}
	}
	mode := int64(0o644)
	if d.IsDir() || info.Mode()&0o111 != 0 {
		mode = 0o755
	}
	header := &tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: mode, ModTime: layerTime, Linkname: link}
	switch {
	case link != "":
		header.Typeflag, header.Mode = tar.TypeSymlink, 0o777
	case d.IsDir():
		header.Typeflag, header.Name = tar.TypeDir, name+"/"
	default:
		header.Size = info.Size()
	}
	if err := archive.WriteHeader(header); err != nil || header.Typeflag != tar.TypeReg {
		return err
	}
	file, err := os.Open(source)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(archive, file)
	return err
}

package docker

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
)

// archived is one file of an archive: its contents, or the file of this machine that has them.
type archived struct {
	name     string
	contents []byte
	file     string // when contents is nil
	mode     int64
	dir      bool
}

// archive streams files as a tar archive, which Docker takes for images and for files of containers. The reader gives the
// first error; whoever does not read it to its end must close it.
func archive(files ...archived) io.ReadCloser {
	r, w := io.Pipe()
	go func() { w.CloseWithError(writeArchive(w, files)) }()
	return r
}

func writeArchive(to io.Writer, files []archived) error {
	w := tar.NewWriter(to)
	for _, f := range files {
		if err := writeArchived(w, f); err != nil {
			return fmt.Errorf("pack %s: %w", f.name, err)
		}
	}
	return w.Close()
}

func writeArchived(w *tar.Writer, f archived) error {
	header := &tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.contents))}
	if f.dir {
		header.Typeflag = tar.TypeDir
	}
	if f.file == "" {
		if err := w.WriteHeader(header); err != nil {
			return err
		}
		_, err := w.Write(f.contents)
		return err
	}
	source, err := os.Open(f.file)
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }()
	info, err := source.Stat()
	if err != nil {
		return err
	}
	header.Size = info.Size()
	if err := w.WriteHeader(header); err != nil {
		return err
	}
	_, err = io.Copy(w, source)
	return err
}

// identify names what is in files, of this machine by their size and time, in 12 hexadecimal digits.
func identify(files []archived) (string, error) {
	sum := sha256.New()
	for _, f := range files {
		fmt.Fprintf(sum, "%s %o %d ", f.name, f.mode, len(f.contents))
		_, _ = sum.Write(f.contents) // never fails
		if f.file == "" {
			continue
		}
		info, err := os.Stat(f.file)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(sum, "%d %d ", info.Size(), info.ModTime().UnixNano())
	}
	return hex.EncodeToString(sum.Sum(nil)[:6]), nil
}

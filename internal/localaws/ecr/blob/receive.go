package blob

import (
	"errors"
	"io"
	"os"
	"sync"
)

const (
	// pieceSize is what is read, written and hashed at once, in bytes: small enough to stay in a processor's cache.
	pieceSize = 256 << 10
	// piecesAhead of the one that is hashed may have been received.
	piecesAhead = 4
	// flushSize is after how many bytes the disk is told to begin with them, so that the sync at the end has little left
	// to wait for.
	flushSize = 8 << 20
)

// pieces are the buffers of uploads.
var pieces = sync.Pool{New: func() any { return new([pieceSize]byte) }}

// piece is a buffer with n bytes in use.
type piece struct {
	buffer *[pieceSize]byte
	n      int
}

func (p piece) bytes() []byte { return p.buffer[:p.n] }

// receive fills a piece from r. The error is r's own; a piece that is not full always comes with one.
func receive(r io.Reader) (piece, error) {
	p := piece{buffer: pieces.Get().(*[pieceSize]byte)}
	for p.n < pieceSize {
		n, err := r.Read(p.buffer[p.n:])
		p.n += n
		if err != nil {
			return p, err
		}
	}
	return p, nil
}

// write appends what r gives to the upload's file and hash.
func (u *upload) write(r io.Reader) (readErr, writeErr error) {
	f, err := os.OpenFile(u.path, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	p, readErr := receive(r)
	if readErr != nil { // most blobs are small
		writeErr = u.keep(f, p)
		u.sum.Write(p.bytes())
		pieces.Put(p.buffer)
	} else {
		readErr, writeErr = u.stream(f, p, r)
	}
	if closeErr := f.Close(); writeErr == nil {
		writeErr = closeErr
	}
	if errors.Is(readErr, io.EOF) {
		readErr = nil
	}
	return readErr, writeErr
}

// keep writes a piece to the end of the file.
func (u *upload) keep(f *os.File, p piece) error {
	n, err := f.Write(p.bytes())
	u.size += int64(n)
	return err
}

// stream is write for more than one piece: the next is received while the last is hashed, which takes as long.
func (u *upload) stream(f *os.File, p piece, r io.Reader) (readErr, writeErr error) {
	hashing, hashed := make(chan piece, piecesAhead), make(chan struct{})
	go func() {
		defer close(hashed)
		for p := range hashing {
			u.sum.Write(p.bytes())
			pieces.Put(p.buffer)
		}
	}()
	flushed := u.size
	for {
		if writeErr = u.keep(f, p); writeErr != nil {
			break
		}
		hashing <- p
		if u.size-flushed >= flushSize {
			startFlush(f, flushed, u.size-flushed)
			flushed = u.size
		}
		if readErr != nil {
			break
		}
		p, readErr = receive(r)
	}
	close(hashing)
	<-hashed
	return readErr, writeErr
}

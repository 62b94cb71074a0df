package blob

import (
	"errors"
	"io"
	"os"
	"sync"
)

const (
	// pieceSize is what is read, written and hashed at once, in bytes: small enough to stay in a processor's own cache.
	pieceSize = 64 << 10
	// flushSize is after how many bytes the disk is told to begin with them, so that the sync at the end has little left
	// to wait for.
	flushSize = 8 << 20
)

// pieces are the buffers of uploads.
var pieces = sync.Pool{New: func() any { return new([pieceSize]byte) }}

// write appends what r gives to the upload's file and hash, piece by piece in one thread: handing pieces to another one costs
// more than it saves where the processors are busy with the client and the disk.
func (u *upload) write(r io.Reader) (readErr, writeErr error) {
	f, err := os.OpenFile(u.path, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	buffer := pieces.Get().(*[pieceSize]byte)
	defer pieces.Put(buffer)
	flushed := u.size
	for readErr == nil && writeErr == nil {
		var n int
		n, readErr = r.Read(buffer[:])
		if _, writeErr = f.Write(buffer[:n]); writeErr != nil {
			break
		}
		u.sum.Write(buffer[:n])
		u.size += int64(n)
		if u.size-flushed >= flushSize {
			startFlush(f, flushed, u.size-flushed)
			flushed = u.size
		}
	}
	if closeErr := f.Close(); writeErr == nil {
		writeErr = closeErr
	}
	if errors.Is(readErr, io.EOF) {
		readErr = nil
	}
	return readErr, writeErr
}

package ecr

import (
	"io"
	"net/http"
)

// copyBuffer is the piece of a blob, in bytes, that is copied at once.
const copyBuffer = 256 << 10

// copying is a response that copies a file instead of having the kernel send it (sendfile). The kernel's way spares the
// server the work and leaves it to the client, whose read then comes from memory that no processor has at hand: on one
// machine the client is what a pull waits for.
type copying struct{ http.ResponseWriter }

// ReadFrom implements io.ReaderFrom.
func (c copying) ReadFrom(r io.Reader) (int64, error) {
	return io.CopyBuffer(struct{ io.Writer }{c.ResponseWriter}, struct{ io.Reader }{r}, make([]byte, copyBuffer))
}

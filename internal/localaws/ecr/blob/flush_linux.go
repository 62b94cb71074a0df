package blob

import (
	"os"

	"golang.org/x/sys/unix"
)

// startFlush tells the disk to begin with a part of a file and waits for nothing. A file system that cannot writes all of
// it at the sync: nothing depends on this.
func startFlush(f *os.File, offset, length int64) {
	_ = unix.SyncFileRange(int(f.Fd()), offset, length, unix.SYNC_FILE_RANGE_WRITE)
}

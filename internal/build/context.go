package build

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/tonistiigi/fsutil"
	fstypes "github.com/tonistiigi/fsutil/types"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// contextMount is what the frontend calls the build context.
const contextMount = "context"

// sources gives what the frontend reads over the session: the context, and the directory of the Dockerfile, which need
// not lie inside it. The frontend itself honours .dockerignore, so that ignored files are never sent.
func sources(req release.BuildRequest) (map[string]fsutil.FS, error) {
	if err := checkSources(req); err != nil {
		return nil, err
	}
	if err := checkInputs(req); err != nil {
		return nil, err
	}
	files, err := directory(req.ContextDir, req.Epoch)
	if err != nil {
		return nil, fmt.Errorf("build context: %w", err)
	}
	dockerfile, err := directory(filepath.Dir(req.Dockerfile), req.Epoch)
	if err != nil {
		return nil, fmt.Errorf("directory of the Dockerfile: %w", err)
	}
	return map[string]fsutil.FS{contextMount: files, "dockerfile": dockerfile}, nil
}

func checkSources(req release.BuildRequest) error {
	info, err := os.Stat(req.ContextDir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("the build context %s does not exist: set image.context to the directory that the Dockerfile copies from", req.ContextDir)
	case err != nil:
		return fmt.Errorf("build context: %w", err)
	case !info.IsDir():
		return fmt.Errorf("the build context %s is not a directory: set image.context to the directory that the Dockerfile copies from", req.ContextDir)
	}
	info, err = os.Stat(req.Dockerfile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no Dockerfile at %s: write one, or set image.dockerfile to where it is", req.Dockerfile)
	case err != nil:
		return fmt.Errorf("dockerfile: %w", err)
	case info.IsDir():
		return fmt.Errorf("the Dockerfile %s is a directory: set image.dockerfile to the file in it", req.Dockerfile)
	}
	return nil
}

// directory serves a directory with the modification times that a reproducible image needs.
func directory(dir string, epoch time.Time) (fsutil.FS, error) {
	files, err := fsutil.NewFS(dir)
	if err != nil {
		return nil, err
	}
	return fsutil.NewFilterFS(files, &fsutil.FilterOpt{Map: func(_ string, stat *fstypes.Stat) fsutil.MapResult {
		stat.ModTime = pinnedTime(stat.ModTime, epoch)
		return fsutil.MapResultKeep
	}})
}

// pinnedTime replaces a file's modification time (nanoseconds since 1970) by one within the second of the epoch. An
// image's layers keep whole seconds only, so a file has the same time in the image whenever it was checked out. The
// exporter alone would not do: it lowers times that are later than the epoch and leaves earlier ones.
// The fraction of the second stands for the file's own time: BuildKit compares sizes and times to tell which files
// changed since the last build, and would miss an edit that keeps the size.
func pinnedTime(modified int64, epoch time.Time) int64 {
	if epoch.IsZero() {
		return modified
	}
	sum := fnv.New64a()
	for i := range 8 {
		_, _ = sum.Write([]byte{byte(modified >> (8 * i))}) // a hash's Write never fails
	}
	return epoch.Unix()*int64(time.Second) + int64(sum.Sum64()%uint64(time.Second))
}

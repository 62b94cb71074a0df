package build

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/moby/buildkit/session/filesync"
	"github.com/tonistiigi/fsutil"
	fstypes "github.com/tonistiigi/fsutil/types"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// What a build context may have before the user is warned: more is usually a .dockerignore that is missing.
const (
	heavyBytes = 500 << 20
	heavyFiles = 50_000
	// heaviest is how many of the largest entries are named.
	heaviest = 3
)

// weight sums up what the daemon gets to see of the build context, while BuildKit's client walks it: .dockerignore and
// what the Dockerfile copies have been taken into account by then, and nothing is walked twice. A walk takes much less
// time than sending what it finds.
type weight struct {
	emit release.Emit

	mu    sync.Mutex
	bytes int64
	files int
	tops  map[string]int64 // bytes by the first part of the path
	told  bool
}

func newWeight(emit release.Emit) *weight { return &weight{emit: emit, tops: map[string]int64{}} }

// filter counts what passes all filters of a request for the context.
func (w *weight) filter() filesync.FilterOptFunc {
	return func(name string, opt *fsutil.FilterOpt) error {
		if name == contextMount {
			opt.Map = w.count
		}
		return nil
	}
}

func (w *weight) count(path string, stat *fstypes.Stat) fsutil.MapResult {
	if fs.FileMode(stat.Mode).IsRegular() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.bytes += stat.Size
		w.files++
		top, _, _ := strings.Cut(path, "/")
		w.tops[top] += stat.Size
	}
	return fsutil.MapResultKeep
}

// walked is what the end of a walk calls: it warns once, and begins anew.
func (w *weight) walked() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.told && (w.bytes > heavyBytes || w.files > heavyFiles) {
		w.told = true
		w.emit(release.Notice{Level: "warning", Text: fmt.Sprintf("the build context is large: the builder is sent %s in %d files, as far as it lacks them; the most is in %s\n  name in .dockerignore what the Dockerfile does not need",
			megabytes(w.bytes), w.files, strings.Join(w.largest(), ", "))})
	}
	w.bytes, w.files, w.tops = 0, 0, map[string]int64{}
}

func (w *weight) largest() []string {
	var names []string
	for name := range w.tops {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(w.tops[b], w.tops[a]), cmp.Compare(a, b)) })
	names = names[:min(heaviest, len(names))]
	for i, name := range names {
		names[i] = name + " (" + megabytes(w.tops[name]) + ")"
	}
	return names
}

func megabytes(n int64) string { return fmt.Sprintf("%d MB", (n+999_999)/1_000_000) }

// weighed tells the weight when a walk over its files ends.
type weighed struct {
	fsutil.FS
	weight *weight
}

// Walk implements fsutil.FS.
func (w weighed) Walk(ctx context.Context, target string, fn fs.WalkDirFunc) error {
	err := w.FS.Walk(ctx, target, fn)
	w.weight.walked()
	return err
}

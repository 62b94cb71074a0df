package localaws

import (
	"regexp"
	"slices"
	"sync"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/store"
)

// signedRegion finds the region in a Signature Version 4 header: Credential=KEY/DATE/REGION/SERVICE/aws4_request.
var signedRegion = regexp.MustCompile(`Credential=[^/,]+/[0-9]{8}/([a-z]{2,4}(?:-[a-z]+)+-[0-9])/`)

// maxRegions is far more than AWS has.
const maxRegions = 100

// regions remembers which regions were asked for, because every region has a state of its own and a person wants to see
// all of it.
type regions struct {
	table *store.Table[bool]
	mu    sync.RWMutex
	known map[string]bool
}

func openRegions(s *store.Store) (*regions, error) {
	table, err := store.NewTable[bool](s, "local.regions")
	if err != nil {
		return nil, err
	}
	r := &regions{table: table, known: map[string]bool{Region: true}}
	err = table.Each("", func(name string, _ bool) error {
		r.known[name] = true
		return nil
	})
	return r, err
}

// note remembers the region of a request. One that cannot be written is remembered until the server ends.
func (r *regions) note(authorization string) {
	match := signedRegion.FindStringSubmatch(authorization)
	if match == nil {
		return
	}
	name := match[1]
	r.mu.RLock()
	known := r.known[name] || len(r.known) >= maxRegions
	r.mu.RUnlock()
	if known {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known[name] = true
	_ = r.table.Put(name, true)
}

func (r *regions) all() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	names := make([]string, 0, len(r.known))
	for name := range r.known {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

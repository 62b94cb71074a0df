package databases_test

import (
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal/databases"
)

// TestDatabases starts both, stops PostgreSQL and starts it again: the data is still there. At the end nothing is left.
func TestDatabases(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("starting servers as other users needs root")
	}
	dir := t.TempDir()
	// The test's directories are for root alone; the servers' users must get through.
	for at := dir; at != os.TempDir(); at = filepath.Dir(at) {
		if err := os.Chmod(at, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	d, err := databases.Start(t.Context(), dir, netip.MustParseAddr("127.0.0.2"))
	if err != nil {
		t.Fatal(err)
	}
	query := func(sql string) string {
		t.Helper()
		out, err := d.Query(t.Context(), sql)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	query("create table kept (n int)")
	query("insert into kept values (7)")
	if err := d.StopPostgres(); err != nil {
		t.Fatal(err)
	}
	if out, err := d.Query(t.Context(), "select 1"); err == nil {
		t.Errorf("a stopped PostgreSQL answers %q", out)
	}
	if err := d.StartPostgres(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := query("select n from kept"); got != "7" {
		t.Errorf("the table has %q", got)
	}
	for _, link := range []string{d.PostgresURL(), d.RedisURL()} {
		parsed, err := url.Parse(link)
		if err != nil || parsed.Hostname() != "host.docker.internal" {
			t.Errorf("%s: %v", link, err)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	if out, err := exec.Command("ps", "-eo", "args").Output(); err != nil || strings.Contains(string(out), dir) {
		t.Errorf("something runs on (%v):\n%s", err, out)
	}
}

package databases

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// bootLimit is how long a server may take until it answers, on a machine that is busy with other things.
const bootLimit = 2 * time.Minute

// Databases are the two servers, running.
type Databases struct {
	postgres, redis *server
	password        string
	dir             string
}

// Start starts both below a new directory in dir. address is this machine's as the tasks know it. Close them.
func Start(ctx context.Context, dir string, address netip.Addr) (*Databases, error) {
	home, err := os.MkdirTemp(dir, "db-")
	if err != nil {
		return nil, fmt.Errorf("start the databases: %w", err)
	}
	if err := os.Chmod(home, 0o755); err != nil { // their users look into it
		return nil, fmt.Errorf("start the databases: %w", err)
	}
	d := &Databases{dir: home, password: rand.Text()}
	if err := errors.Join(d.startPostgres(ctx, address), d.startRedis(ctx, address)); err != nil {
		return nil, errors.Join(fmt.Errorf("start the databases: %w", err), d.Close())
	}
	return d, nil
}

// host is how tasks name this machine; see docs/local-aws.md.
const host = "host.docker.internal"

// PostgresURL is what tasks connect to.
func (d *Databases) PostgresURL() string {
	// Medusa asks for TLS outside of development, unless it is told not to.
	return d.link("postgres", "medusa", d.postgres.port, "medusa", "sslmode=disable")
}

// RedisURL is what tasks connect to.
func (d *Databases) RedisURL() string { return d.link("redis", "default", d.redis.port, "", "") }

func (d *Databases) link(scheme, name string, port int, path, query string) string {
	u := url.URL{Scheme: scheme, User: url.UserPassword(name, d.password), Host: net.JoinHostPort(host, strconv.Itoa(port)), Path: path, RawQuery: query}
	return u.String()
}

// Query runs SQL and gives its rows, columns separated by |.
func (d *Databases) Query(ctx context.Context, sql string) (string, error) {
	command := exec.CommandContext(ctx, "psql", "--no-psqlrc", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1",
		"--host=127.0.0.1", "--port="+strconv.Itoa(d.postgres.port), "--username=medusa", "--dbname=medusa", "--command="+sql)
	command.Env = append(os.Environ(), "PGPASSWORD="+d.password)
	out, err := command.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("psql: %w: %s", err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// StopPostgres ends PostgreSQL and leaves its data, as when a database is down.
func (d *Databases) StopPostgres() error { return d.postgres.stop() }

// StartPostgres starts it again, on the same data and port.
func (d *Databases) StartPostgres(ctx context.Context) error {
	return d.postgres.start(ctx)
}

// Close ends both and removes their data.
func (d *Databases) Close() error {
	var failed []error
	for _, s := range []*server{d.postgres, d.redis} {
		if s != nil {
			failed = append(failed, s.stop())
		}
	}
	return errors.Join(append(failed, os.RemoveAll(d.dir))...)
}

func (d *Databases) startPostgres(ctx context.Context, address netip.Addr) error {
	bin, err := postgresBin()
	if err != nil {
		return err
	}
	s, err := newServer("postgres", filepath.Join(d.dir, "postgres"), address)
	if err != nil {
		return err
	}
	d.postgres = s
	secret := filepath.Join(s.dir, "password")
	if err := s.write("password", d.password+"\n"); err != nil {
		return err
	}
	data := filepath.Join(s.dir, "data")
	initdb := s.command(ctx, filepath.Join(bin, "initdb"), "--pgdata="+data, "--username=medusa", "--auth=scram-sha-256", "--pwfile="+secret, "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	if err := errors.Join(os.Remove(secret), s.write("data/pg_hba.conf", "host all all all scram-sha-256\n")); err != nil {
		return err
	}
	s.args = []string{
		filepath.Join(bin, "postgres"), "-D", data, "-p", strconv.Itoa(s.port), "-c", "listen_addresses=" + strings.Join(s.addresses, ","),
		"-c", "unix_socket_directories=", "-c", "fsync=off", // the data goes when the rehearsal ends
	}
	s.signal = os.Interrupt // PostgreSQL's fast shutdown: it does not wait for clients to go
	s.answers = func(ctx context.Context) error {
		command := exec.CommandContext(ctx, "psql", "--no-psqlrc", "--host=127.0.0.1", "--port="+strconv.Itoa(s.port), "--username=medusa", "--dbname=postgres", "--command=select 1")
		command.Env = append(os.Environ(), "PGPASSWORD="+d.password)
		out, err := command.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}
	if err := s.start(ctx); err != nil {
		return err
	}
	create := exec.CommandContext(ctx, "psql", "--no-psqlrc", "--host=127.0.0.1", "--port="+strconv.Itoa(s.port), "--username=medusa", "--dbname=postgres", "--command=create database medusa")
	create.Env = append(os.Environ(), "PGPASSWORD="+d.password)
	if out, err := create.CombinedOutput(); err != nil {
		return fmt.Errorf("create the database: %w: %s", err, out)
	}
	return nil
}

// postgresBin finds the newest of Debian's versions.
func postgresBin() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(found) == 0 {
		return "", errors.New("there is no PostgreSQL on this machine\n  install it: apt-get install postgresql")
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(strings.Split(path, "/")[4]) // a directory that is no version comes first
		return n
	}
	return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })), nil
}

func (d *Databases) startRedis(ctx context.Context, address netip.Addr) error {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return fmt.Errorf("there is no Redis on this machine: %w\n  install it: apt-get install redis-server", err)
	}
	s, err := newServer("redis", filepath.Join(d.dir, "redis"), address)
	if err != nil {
		return err
	}
	d.redis = s
	// The password is not on the command line, where every user of the machine could read it.
	config := fmt.Sprintf("bind %s\nport %d\nrequirepass %s\ndir %s\nsave \"\"\nappendonly no\nmaxmemory-policy noeviction\n", strings.Join(s.addresses, " "), s.port, d.password, s.dir)
	if err := s.write("redis.conf", config); err != nil {
		return err
	}
	s.args = []string{program, filepath.Join(s.dir, "redis.conf")}
	s.signal = os.Interrupt
	s.answers = func(ctx context.Context) error { return ping(ctx, s.port, d.password) }
	return s.start(ctx)
}

// ping speaks Redis's inline protocol.
func ping(ctx context.Context, port int, password string) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintf(conn, "AUTH %s\r\nPING\r\nQUIT\r\n", password); err != nil {
		return err
	}
	var answer strings.Builder
	for buffer := make([]byte, 256); ; {
		n, err := conn.Read(buffer)
		answer.Write(buffer[:n])
		if strings.Contains(answer.String(), "+PONG") {
			return nil
		}
		if err != nil {
			return fmt.Errorf("redis answered %q: %w", answer.String(), err)
		}
	}
}

// identity is an unprivileged user of the machine.
func identity(name string) (uid, gid int, err error) {
	found, err := user.Lookup(name)
	if err != nil {
		return 0, 0, fmt.Errorf("%w: Debian's package makes it", err)
	}
	uid, err = strconv.Atoi(found.Uid)
	if err != nil {
		return 0, 0, err
	}
	gid, err = strconv.Atoi(found.Gid)
	return uid, gid, err
}

// Command hello is a small web app to be deployed: it greets, says which commit it was built from, and is able to fail in the
// ways in which real apps do.
//
// Environment:
//
//	PORT         port to listen on (9000)
//	COMMIT       the commit that the image was built from; the Dockerfile sets it
//	CRASH        exit with this code at once
//	CRASH_AFTER  exit after this long ("5s"), with the code of CRASH or 1
//	UNHEALTHY    1: /health answers 503
//	EAT_MEMORY   hold this many MiB
//
// With -migrate it stands for a database migration instead: it takes MIGRATE_FOR ("2s") and exits with MIGRATE_EXIT.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

// greeting is the line to change to see a deploy do something.
const greeting = "Hello from medusa-deploy"

// drainTimeout is what requests in flight get when the task is stopped. It must be below the container's stopTimeout.
const drainTimeout = 8 * time.Second

func main() {
	check := flag.Bool("check", false, "ask the app in this container whether it is healthy, and exit with 0 or 1")
	migrate := flag.Bool("migrate", false, "stand for a database migration, and exit")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if *check {
		if err := checkHealth(ctx, "http://127.0.0.1:"+port(os.Getenv)+"/health"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if *migrate {
		os.Exit(runMigration(ctx, os.Getenv, os.Stdout))
	}
	os.Exit(run(ctx, os.Getenv, os.Stdout))
}

// run serves until ctx ends and gives the exit code.
func run(ctx context.Context, env func(string) string, out io.Writer) int {
	faults, err := readFaults(env)
	if err != nil {
		fmt.Fprintln(out, "hello:", err)
		return 2
	}
	if faults.crash && faults.crashAfter == 0 {
		fmt.Fprintf(out, "hello: CRASH is set, exiting with %d\n", faults.code)
		return faults.code
	}
	defer runtime.KeepAlive(faults.eat())
	listener, err := net.Listen("tcp", ":"+port(env))
	if err != nil {
		fmt.Fprintln(out, "hello:", err)
		return 1
	}
	fmt.Fprintf(out, "hello: commit %s is listening on %s\n", env("COMMIT"), listener.Addr())
	return serve(ctx, listener, newHandler(env("COMMIT"), faults), faults, out)
}

// serve answers requests until ctx ends, and then finishes those in flight.
func serve(ctx context.Context, listener net.Listener, handler http.Handler, faults faults, out io.Writer) int {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		fmt.Fprintln(out, "hello:", err)
		return 1
	case <-faults.timer():
		fmt.Fprintf(out, "hello: CRASH_AFTER %s is over, exiting with %d\n", faults.crashAfter, faults.code)
		return faults.code
	case <-ctx.Done():
	}
	fmt.Fprintln(out, "hello: stopping, requests in flight are finished first")
	drain, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	if err := server.Shutdown(drain); err != nil {
		fmt.Fprintln(out, "hello: requests were cut off:", err)
		return 1
	}
	fmt.Fprintln(out, "hello: stopped")
	return 0
}

func port(env func(string) string) string {
	if p := env("PORT"); p != "" {
		return p
	}
	return "9000"
}

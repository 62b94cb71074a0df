package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"
)

// runMigration stands for a database migration and gives its exit code.
func runMigration(ctx context.Context, env func(string) string, out io.Writer) int {
	takes, code := time.Duration(0), 0
	var err error
	if v := env("MIGRATE_FOR"); v != "" {
		takes, err = time.ParseDuration(v)
	}
	if v := env("MIGRATE_EXIT"); err == nil && v != "" {
		code, err = strconv.Atoi(v)
	}
	if err != nil {
		fmt.Fprintln(out, "hello:", err)
		return 2
	}
	fmt.Fprintf(out, "hello: migrating to commit %s\n", env("COMMIT"))
	timer := time.NewTimer(takes)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		fmt.Fprintln(out, "hello: the migration was stopped")
		return 1
	}
	if code != 0 {
		fmt.Fprintf(out, "hello: MIGRATE_EXIT is set, exiting with %d\n", code)
		return code
	}
	fmt.Fprintln(out, "hello: migrated")
	return 0
}

package main

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

// faults are the ways in which the app was told to fail.
type faults struct {
	crash      bool
	code       int // to exit with
	crashAfter time.Duration
	unhealthy  bool
	mebibytes  int
}

func readFaults(env func(string) string) (faults, error) {
	f := faults{code: 1, unhealthy: env("UNHEALTHY") == "1"}
	var err error
	if s := env("CRASH"); s != "" {
		f.crash = true
		if f.code, err = strconv.Atoi(s); err != nil || f.code < 0 || f.code > 255 {
			return f, fmt.Errorf("CRASH is %q, expected an exit code from 0 to 255", s)
		}
	}
	if s := env("CRASH_AFTER"); s != "" {
		if f.crashAfter, err = time.ParseDuration(s); err != nil || f.crashAfter <= 0 {
			return f, fmt.Errorf("CRASH_AFTER is %q, expected a duration such as 5s", s)
		}
	}
	if s := env("EAT_MEMORY"); s != "" {
		if f.mebibytes, err = strconv.Atoi(s); err != nil || f.mebibytes < 0 || f.mebibytes > 1<<20 {
			return f, fmt.Errorf("EAT_MEMORY is %q, expected a number of MiB", s)
		}
	}
	return f, nil
}

// timer fires when it is time to crash; never, when it is not.
func (f faults) timer() <-chan time.Time {
	if f.crashAfter == 0 {
		return nil
	}
	return time.After(f.crashAfter)
}

// eat takes memory and touches every page of it, so that it counts against the container's limit. The caller keeps it.
func (f faults) eat() []byte {
	held := make([]byte, f.mebibytes<<20)
	for i := 0; i < len(held); i += os.Getpagesize() {
		held[i] = 1
	}
	return held
}

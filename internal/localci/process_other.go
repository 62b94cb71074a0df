//go:build !linux

package localci

import (
	"os"
	"syscall"
)

const trackingVariable = "RUNNER_TRACKING_ID"

func apart() *syscall.SysProcAttr { return nil }

// tracked finds nothing here: act alone is asked to end, and ends the first process of each step.
func tracked(string) []int { return nil }

func signalTracked([]int, string, os.Signal) {}

func carries(int, string) bool { return false }

func interruptTracked([]int, string) {}

func dependent() *syscall.SysProcAttr { return nil }

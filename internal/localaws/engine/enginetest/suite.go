// Package enginetest is what every engine that runs real containers must do, as tests: an engine's own tests call Run with
// a way to open it. It also gives them images, a registry and a stage.
//
// It knows engines by their interface alone.
package enginetest

import (
	"slices"
	"testing"
)

// Opener opens an engine for one test, in a place of its own, and has it shut down at the test's end.
type Opener func(*testing.T) *Stage

// Run holds an engine to the contract of engine.Engine: in all tests, or in those that are named.
func Run(t *testing.T, open Opener, only ...string) {
	for _, one := range []struct {
		name string
		test func(*testing.T, Opener)
	}{
		{"Serve", testServe},
		{"Containers", testContainers},
		{"StartFails", testStartFails},
		{"Idempotence", testIdempotence},
		{"ManyAtOnce", testManyAtOnce},
		{"Interrupted", testInterrupted},
		{"Exec", testExec},
		{"Logs", testLogs},
		{"LastWords", testLastWords},
		{"Pull", testPull},
		{"PullWithPassword", testPullWithPassword},
		{"Adopt", testAdopt},
		{"InitProcess", testInitProcess},
		{"SecretEnv", testSecretEnv},
		{"SecretEnvOfAContainerThatCannotStart", testSecretEnvOfAContainerThatCannotStart},
		{"Build", testBuild},
		{"WayOfATask", testWayOfATask},
	} {
		if len(only) > 0 && !slices.Contains(only, one.name) {
			continue
		}
		t.Run(one.name, func(t *testing.T) { one.test(t, open) })
	}
}

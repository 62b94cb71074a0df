// Package rehearsal drives the real program as a user would: it makes a git repository from an example, starts a local
// AWS of its own (own state directory, own port), ships to it, puts load on it, and looks for what is left behind.
// The demonstration, the benchmarks, the proofs that take minutes and the end-to-end tests stand on it.
//
// It knows the program by its command line and its output alone, and local AWS by AWS's own APIs. It must not import the
// packages behind them (the words of package release excepted, which are the program's output).
package rehearsal

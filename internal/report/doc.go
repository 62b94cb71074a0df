// Package report renders the event stream of a release: one face each for a terminal, for pipes and CI logs, for GitHub
// Actions and for programs. Every face shows the same events; progress goes to the error stream and the result to the
// output stream.
//
// It knows events and writers. It must not decide anything about a release, nor look at the world: whether a stream is a
// terminal is told to it.
package report

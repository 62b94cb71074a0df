// Package e2e holds the end-to-end tests: the real program, real builds, real containers, the unmodified AWS CLI, on a
// local AWS of each test's own. They know the program by its command line and output alone.
package e2e

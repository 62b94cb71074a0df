// Package scaffold makes the files that a first deploy needs: it looks at an app's directory, and writes the config, the
// ECS definitions and, for a Medusa app that has none, a Dockerfile and a .dockerignore.
//
// It gives contents and compares them with what is there; what exists is replaced only when the caller says so. The same
// options always give the same bytes. It must not know git, GitHub, AWS or the command line.
package scaffold

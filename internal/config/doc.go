// Package config reads medusa-deploy.yaml into a Config: plain data with defaults filled in and paths resolved.
//
// It owns the file's keys, their rules and the positions of everything that is wrong: all problems are reported at
// once, each with file, line, column and what was expected. It must not know the release pipeline, AWS, or the command
// line: the cli maps a Config to theirs.
package config

// Package medusa reads what a directory says of the Medusa 2 app in it: its package.json, its medusa-config, and the
// commands of its scripts.
//
// medusa-config is a program, and what it gives depends on the environment. So it is not searched for words but run, by an
// interpreter that has no files, no network, no clock and little time: once for each environment that matters. Where the
// outcome hangs on something that the interpreter does not have, the package says so rather than guess.
//
// It must not know ECS or findings: package check judges.
package medusa

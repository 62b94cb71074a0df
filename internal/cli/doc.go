// Package cli is the command line: one file a command. A command reads flags, makes one call into the packages that do
// the work, and renders what comes back through a face. It wires the parts together, and so may import all of them;
// nothing may import it but main. It must not decide anything about a release.
package cli

// Package action holds the tests of the program's own GitHub action: action.yml at the repository's root and the two
// scripts beside it, which find a verified binary and run it. The action is no Go code, and so this package has none.
package action

// Package git reads facts about a commit from a work tree, by running the real git (never a shell).
//
// It only reads. It knows repositories, commits and remotes; it must not know images, AWS, or how a commit is shown.
package git

// Package examples holds no code: its tests keep the examples, which are modules of their own, working when they are
// copied out of this repository.
package examples

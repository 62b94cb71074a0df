// Package architecture holds the house's rules as tests: which package may import which, and that each says what it is
// for. It has no code of its own and imports nothing of the house.
package architecture

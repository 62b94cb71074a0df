// Package databases runs a PostgreSQL and a Redis for one rehearsal: Debian's programs, on free ports, with data
// directories and passwords of their own, as the unprivileged users that Debian made for them. They listen on loopback and
// on the address by which the tasks of one local AWS know this machine, and nowhere else.
package databases

// Package nodebase makes a stand-in for the official Node image (node:22-bookworm-slim) on machines that can reach no
// image registry: Debian's packages and Node's from npm, in the places where the official image has them.
//
// It is for rehearsals on this machine alone. Its last layer holds what a RUN needs to reach the npm registry as this
// machine does (registry address, proxy, certificates; never a token), so nothing that is built on it may leave the
// machine. The result is kept below the user's cache directory, by a hash of all that went into it.
package nodebase

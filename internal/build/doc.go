// Package build is the release.Builder on BuildKit: it turns a build context into an image whose manifest digest is
// known before anything is pushed, and sends that image to a registry.
//
// It owns everything that is BuildKit's: the solve request, the session that serves files and credentials, the
// translation of BuildKit's progress into events and of its failures into errors with a place and a cure; the ways to a
// daemon (an address, or a connection that docker buildx makes); and what a Docker Engine needs beside BuildKit: to be
// loaded, asked what it has, and read where it has no manifests. It is the only package that imports BuildKit's client. It
// must not know who runs the daemon, what ECR or ECS are, or how events are shown. It reads no Docker configuration, so
// that credentials exist in memory alone, and writes no file but temporary layers and, where it is told to, what they
// compress to.
package build

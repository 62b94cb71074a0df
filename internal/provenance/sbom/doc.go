// Package sbom lists what is installed in an image, from the layers as a registry has them: Debian's and Alpine's
// packages, npm's, and the modules that Go programs were built from. It reads each layer once as a stream, keeps to what
// a container would see (a file that a later layer removed or replaced is not there), and runs nothing.
//
// It must not know registries, attestations or releases: it is given layers, and gives a CycloneDX document.
package sbom

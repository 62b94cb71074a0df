// Package provenance says of an image how it was built (SLSA provenance), what is in it (an SBOM) and who stands for it (a
// signature), attaches that to the image in its registry as OCI referrers, and tells whose signature an image bears.
//
// It owns the formats: in-toto statements, SLSA v1, Sigstore bundles, and which media types and annotations others look
// for. It is the release.Attester, the release.Verifier and the release.AttestationReader. It must not know a registry's
// API, AWS, or what is done with an image: a Store is all it sees of a registry.
package provenance

// Package registry is the release.Registry on Amazon ECR: credentials, repositories, and what a tag or a digest names.
//
// It owns what ECR's answers mean for a release, and must not know what is done with an image: it never builds, pushes
// layers or deploys. It never imports localaws: it meets local AWS only over the wire.
package registry

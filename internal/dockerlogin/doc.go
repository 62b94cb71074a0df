// Package dockerlogin writes a registry's password into the user's own Docker configuration, or takes it out again, when
// the user asks for it. Every client of registries reads that configuration: docker, podman, skopeo, crane, nerdctl.
//
// It owns the choice of where the password goes (Amazon's credential helper, which needs none; the docker client; the
// store that the configuration names; the file itself) and keeps everything else in the file. A password is in no
// process's arguments. It must not know where a password comes from, nor how what it did is shown.
package dockerlogin

# Builds the container engine of local AWS into bin/engine/ from the versions that engine/go.mod pins.
# Include it from the Makefile at the repository's root, or run `make -f engine/engine.mk engine` there.
#
#   engine           containerd, its shim, runc, init, buildkitd and the CNI plugins, and act, which runs workflows for local CI
#   engine-buildkit  of these, what builds images where Docker runs the containers
#   engine-client    buildctl, which the benchmarks compare with
#   engine-buildx    docker's buildx, with which the tests run the plain workflow
#   engine-clean     removes bin/engine
#
# Everything is a static binary, so that a folder of them can be copied to any Linux. All but runc are pure Go; runc
# needs cgo for its first instructions inside a container, and libseccomp for the system-call filter without which
# BuildKit's RUN fails.

ENGINE_DIR := bin/engine
ENGINE_PLUGINS := bridge host-local loopback portmap
ENGINE_BINARIES := $(addprefix $(ENGINE_DIR)/,containerd containerd-shim-runc-v2 buildkitd runc init act $(addprefix cni/,$(ENGINE_PLUGINS)))
ENGINE_PINS := engine/go.mod engine/go.sum engine/engine.mk

# What local AWS does not use is left out: it halves the build. Versions are what the daemons report of themselves.
ENGINE_TAGS := netgo osusergo static_build no_cri no_btrfs no_zfs no_devmapper nri_no_wasm
engine_version = $(shell sed -n 's|^\s*$(1) \(v[^ ]*\).*|\1|p' engine/go.mod)
engine_build = @echo "engine: building $(notdir $@) ($(2))"; mkdir -p $(@D) && \
	cd engine && CGO_ENABLED=0 go build -trimpath -tags '$(ENGINE_TAGS)' \
	-ldflags '-s -w -X $(1)/version.Version=$(2)' -o '$(abspath $@)' $(3) && touch '$(abspath $@)'

.PHONY: engine engine-buildkit engine-client engine-buildx engine-clean
engine: $(ENGINE_BINARIES)

engine-buildkit: $(ENGINE_DIR)/buildkitd $(ENGINE_DIR)/runc

engine-client: $(ENGINE_DIR)/buildctl

engine-buildx: $(ENGINE_DIR)/buildx

engine-clean:
	rm -rf $(ENGINE_DIR)

CONTAINERD_MODULE := github.com/containerd/containerd/v2
BUILDKIT_MODULE := github.com/moby/buildkit
CNI_MODULE := github.com/containernetworking/plugins
RUNC_MODULE := github.com/opencontainers/runc
ACT_MODULE := github.com/nektos/act
BUILDX_MODULE := github.com/docker/buildx

$(ENGINE_DIR)/containerd $(ENGINE_DIR)/containerd-shim-runc-v2: $(ENGINE_PINS)
	$(call engine_build,$(CONTAINERD_MODULE),$(call engine_version,$(CONTAINERD_MODULE)),$(CONTAINERD_MODULE)/cmd/$(@F))

$(ENGINE_DIR)/buildkitd $(ENGINE_DIR)/buildctl: $(ENGINE_PINS)
	$(call engine_build,$(BUILDKIT_MODULE),$(call engine_version,$(BUILDKIT_MODULE)),$(BUILDKIT_MODULE)/cmd/$(@F))

$(ENGINE_DIR)/cni/host-local: $(ENGINE_PINS)
	$(call engine_build,$(CNI_MODULE),$(call engine_version,$(CNI_MODULE)),$(CNI_MODULE)/plugins/ipam/$(@F))

$(ENGINE_DIR)/cni/bridge $(ENGINE_DIR)/cni/loopback: $(ENGINE_PINS)
	$(call engine_build,$(CNI_MODULE),$(call engine_version,$(CNI_MODULE)),$(CNI_MODULE)/plugins/main/$(@F))

$(ENGINE_DIR)/cni/portmap: $(ENGINE_PINS)
	$(call engine_build,$(CNI_MODULE),$(call engine_version,$(CNI_MODULE)),$(CNI_MODULE)/plugins/meta/$(@F))

$(ENGINE_DIR)/init: engine/init/main.go $(ENGINE_PINS)
	@echo "engine: building init"; mkdir -p $(@D) && \
	cd engine && CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o '$(abspath $@)' ./init && touch '$(abspath $@)'

$(ENGINE_DIR)/buildx: $(ENGINE_PINS)
	$(call engine_build,$(BUILDX_MODULE),$(call engine_version,$(BUILDX_MODULE)),$(BUILDX_MODULE)/cmd/buildx)

# Without Docker: local CI runs steps as processes of this machine, and must not find a daemon by accident. act's Docker
# half does not build with the moby/go-archive that BuildKit needs, either.
$(ENGINE_DIR)/act: $(ENGINE_PINS)
	@echo "engine: building act ($(call engine_version,$(ACT_MODULE)))"; mkdir -p $(@D) && \
	cd engine && CGO_ENABLED=0 go build -trimpath -tags WITHOUT_DOCKER -ldflags '-s -w' -o '$(abspath $@)' $(ACT_MODULE) && touch '$(abspath $@)'

$(ENGINE_DIR)/runc: $(ENGINE_PINS) engine/libseccomp.sh
	@sh engine/libseccomp.sh
	@echo "engine: building runc ($(call engine_version,$(RUNC_MODULE)))"; mkdir -p $(@D) && \
	cd engine && CGO_ENABLED=1 go build -trimpath -tags 'seccomp netgo osusergo' \
	-ldflags '-s -w -extldflags -static -X main.version=$(patsubst v%,%,$(call engine_version,$(RUNC_MODULE)))' \
	-o '$(abspath $@)' $(RUNC_MODULE) && touch '$(abspath $@)'

# Builds what others wrote and local AWS is held against, into bin/peers/, from the versions that peers/go.mod pins. Include
# it from the Makefile at the repository's root.
#
#   crane         a registry client
#   conformance   the OCI distribution specification's own tests
#   registry      CNCF distribution, the registry that push and pull are compared with
#   peers-clean   removes bin/peers

PEERS_DIR := bin/peers
peers_build = @echo "peers: building $(@F)"; mkdir -p $(@D) && \
	cd peers && CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o '$(abspath $@)' $(1) && touch '$(abspath $@)'

.PHONY: peers peers-clean
peers: $(addprefix $(PEERS_DIR)/,crane conformance registry)

peers-clean:
	rm -rf $(PEERS_DIR)

$(PEERS_DIR)/crane: peers/go.mod peers/go.sum
	$(call peers_build,github.com/google/go-containerregistry/cmd/crane)

$(PEERS_DIR)/conformance: peers/go.mod peers/go.sum
	$(call peers_build,github.com/opencontainers/distribution-spec/conformance)

$(PEERS_DIR)/registry: peers/go.mod peers/go.sum
	$(call peers_build,github.com/distribution/distribution/v3/cmd/registry)

# `make help` lists what there is. Everything is built from Go modules; the only Debian packages are libseccomp-dev (the
# container engine's system-call filter) and, for the tests, git, the AWS CLI, shellcheck, gh, docker's client, and for the
# Medusa shop mmdebstrap, npm, Redis and PostgreSQL, where they are missing.

.DEFAULT_GOAL := help
PROGRAM := bin/medusa-deploy
LINTER := bin/golangci-lint
SOURCES = $(shell find cmd internal -name '*.go' -not -name '*_test.go') go.mod go.sum

include engine/engine.mk
include peers/peers.mk

.PHONY: help demo build test test-deps lint bench kills races matrix rollouts latency faults scale conformance builds pushes medusa-base medusa medusa-test medusa-deps images dist dist-program clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' Makefile

build: $(PROGRAM) ## build the program (bin/medusa-deploy)

$(PROGRAM): $(SOURCES)
	@echo "building $@"
	@CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o $@ ./cmd/medusa-deploy

engine: ## build the container engine of local AWS (bin/engine): minutes the first time

# What runs the containers of the demonstration: containerd (root on Linux), docker (any user of it), or the first that can.
ENGINE ?= auto
demo: build $(if $(filter docker,$(ENGINE)),engine-buildkit,engine) ## show the whole line on this machine: ship, change, ship under load, roll back (ENGINE=docker: on Docker)
	@go run ./internal/rehearsal/demo -program $(abspath $(PROGRAM)) -engine $(abspath $(ENGINE_DIR)) -example $(abspath examples/hello) -containers '$(ENGINE)'

test: build engine engine-client engine-buildx peers test-deps conformance ## run all tests, with real builds and real containers (needs root for those)
	go test -race -timeout 60m ./...

test-deps: medusa-deps

lint: $(LINTER) ## vet, and the linters of .golangci.yml
	@unformatted="$$(gofmt -l cmd internal examples)"; test -z "$$unformatted" || { echo "not gofmt-ed: $$unformatted"; exit 1; }
	go vet ./...
	@echo "golangci-lint run"
	@$(LINTER) run

bench: build engine engine-client ## measure against the plain way (buildctl + AWS CLI) on the same local AWS
	@sh internal/e2e/install.sh
	@go run ./internal/rehearsal/bench -program $(abspath $(PROGRAM)) -engine $(abspath $(ENGINE_DIR)) -example $(abspath examples/hello)

# The proofs that take minutes: each runs the real program on a local AWS of its own, prints a table, and fails when a
# round ends wrong.
REHEARSAL_FLAGS = -program $(abspath $(PROGRAM)) -engine $(abspath $(ENGINE_DIR)) -example $(abspath examples/hello)

kills: build engine ## kill a release at each of its events, run it again: it must end right
	@go run ./internal/rehearsal/kills $(REHEARSAL_FLAGS)

races: build engine ## two releases at once, a hundred times for each strategy: one must win
	@go run ./internal/rehearsal/races $(REHEARSAL_FLAGS)

matrix: build engine ## ship good and bad versions in every combination: what became of each (docs/verdict.md)
	@go run ./internal/rehearsal/matrix $(REHEARSAL_FLAGS)

rollouts: build engine ## 50 rollouts in a row under load, WebSockets included: nothing may fail
	@go run ./internal/rehearsal/rollouts $(REHEARSAL_FLAGS)

latency: build engine test-deps ## measure how soon a release knows how it ends, against the AWS CLI's waiter
	@go run ./internal/rehearsal/latency $(REHEARSAL_FLAGS)

faults: build engine ## fifty releases, good and bad, while every fifth call goes wrong: each must end right
	@go run ./internal/rehearsal/faults $(REHEARSAL_FLAGS)

conformance: build $(PEERS_DIR)/conformance ## run the OCI distribution specification's own tests on local ECR
	@go run ./internal/rehearsal/conformance $(REHEARSAL_FLAGS) -suite $(abspath $(PEERS_DIR))/conformance

builds: build engine engine-client engine-buildx test-deps ## measure what the program adds to a build and push by the bare buildctl and docker buildx
	@go run ./internal/rehearsal/builds $(REHEARSAL_FLAGS) $(BUILDS_FLAGS)

pushes: build engine peers test-deps ## measure pushes and pulls: local ECR against CNCF distribution, the program against crane and skopeo, and after a cut
	@go run ./internal/rehearsal/pushes $(REHEARSAL_FLAGS) -peers $(abspath $(PEERS_DIR)) $(PUSHES_FLAGS)

scale: build ## a hundred services in one release within AWS's rates: no call may be throttled
	@go run ./internal/rehearsal/scale $(REHEARSAL_FLAGS)

MEDUSA = go run ./internal/rehearsal/medusa -program $(abspath $(PROGRAM)) -engine $(abspath $(ENGINE_DIR)) -example $(abspath examples/medusa)

medusa: build engine medusa-deps ## a real Medusa shop from nothing: base image, databases, ship, and a day in the shop
	@$(MEDUSA)

medusa-test: build engine medusa-deps ## the shop's whole story, held against docs/medusa-transcript.md (UPDATE=1 writes it anew)
	@$(MEDUSA) -story -transcript docs/medusa-transcript.md $(if $(UPDATE),-update)

images: build engine engine-client medusa-deps ## a shop's image by our Dockerfile and by Medusa's guides: size and time (docs/medusa.md)
	@go run ./internal/rehearsal/images -program $(abspath $(PROGRAM)) -engine $(abspath $(ENGINE_DIR)) -example $(abspath examples/medusa) $(if $(AGAIN),-again)

medusa-deps:
	@sh internal/e2e/install.sh medusa

medusa-base: medusa-deps ## make a stand-in for the official Node image from Debian and npm packages (for machines without a registry)
	@$(MEDUSA) -base

dist: ## build the action's binaries of a release and write their checksums into action.yml: make dist VERSION=v1.2.3
	@action/dist.sh '$(VERSION)'

dist-program: ## build the binaries for people, which write workflows that use ACTION=OWNER/REPO@SHA#VERSION
	@action/dist.sh '$(VERSION)' '$(ACTION)'

clean: engine-clean peers-clean ## remove what was built
	rm -rf bin dist


$(LINTER): tools/go.mod tools/go.sum
	@echo "building golangci-lint"
	@cd tools && go build -trimpath -o '$(abspath $@)' github.com/golangci/golangci-lint/v2/cmd/golangci-lint && touch '$(abspath $@)'

# What is done to this repository more than once. `make` lists it.

# The tools that are not in go.mod, pinned here and nowhere else. NATS's version
# stands in docker-compose.yml.
GOLANGCI_LINT_VERSION := v2.15.0

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
COMMIT   ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
FUZZTIME ?= 10s
IMAGE    ?= headrace:dev
COMPOSE  ?= $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)

TOOLS         := $(CURDIR)/bin/tools
GOLANGCI_LINT := $(TOOLS)/golangci-lint-$(GOLANGCI_LINT_VERSION)
NODE_PACKAGES := $(patsubst %/package.json,%/node_modules,$(wildcard pkg/*/*/package.json schemas/*/package.json docs/examples/*/package.json))
LDFLAGS       := -X github.com/headrace/headrace/services/headrace/cli.version=$(VERSION) \
                 -X github.com/headrace/headrace/services/headrace/cli.commit=$(COMMIT)

.DEFAULT_GOAL := help
.PHONY: help build test lint fmt traps fuzz crash cluster bench demo image up down clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## Build bin/headrace, a static binary
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w $(LDFLAGS)' -o bin/headrace ./services/headrace

# Packages whose tests run many processes or streams at once. Each has the machine
# to itself, so that nothing is compiled or tested beside what has to keep up.
BUSY := ./docs/examples ./pkg/stream/... ./services/headrace/...

test: ## Run the tests under the race detector, and with node those that need it
	go test -race -timeout 30m $$(go list ./... | grep -vxF "$$(go list $(BUSY))")
	go test -race -timeout 60m -p 1 $(BUSY)
	go test -race -tags failpoints ./pkg/failpoint
	@for d in $(NODE_PACKAGES); do \
		command -v node >/dev/null && test -d $$d || echo "make test: left out what needs node and $$d, as they are not here"; \
	done

lint: $(GOLANGCI_LINT) ## Check format, go vet and golangci-lint (installed on first use)
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "not as gofmt writes it, run make fmt: $$unformatted"; exit 1; }
	go vet -tags traps ./...
	go vet -tags failpoints ./...
	$(GOLANGCI_LINT) run

# Not a tool of go.mod: its modules would be weighed against ours.
$(GOLANGCI_LINT):
	GOBIN=$(TOOLS) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)
	mv $(TOOLS)/golangci-lint $@

fmt: ## Format the Go code
	gofmt -w .

traps: ## Run the slow tests of what stock Watermill parts get wrong
	go test -race -timeout 30m -p 1 -tags traps ./pkg/stream/...

fuzz: ## Run each fuzz target for FUZZTIME (10s)
	@grep -r --include='*_test.go' -o '^func Fuzz[A-Za-z0-9_]*' pkg services | sed 's/:func / /' | while read -r file name; do \
		echo "$$name in $$(dirname "$$file")"; \
		go test -run '^$$' -fuzz "^$$name$$" -fuzztime $(FUZZTIME) "./$$(dirname "$$file")" || exit 1; \
	done

# See services/headrace/crash for the variables it takes.
crash: ## Kill processes at every window for long, e.g. CRASH_KILLS=500 or CRASH_FOR=10m
	CRASH_KILLS=$${CRASH_KILLS:-500} go test -count=1 -v -timeout 0 -run TestCrash ./services/headrace/crash

# See services/headrace/bench for the variables it takes.
bench: ## Measure speed for half an hour, into docs/reference/performance.md
	BENCH=1 BENCH_DOCS=1 go test -count=1 -v -timeout 0 -run TestBench ./services/headrace/bench

# It takes ten minutes, and writes docs/explanation/scale.md.
cluster: ## Lose, stop and cut off the nodes of a cluster of three, and measure the pauses
	HEADRACE_TEST_LONG=1 CLUSTER_DOCS=1 go test -count=1 -v -timeout 30m -run TestCluster ./services/headrace/e2e

demo: build ## Build, and watch a few hundred requests go through everything
	bin/headrace demo --exit

image: ## Build the container image headrace:dev
	docker build -f deployments/Dockerfile --build-arg VERSION=$(VERSION) --build-arg COMMIT=$(COMMIT) -t $(IMAGE) .

up: image ## Bring up NATS, both simulators and every service in containers
	$(COMPOSE) up -d
	$(COMPOSE) ps

down: ## Take the containers down again; the broker's volume stays
	$(COMPOSE) down

clean: ## Remove what was built; the tools in bin/tools stay
	rm -f bin/headrace coverage.out

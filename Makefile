# Targets for people and for CI. `make help` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GOLANGCI_VERSION := v2.15.0
GOVULNCHECK_VERSION := v1.9.0
GOLANGCI := bin/golangci-lint-$(GOLANGCI_VERSION)

# go test ends a package that takes longer; CI as a whole gets 15 minutes.
TEST_TIMEOUT ?= 12m
FUZZ_TIME ?= 20s
# -list runs nothing; -results=FILE reads a kept output of go test -json.
FAULTS_FLAGS ?=

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/closesync, one static binary
	CGO_ENABLED=0 go build -trimpath -o bin/closesync ./cmd/closesync

.PHONY: demo
demo: build postgres ## Run against the built-in imitation of Close, data under var/demo
	env -u DATABASE_URL -u CLOSE_API_KEY -u CLOSE_BASE_URL \
		CLOSESYNC_DATA_DIR="$(CURDIR)/var/demo" bin/closesync run --sandbox

.PHONY: postgres
postgres: ## Make sure that Postgres server binaries are on this machine
	@scripts/install-postgres.sh

# Tests of great numbers, which run without the race detector.
HEAVY := ^TestScenarios$$|^TestFault_(A23_More|A24_More|A40_|A41_|B25_|C28_|C3_|C5_Restore|D1_|D6_Another|S16_Namesakes|S16_TwoHundred|S37_Random)

.PHONY: test
test: postgres ## Run every test, with the race detector but for the heavy ones
	HEAVY='$(HEAVY)' CGO_ENABLED=1 go test -race -parallel 4 -timeout $(TEST_TIMEOUT) ./...
	go test -parallel 4 -timeout $(TEST_TIMEOUT) -run '$(HEAVY)' ./internal/harness

.PHONY: test-short
test-short: ## Run the tests without the race detector, for the edit loop
	go test -short -timeout $(TEST_TIMEOUT) ./...

.PHONY: kills
kills: ## Kill the real binary KILLS times (50) in each kill test and compare both sides
	CLOSESYNC_KILLS=$${KILLS:-50} go test -count=1 -timeout 30m -run "Killed|Stopped" -v ./internal/live

.PHONY: crashes
crashes: postgres ## Kill a worker at every single touch of Postgres and Close, one after another
	CLOSESYNC_CRASHES=all go test -count=1 -timeout 60m -run "TestFault_D1|TestScenarios" -v ./internal/harness

.PHONY: faults
faults: postgres ## Run the tests of every fault and print which test covers which, with its result
	@go run ./internal/faults $(FAULTS_FLAGS)

MUTANTS_FLAGS ?=

.PHONY: mutants
mutants: postgres ## Build the worker with deliberate bugs, one at a time, and print which test notices each; MUTANTS_FLAGS='-only=1,7 -seeds=100' picks
	@go run ./internal/mutants $(MUTANTS_FLAGS)

.PHONY: payloads
payloads: ## Send ten million mutated payloads through the receiver and the decoders
	go test -count=1 -timeout 3h -run TestMutatedPayloads -v ./sync/webhook -webhook.payloads=10000000

.PHONY: fuzz
fuzz: ## Run each fuzz test for FUZZ_TIME
	scripts/fuzz.sh $(FUZZ_TIME)

.PHONY: sim
sim: postgres ## Play ten thousand random scenarios of the whole worker, every fiftieth twice; SIM_FLAGS='-sim.from=20001' picks others
	go test -count=1 -timeout 6h -run 'TestSim$$' -v ./internal/sim -sim.count=10000 -sim.twice=50 $(SIM_FLAGS)

.PHONY: sim-long
sim-long: postgres ## Play a hundred thousand of them
	go test -count=1 -timeout 60h -run 'TestSim$$' -v ./internal/sim -sim.count=100000 -sim.twice=50 $(SIM_FLAGS)

.PHONY: laws
laws: ## Check the laws of merging on five million random cases
	go test ./sync/reconcile -run Laws -count=1 -laws.cases=5000000

BENCH_FLAGS ?=

.PHONY: bench
bench: postgres ## Measure this machine; BENCH_FLAGS='-only=ingest -seconds=60' picks
	@go run ./internal/bench $(BENCH_FLAGS)

.PHONY: reproducible
reproducible: ## Build twice, in two places, and fail if the binaries differ
	@scripts/reproducible.sh

.PHONY: lint
lint: fmt-check vet golangci tidy-check migrations-check ## Run every check that is not a test

.PHONY: fmt
fmt: ## Format the code
	gofmt -w -s $$(git ls-files -co --exclude-standard '*.go')

.PHONY: fmt-check
fmt-check: ## Fail if a file is not formatted
	@bad=$$(gofmt -l -s $$(git ls-files -co --exclude-standard '*.go')); \
	if [ -n "$$bad" ]; then echo "not formatted (make fmt):"; echo "$$bad"; exit 1; fi

.PHONY: vet
vet: ## Run go vet, for every operating system we build for
	go vet ./...
	GOOS=darwin CGO_ENABLED=0 go vet ./internal/pglocal
	GOOS=windows CGO_ENABLED=0 go vet ./internal/pglocal

.PHONY: golangci
golangci: $(GOLANGCI) ## Run golangci-lint
	$(GOLANGCI) run

# Installed by version and kept out of go.mod: its two hundred dependencies
# are not the program's.
$(GOLANGCI):
	mkdir -p bin
	GOFLAGS=-mod=mod GOBIN="$(CURDIR)/bin" go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	mv bin/golangci-lint $@

# Asks Go's database of known weaknesses, so it needs the network.
.PHONY: vulnerabilities
vulnerabilities: ## Look for known weaknesses in code that is reached
	go run golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION) ./...

.PHONY: tidy-check
tidy-check: ## Fail if go.mod or go.sum would change
	go mod tidy -diff

.PHONY: migrations-check
migrations-check: ## Fail if migrations clash or lack their other half
	scripts/check-migrations.sh migrations

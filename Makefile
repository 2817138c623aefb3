# Developing mlb. "make" alone explains the targets.
#
# Each target does its own set-up: Debian packages that are missing are
# installed when this user may do so (root, or sudo), and named otherwise.

# HAProxy and the databases live where an ordinary user's PATH does not look.
export PATH := $(PATH):/usr/local/sbin:/usr/sbin:/sbin

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
ARGS     ?= --keep
FUZZTIME ?= 20s
COUNT    ?= 10
IMAGE    ?= mlb:latest

# Each entry is a package, or a package and the program it is needed for.
DEMO_PACKAGES := haproxy:haproxy redis-server:redis-server redis-tools:redis-cli \
	mariadb-server:mariadbd mariadb-client:mariadb curl:curl ca-certificates
MATRIX_PACKAGES := libcap2-bin:setcap
TEST_PACKAGES := $(DEMO_PACKAGES) iproute2:ip gcc:gcc libc6-dev
IMAGE_PACKAGES := docker.io:docker debootstrap:debootstrap

GO_TOOL := go tool -modfile=tools/go.mod

.PHONY: help
help: ## explain the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## run simulated Marathons, two mlb and two HAProxy, with the tutorial's apps, until Ctrl-C (ARGS= ends by itself)
	@scripts/ensure-packages $(DEMO_PACKAGES)
	@$(MAKE) --no-print-directory build
	bin/mlb demo $(ARGS)

.PHONY: test
test: packages vet lint ## run all checks and all tests, as CI does
	CI=true go test -race -shuffle=on -timeout 12m ./...

.PHONY: packages
packages: ## install the Debian packages that the tests need
	@scripts/ensure-packages $(TEST_PACKAGES)

.PHONY: build
build: ## build bin/mlb
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o bin/mlb ./cmd/mlb

.PHONY: unit
unit: ## run the tests that need no other program, quickly
	go test -short -shuffle=on ./...

.PHONY: race
race: packages ## run all tests with the race detector, none skipped
	CI=true go test -race -shuffle=on -timeout 12m ./...

.PHONY: matrix
matrix: packages ## run the tests that use HAProxy with each version of scripts/matrix.versions (SUITE=NAME for one)
	@scripts/ensure-packages $(MATRIX_PACKAGES)
	scripts/matrix $(SUITE)

.PHONY: contract
contract: packages ## hold mlb to every entry of marathon-lb's contract and name those that nothing shows
	CI=true go test -count=1 -skip TestEveryEntry ./test/contract
	CI=true go test -count=1 -v -run TestEveryEntry ./test/contract

.PHONY: contract-table
contract-table: ## write docs/contract.md, the table of what shows which entry
	go test -count=1 -run TestTableOfTheContractIsInStep ./test/contract -update

.PHONY: reload-tables
reload-tables: ## write the tables of docs/reloads.md, what reloads HAProxy
	go test -count=1 -run TestReloadsDocumentIsInStep ./haproxy -update

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME (20s)
	scripts/fuzz $(FUZZTIME)

.PHONY: bench
bench: ## run the benchmarks COUNT (10) times and summarise them
	@mkdir -p bin
	go test -run '^$$' -bench . -benchmem -count $(COUNT) ./... | tee bin/bench.txt
	$(GO_TOOL) benchstat bin/bench.txt

.PHONY: bench-vhosts
bench-vhosts: ## measure what 10, 1,000 and 5,000 virtual hosts cost (VHOSTS= for flags), see docs/benchmarks.md
	@scripts/ensure-packages haproxy:haproxy
	go run ./test/bench/vhosts $(VHOSTS)

.PHONY: bench-loss
bench-loss: ## count what is lost while tasks and apps come and go (SUITE='bookworm trixie sid' for the matrix' HAProxys, LOSS= for flags), see docs/benchmarks.md
	@scripts/ensure-packages haproxy:haproxy $(if $(SUITE),$(MATRIX_PACKAGES))
	$(if $(SUITE),status=0; for suite in $(SUITE); do scripts/with-suite $$suite go run ./test/bench/loss $(LOSS) || status=1; done; exit $$status,go run ./test/bench/loss $(LOSS))

.PHONY: bench-propagate
bench-propagate: ## measure how long a change takes to reach clients at 10, 1,000 and 10,000 apps (PROPAGATE= for flags), see docs/benchmarks.md
	@scripts/ensure-packages haproxy:haproxy
	go run ./test/bench/propagate $(PROPAGATE)

.PHONY: bench-follow
bench-follow: ## measure what following Marathon costs at 10, 1,000 and 10,000 apps (FOLLOW= for flags), see docs/benchmarks.md
	@scripts/ensure-packages haproxy:haproxy
	go run ./test/bench/follow $(FOLLOW)

.PHONY: bench-storm
bench-storm: ## let 5,000 events in 10 s pass over 1,000 apps (STORM= for flags), see docs/benchmarks.md
	@scripts/ensure-packages haproxy:haproxy
	go run ./test/bench/storm $(STORM)

.PHONY: bench-instances
bench-instances: ## count what ten instances ask of a Marathon with 1,000 apps, see docs/benchmarks.md
	go test -count=1 -v -run TestTenInstancesAskMarathonOncePerChange ./discovery/marathon -apps 1000

.PHONY: soak
soak: ## let a day of a cluster's life, with all its troubles, pass in 15 minutes (SOAK= for flags), see docs/benchmarks.md
	@scripts/ensure-packages haproxy:haproxy
	go run ./test/bench/soak $(SOAK)

.PHONY: vet
vet: ## run go vet
	go vet ./...

.PHONY: lint
lint: ## run the linters; the first time this builds them, about two minutes
	$(GO_TOOL) golangci-lint run ./...
	cd tools && go tool golangci-lint run --config ../.golangci.yml ./...

.PHONY: fmt
fmt: ## format the sources and group their imports
	$(GO_TOOL) golangci-lint fmt ./...

.PHONY: notice
notice: ## write the libraries and their licences into NOTICE
	go -C tools run ./licences -write ..

.PHONY: image
image: ## build the container image mlb:latest (IMAGE=NAME)
	@scripts/ensure-packages $(IMAGE_PACKAGES)
	scripts/with-docker scripts/image $(IMAGE) $(VERSION)

.PHONY: image-test
image-test: ## build the image and run the tutorial's two docker lines with it
	@scripts/ensure-packages $(IMAGE_PACKAGES) $(DEMO_PACKAGES)
	scripts/with-docker scripts/image-test $(IMAGE) $(VERSION)

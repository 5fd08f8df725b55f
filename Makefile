SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Time for each fuzz target, and what runs of bench/ and test/torture are given.
FUZZTIME ?= 10s
BENCHARGS ?=
TORTUREARGS ?=

# What cross builds for, and the version that release makes.
PLATFORMS ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 freebsd/amd64
VERSION ?=

# Directories of the modules in go.work; the tools are a module outside it.
MODULES = $(shell go list -m -f '{{.Dir}}')
LINTER := $(CURDIR)/.bin/golangci-lint

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: test
test: ## Run the tests of every module
	go test -shuffle=on work

.PHONY: race
race: ## Run the tests of every module under the race detector
	CGO_ENABLED=1 go test -race -shuffle=on work

.PHONY: lint
lint: $(LINTER) ## Check format, vet, golangci-lint and go.mod files of every module
	@unformatted="$$(gofmt -l .)"; \
	if [[ -n "$$unformatted" ]]; then echo "gofmt -w needed:"; echo "$$unformatted"; exit 1; fi
	go vet work
	@for dir in $(MODULES); do \
		echo "golangci-lint run ($$dir)"; \
		(cd "$$dir" && $(LINTER) run --config "$(CURDIR)/.golangci.yml" ./...); \
	done
	@for dir in $(MODULES) tools; do \
		echo "go mod tidy -diff ($$dir)"; \
		(cd "$$dir" && GOWORK=off go mod tidy -diff); \
	done

.PHONY: fmt
fmt: $(LINTER) ## Format every module as the linter wants it
	@for dir in $(MODULES); do (cd "$$dir" && $(LINTER) fmt --config "$(CURDIR)/.golangci.yml" ./...); done

.PHONY: fuzz
fuzz: ## Fuzz every target for FUZZTIME
	@targets="$$(go test -list '^Fuzz' work | awk '/^Fuzz/ {names[n++] = $$1} \
		/^ok/ {for (i = 0; i < n; i++) print $$2, names[i]; n = 0}')"; \
	while read -r pkg name; do \
		[[ -n "$$name" ]] || continue; \
		echo "$$name"; \
		fuzz() { go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) "$$pkg" </dev/null 2>&1; }; \
		found="$$(fuzz)" || { \
			echo "$$found"; \
			[[ "$$found" != *'Failing input written'* && "$$found" == *'context deadline exceeded'* ]]; \
			echo "$$name: its time was over in the midst of an input, which Go takes for a failure; once more"; \
			found="$$(fuzz)" || { echo "$$found"; exit 1; }; \
		}; \
		echo "$$found" | tail -n 2; \
	done <<< "$$targets"

.PHONY: bench
bench: ## Measure the proxy beside the standard library's reverse proxy
	go run ./bench $(BENCHARGS)

.PHONY: torture
torture: ## Run the proxy under load, stalls, cancels, stops and bad input
	go run ./test/torture $(TORTUREARGS)

.PHONY: clients
clients: ## Run the vendors' command-line programs through the proxy; npm installs them below .bin
	CCPROXY_TEST_CLI="$(CURDIR)/.bin/clients" go test -count=1 ./test/cli

.PHONY: cross
cross: ## Build every module for PLATFORMS, without cgo
	@for platform in $(PLATFORMS); do \
		echo "go build ($$platform)"; \
		export CGO_ENABLED=0 GOOS="$${platform%/*}" GOARCH="$${platform#*/}"; \
		go build work; \
		go build -o /dev/null ./cmd/ccproxy; \
	done

.PHONY: release
release: ## Make a module proxy of VERSION in dist/VERSION, see docs/releasing.md
	go run ./test/release -version "$(VERSION)" -out "dist/$(VERSION)"

.PHONY: release-mods
release-mods: ## Write the go.mod files of VERSION and show its tags, see docs/releasing.md
	go run ./test/release -version "$(VERSION)" -write

.PHONY: release-test
release-test: ## Install the command and get the library from a release of this checkout
	CCPROXY_TEST_RELEASE=1 go test -count=1 -run '^TestInstall$$' ./test/release

.PHONY: cover
cover: ## Measure the coverage of the root module's tests
	go test -coverprofile=cover.out -coverpkg=./... ./...
	go tool cover -func=cover.out | tail -1

.PHONY: api
api: ## Rewrite the golden lists of the exported API and of the linked modules
	go test ./internal/gates -run '^(TestAPI|TestLinkedModules)$$' -count=1 -update

.PHONY: settings
settings: ## Rewrite what is made of the settings' comments: the reference, the example file, the schema
	go test ./internal/gates -run '^TestDescriptions$$' -count=1 -update
	cd cmd/ccproxy && go test . -run '^TestSettings$$' -count=1 -update

.PHONY: tidy
tidy: ## Tidy the go.mod files of every module
	@for dir in $(MODULES) tools; do (cd "$$dir" && GOWORK=off go mod tidy); done

.PHONY: run
run: ## Run the example server
	go run ./examples/server

$(LINTER): tools/go.mod tools/go.sum
	GOWORK=off GOBIN=$(CURDIR)/.bin go -C tools install tool
	@touch $@

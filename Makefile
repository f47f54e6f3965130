# Tocsin: `make demo` shows it, `make test` proves it. Everything else is fetched and built by these targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
GO ?= go
TOOL := $(GO) tool -modfile=tools/go.mod
FUZZTIME ?= 15s
BENCHTIME ?= 1s
INTEGRATION_TIMEOUT ?= 60m

PAGES ?= 10000000

.PHONY: help build bundle web browser screenshots demo test unit race lint fmt fmt-check vet rules docs docs-check golden fuzz bench bench-pages engine kafka integration integration-long idp deploy-check load llm-real clean

help: ## Show this help
	@awk 'BEGIN{FS=":.*## "} /^[a-z-]+:.*## /{printf "  \033[1m%-16s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# What the console's script is made of.
SCRIPT := console/web/package-lock.json console/web/build.js console/web/bundle $(wildcard console/web/src/*.ts)

console/assets/.built: $(SCRIPT)
	@console/web/bundle

bundle: console/assets/.built ## Build the console's script with npm (without npm its pages are served plain)

web: console/assets/.built ## Check and test the console's script (required with CI=true)
	@if [ -e console/assets/.built ]; then cd console/web && npm run --silent check && npm test --silent; else echo "skipped: the console's script was not built"; fi

browser: build ## The console in Chromium: access, keys, policy, the analyst's way (skipped where Chromium or npm is missing; required with CI=true)
	@if [ -e console/assets/.built ]; then cd console/web && npm run --silent browser; else echo "skipped: the console's script was not built"; fi

screenshots: build ## Pictures of every page of the console, in both themes, in screenshots/
	@console/web/bundle && cd console/web && node build.js --browser && node .test/browser/screenshots.mjs ../../screenshots

build: bundle ## Build bin/tocsin
	@mkdir -p bin
	@echo "building bin/tocsin (the first time this takes a minute or two)"
	@$(GO) build -trimpath -o bin/tocsin ./cmd/tocsin

demo: build ## Play the main scenario through the embedded engine and open the console on loopback
	@bin/tocsin demo

test: ## Everything: format, vet, lint, unit, race, integration, rule tests, documents
	@./.ci/steps

unit: ## Unit tests
	$(GO) test -timeout 60m ./...

kafka: ## Fetch Apache Kafka for the integration tests (needs Java and Maven)
	@$(GO) run ./integration/broker/fetch

integration: ## Tests against a real Apache Kafka, Node-RED and Alertmanager (skipped where their programs are missing; required with CI=true)
	@$(MAKE) --no-print-directory idp
	@$(GO) run ./integration/broker/fetch || true
	@set -o pipefail; log=$$(mktemp); trap 'rm -f "$$log"' EXIT; \
	TOCSIN_INTEGRATION=1 $(GO) test ./integration/... -p 1 -count=1 -v -timeout $(INTEGRATION_TIMEOUT) 2>&1 | tee "$$log" || \
	{ echo; echo "what failed, once more:"; awk -f .ci/failed.awk "$$log"; exit 1; }

idp: ## People sign in with a real identity provider, Dex in the process (skipped where its module cannot be had; required with CI=true)
	@cd integration/idp && export GOFLAGS=-mod=mod && if $(GO) mod download; then $(GO) vet . && $(GO) test -count=1 .; \
	elif [ "$$CI" = true ]; then exit 1; else echo "skipped: the module of Dex cannot be fetched"; fi

integration-long: ## The same, disturbed for minutes where `integration` takes seconds
	TOCSIN_ROUNDS=30 $(GO) test ./relay ./correlate -count=1 -timeout 120m
	TOCSIN_LONG=1 $(MAKE) --no-print-directory integration INTEGRATION_TIMEOUT=120m

race: ## The packages with goroutines, under the race detector
	$(GO) test -race -timeout 60m ./ingest/... ./relay/... ./store/... ./triage/... ./console/... ./app/...

lint: ## golangci-lint, pinned in tools/go.mod
	$(TOOL) golangci-lint run ./...

fmt: ## Format every Go file
	$(TOOL) gofumpt -w $$(git ls-files -co --exclude-standard '*.go' ':!*_gen.go')

fmt-check: ## Say which Go files are not formatted
	@out=$$($(TOOL) gofumpt -l $$(git ls-files -co --exclude-standard '*.go' ':!*_gen.go')); if [ -n "$$out" ]; then echo "not formatted (run make fmt):"; echo "$$out"; exit 1; fi

vet: ## go vet
	$(GO) vet ./...

rules: build ## Lint and test the shipped rules
	bin/tocsin rules lint
	bin/tocsin rules test

docs: ## Write the generated tables in docs/ anew
	$(GO) test ./docs -update

golden: ## Write every golden file anew; read the diff before you keep it
	$(GO) test ./ingest/format -run Golden -update

fuzz: ## Each fuzz target for a short while (FUZZTIME)
	@for p in $$($(GO) list ./...); do for f in $$($(GO) test -list '^Fuzz' $$p | grep ^Fuzz); do echo "$$p $$f"; $(GO) test $$p -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) || exit 1; done; done

bench: ## Events/s and allocations: decode, match, fold, encode, insert, whole path
	$(GO) test -run '^$$' -bench . -benchtime $(BENCHTIME) -benchmem ./...

bench-pages: ## How long each page of the console takes over a store of PAGES events (STORE=folder keeps it, ONLY=pattern chooses pages, PAINT=1 measures first paints in Chromium too, HOLD=time leaves it open)
	@$(if $(PAINT),console/web/bundle && cd console/web && node build.js --browser)
	TOCSIN_BENCH_PAINT='$(PAINT)' TOCSIN_BENCH_PAGES=$(PAGES) TOCSIN_BENCH_DIR=$(abspath $(STORE)) TOCSIN_BENCH_ONLY='$(ONLY)' TOCSIN_BENCH_HOLD=$(HOLD) $(GO) test ./app -run TestPagesAnswerInTimeOverABigStore -count=1 -v -timeout 120m

llm-real: ## Model summaries against a real server with random models (builds ollama once; RUNS models, each asked about each incident)
	@RUNS=$(or $(RUNS),5) integration/llm/real

engine: build ## Fetch the embedded ClickHouse engine
	bin/tocsin engine fetch

load: ## From Kafka to the finding at a fixed rate (RATE, DURATION, PARTITIONS)
	@$(GO) run ./integration/broker/fetch
	TOCSIN_INTEGRATION=1 $(GO) test ./integration/load -run ARecordBecomes -count=1 -v -timeout 60m

deploy-check: ## Deployment files, against the loaders of those who read them
	cd deploy/check && $(GO) vet . && $(GO) test -count=1 .

clean: ## Remove what was built
	rm -rf bin screenshots console/assets/*.js console/assets/.built console/web/node_modules console/web/.test

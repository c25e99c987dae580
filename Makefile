# make run, make test, make check; the rest is for now and then.

GO       ?= go
FUZZTIME ?= 20s
BENCH    ?= .

# The same commit and the same Go make the same binary, wherever and whenever: docs/supply-chain.md.
# Without git (a source archive, a container) COMMIT may be given.
COMMIT     ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null && { [ -z "$$(git status --porcelain)" ] || echo changed; })
COMMIT     := $(subst $(eval ) ,-,$(strip $(COMMIT)))
BUILDFLAGS ?= -trimpath -buildvcs=false
# Tests, checks and the binary share what is compiled.
export CGO_ENABLED ?= 0
export GOAMD64     ?= v1
export GOFLAGS     ?= -trimpath
# A release has a name, such as v1.2.3; other binaries are called after their commit.
RELEASE    ?=
LDFLAGS     = -X main.commit=$(COMMIT)$(if $(RELEASE), -X main.release=$(RELEASE))
BINARY     ?= bin/actionlog
PLATFORMS  ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64

.PHONY: run build cross release-files check-release test test-go test-long test-page race page docs check format bench bench-compare profile bench-page pictures plots fuzz torture torture-engine mutants reproducible licences check-licences sbom vuln

run: build ## the service on this machine, with demo actions, in the folder data
	@bin/actionlog serve --data data --demo

build: ## the binary, bin/actionlog
	CGO_ENABLED=0 GOAMD64=v1 $(GO) build $(BUILDFLAGS) -ldflags='$(LDFLAGS)' -o $(BINARY) ./cmd/actionlog

cross: ## bin/cross: the binary of each platform of a release, and that each is what its name says
	@for platform in $(PLATFORMS); do \
		echo "$$platform"; \
		GOOS=$${platform%/*} GOARCH=$${platform#*/} $(MAKE) -s build BINARY="bin/cross/$$(echo $$platform | tr / _)/actionlog" || exit 1; \
	done
	$(GO) run ./internal/supply binaries $(foreach p,$(PLATFORMS),bin/cross/$(subst /,_,$(p))/actionlog)

release-files: build ## bin/release: what a release has beside the binary: man pages, completions, units
	rm -rf bin/release && mkdir -p bin/release/completions bin/release/systemd
	cp deploy/systemd/actionlog* bin/release/systemd
	sed -i.bak 's#/usr/local/bin/#/usr/bin/#; s#^\# /etc/systemd/#\# /usr/lib/systemd/#' bin/release/systemd/*.service && rm bin/release/systemd/*.bak
	SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct)} bin/actionlog man bin/release/man
	gzip -9n bin/release/man/*.1
	bin/actionlog completion bash >bin/release/completions/actionlog.bash
	bin/actionlog completion zsh >bin/release/completions/_actionlog
	bin/actionlog completion fish >bin/release/completions/actionlog.fish

check-release: ## .goreleaser.yaml is right, and makes the binary that make build makes
	.ci/release

reproducible: ## builds twice, the second time from an empty cache, and compares
	.ci/reproducible --empty

licences: ## THIRD_PARTY_LICENSES of all modules that are linked
	$(GO) run ./internal/supply licences

check-licences: ## THIRD_PARTY_LICENSES is right, and no licence in it is one that is not allowed
	$(GO) run ./internal/supply licences -check

sbom: build ## bin/actionlog.cdx.json: what is in bin/actionlog
	$(GO) run ./internal/supply sbom -version 'devel-$(COMMIT)' bin/actionlog >bin/actionlog.cdx.json.new
	mv bin/actionlog.cdx.json.new bin/actionlog.cdx.json

vuln: ## known vulnerabilities in the code that is reached; needs the network
	$(GO) run golang.org/x/vuln/cmd/govulncheck@v1.9.0 ./...

test: test-go test-page ## all tests

# Tests of Go wait for what they start more than they compute.
PARALLEL ?= $(shell echo $$((2 * $$(getconf _NPROCESSORS_ONLN))))

test-go: ## those of Go
	$(GO) test -parallel $(PARALLEL) -timeout 40m ./...

test-long: ## those of Go whose numbers CI makes smaller, with all of them: ten thousand questions, the whole log on an engine, a hundred programs
	ACTIONLOG_LONG=1 $(GO) test -run 'TestNonInterference|TestOnOpenSearch/(isolation|whole)|TestDamagedOpenSegment|TestSchemathesis|TestStore' -count 1 -timeout 60m -v ./cmd/actionlog ./internal/archive ./internal/elastic

test-page: ## the page: types, build, tests, and in Chromium
	web/check

# Packages where goroutines meet. The store and what runs on it are not among them: SQLite
# translated to Go is extremely slow under the race detector (restore, which keeps only its
# state there, takes minutes). RACE= leaves out those that take long, as .ci/run does.
RACE ?= search webhooks restore internal/archive internal/segment internal/signin internal/elastic
race: ## tests with the race detector, of the packages where goroutines meet; needs a C compiler
	CGO_ENABLED=1 $(GO) test -race $(if $(RACE),,-short) -timeout 20m $(addprefix ./,indexer feed saved internal/access internal/bus internal/tracing $(RACE))

page: ## builds the page anew, for the binary to embed
	cd web && npm ci && npm run types && npx vite build

docs: ## docs/cli.md and docs/api.md, of the code and of openapi.yaml
	$(GO) run ./cmd/actionlog man --markdown >docs/cli.md.new && mv docs/cli.md.new docs/cli.md
	ACTIONLOG_WRITE=docs $(GO) test -count 1 -run '^TestReference$$' ./search

check: ## format, vet, staticcheck; sizes and import rules
	@unformatted=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')); \
	if [ -n "$$unformatted" ]; then echo "not formatted (make format):"; echo "$$unformatted"; exit 1; fi
	$(GO) mod verify
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(GO) test -run 'TestSizeLimits|TestImportsPointToTheRoot|TestPathsKeepToTheirPorts|TestNoPackageWithoutAName' .

format:
	gofmt -w $$(git ls-files -co --exclude-standard '*.go')

bench: ## all benchmarks; figures go to docs/benchmarks.md by hand
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem -timeout 60m ./...

BASE     ?= HEAD
COUNT    ?= 6
PACKAGES ?= ./...
bench-compare: ## BENCH of PACKAGES, of the commit BASE and of what is here, COUNT times in turns, by benchstat
	GO='$(GO)' .ci/bench-compare '$(BASE)' '$(BENCH)' '$(COUNT)' $(PACKAGES)

profile: ## where ingest, a page, a lookup and an export spend time, allocate and wait: bin/profiles
	GO='$(GO)' .ci/profile

bench-page: build ## the page with a million actions, in Chromium; after web/check, whose modules it uses
	cd web && ACTIONLOG_BINARY=$(CURDIR)/bin/actionlog node --test bench/

pictures: build ## docs/pictures, of the page with demo data; after web/check, whose modules it uses
	cd web && ACTIONLOG_BINARY=$(CURDIR)/bin/actionlog node pictures/pictures.mjs

plots: ## docs/growth.md and docs/plots, of what a benchmark printed; needs Python's matplotlib
	$(or $(ACTIONLOG_TEST_PYTHON),python3) docs/plots/plots.py

fuzz: ## every fuzz target for FUZZTIME
	@grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u | while read -r dir; do \
		for target in $$(grep -hoE '^func Fuzz[A-Za-z0-9_]*' "$$dir"/*_test.go | sed 's/^func //'); do \
			echo "$$dir $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$dir" </dev/null || exit 1; \
		done; \
	done

FOR ?= 10m
torture: ## the service under load, killed and disturbed for FOR (10m); then everything is accounted for
	ACTIONLOG_TORTURE=$(FOR) $(GO) test -run 'Controls|TestFaults|TestClockJumps|TestDayEnds|TestTortureOfNATS' -count 1 -timeout 60m ./internal/torture
	$(GO) run ./internal/torture -for $(FOR)

torture-engine: ## the same on an OpenSearch from packages, which is killed too
	ACTIONLOG_TORTURE=$(FOR) $(GO) test -run 'TestTortureOnOpenSearch|TestTortureOfManyProcesses|TestEngineFaults|TestEachEngineFault' -count 1 -timeout 24h -v ./internal/torture

mutants: ## every mutant that forgets the institution somewhere is caught by a test
	$(GO) test -tags mutants -run TestMutantsAreCaught -count 1 -timeout 60m ./cmd/actionlog

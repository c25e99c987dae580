# make run, make test, make check; the rest is for now and then.

GO       ?= go
FUZZTIME ?= 20s
BENCH    ?= .

.PHONY: run build test check format bench fuzz torture

run: build ## the service on this machine, with demo actions, in the folder data
	@bin/actionlog serve --data data --demo

build: ## the binary, bin/actionlog
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/actionlog ./cmd/actionlog

test: ## all tests
	$(GO) test -timeout 20m ./...

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

fuzz: ## every fuzz target for FUZZTIME
	@grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u | while read -r dir; do \
		for target in $$(grep -hoE '^func Fuzz[A-Za-z0-9_]*' "$$dir"/*_test.go | sed 's/^func //'); do \
			echo "$$dir $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$dir" </dev/null || exit 1; \
		done; \
	done

torture: ## killed with SIGKILL a hundred times under load
	ACTIONLOG_KILLS=100 $(GO) test -run TestKilled -count 1 -timeout 60m -v ./cmd/actionlog

# make alone prints this help.
.DEFAULT_GOAL := help
.PHONY: help demo check test fresh e2e golden bench install requirements tools

GO      ?= go
BIN     := bin/nexios
STATIC  := honnef.co/go/tools/cmd/staticcheck@v0.8.2
# With servers for the tests, and word of how far they are.
TESTS   := $(GO) run ./e2e/services/run -- $(GO) run ./e2e/report -timeout=60m

help: ## list the targets
	@grep -E '^[a-z0-9]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

$(BIN): FORCE
	@$(GO) build -o $(BIN) ./cmd/nexios
FORCE:

install: ## put nexios into Go's bin folder
	$(GO) install ./cmd/nexios

demo: $(BIN) ## generate the blog in a temporary folder and serve it with hot reload
	@$(GO) run ./e2e/demo $(BIN)

check: ## format, vet, staticcheck, unit tests, import rules: the quick loop
	@test -z "$$(gofmt -l cmd scaffold templates runtime e2e | tee /dev/stderr)"
	@$(GO) vet ./...
	@CGO_ENABLED=0 GOOS=windows $(GO) vet ./...
	@CGO_ENABLED=0 GOOS=darwin $(GO) vet ./...
	@$(GO) run $(STATIC) ./...
	@$(GO) test -short $$($(GO) list ./... | grep -v -e /e2e$$ -e /reload$$ -e /reload/build$$ -e /runtime/jobs$$)
	@$(GO) test -short -run TestImportRules ./e2e

test: ## everything, on real databases and a real browser
	@$(TESTS) ./...

fresh: ## make test as on a new machine: what is committed, with empty caches
	@dir=$$(mktemp -d) && trap 'chmod -R u+w "$$dir"; rm -rf "$$dir"' EXIT && \
		git clone --quiet . "$$dir/nexios" && cd "$$dir/nexios" && \
		env GOPATH="$$dir/go" GOMODCACHE="$$dir/go/pkg/mod" GOCACHE="$$dir/build" $(MAKE) test

e2e: $(BIN) ## only the black-box tests
	@$(TESTS) ./e2e/...

golden: ## write the golden project anew; read its diff before you commit it
	@$(GO) test ./e2e -run TestGolden -update

requirements: ## write anew what generated go.mod files need, after go.mod changed
	@$(GO) run ./e2e/requirements

bench: ## the figures of the README, each beside its comparator
	@$(GO) run ./e2e/services/run -- $(GO) run ./e2e/bench

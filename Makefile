# make alone prints this help.
.DEFAULT_GOAL := help
.PHONY: help demo check lint api test fresh cgo e2e golden bench install released requirements tools

GO      ?= go
BIN     := bin/nexios
STATIC  := honnef.co/go/tools/cmd/staticcheck@v0.8.2
LINT    := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
APIDIFF := golang.org/x/exp/cmd/apidiff@v0.0.0-20261113113407-e3970619a1a4
# With servers for the tests, and word of how far they are.
TESTS   := $(GO) run ./e2e/services/run -- $(GO) run ./e2e/report -timeout=60m -ldflags=-s

help: ## list the targets
	@grep -E '^[a-z0-9]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

$(BIN): FORCE
	@$(GO) build -o $(BIN) ./cmd/nexios
FORCE:

install: ## put nexios into Go's bin folder
	$(GO) install -ldflags="-s -w" ./cmd/nexios

demo: $(BIN) ## generate the blog in a temporary folder and serve it with hot reload
	@$(GO) run ./e2e/demo $(BIN)

check: ## format, vet, staticcheck, unit tests, import rules: the quick loop
	@test -z "$$(gofmt -l cmd scaffold templates runtime e2e | tee /dev/stderr)"
	@$(GO) vet ./...
	@CGO_ENABLED=0 GOOS=windows $(GO) vet ./...
	@CGO_ENABLED=0 GOOS=darwin $(GO) vet ./...
	@$(GO) run $(STATIC) ./...
	@$(GO) test -short -vet=off -ldflags=-s $$($(GO) list ./... | grep -v -e /e2e$$ -e /reload$$ -e /reload/build$$ -e /runtime/jobs$$)
	@$(GO) test -short -run TestImportRules ./e2e

# Not in check: on a new machine the linters take 90 s of CPU to compile, and 120 s
# to read everything for the first time.
lint: ## what golangci-lint says, by .golangci.yml
	@$(GO) run $(LINT) run ./...

# BASE is what projects were made with: the last release, or any commit.
api: ## what changed in the runtime that projects may not compile with: make api BASE=v0.1.0
	@test -n "$(BASE)" || { echo "say since when: make api BASE=v0.1.0" >&2; exit 2; }
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && mkdir "$$dir/base" && git archive $(BASE) go.mod go.sum runtime | tar -x -C "$$dir/base" && \
		(cd "$$dir/base" && $(GO) run $(APIDIFF) -m -w "$$dir/api" github.com/nexios-go/nexios) && \
		$(GO) run $(APIDIFF) -m -incompatible "$$dir/api" github.com/nexios-go/nexios 2>&1 | grep -v '^Ignoring internal' | sed 's|github.com/nexios-go/nexios/||g'

test: ## everything, on real databases and a real browser
	@$(TESTS) ./...

fresh: ## make test as on a new machine: what is committed, with empty caches
	@dir=$$(mktemp -d) && trap 'chmod -R u+w "$$dir"; rm -rf "$$dir"' EXIT && \
		git clone --quiet . "$$dir/nexios" && cd "$$dir/nexios" && \
		env GOPATH="$$dir/go" GOMODCACHE="$$dir/go/pkg/mod" GOCACHE="$$dir/build" $(MAKE) test

cgo: ## the tests of what stands on SQLite, by its own C; needs a C compiler
	@CGO_ENABLED=1 $(TESTS) -tags cgo_sqlite,sqlite_fts5 ./runtime/db ./runtime/jobs ./runtime/auth ./runtime/files

e2e: $(BIN) ## only the black-box tests
	@$(TESTS) ./e2e/...

golden: ## write the golden project anew; read its diff before you commit it
	@$(GO) test ./templates/auth -run TestRenderedFilesAreUpToDate -update
	@$(GO) test ./e2e -run TestGolden -update

released: ## pack a project of this version, which later ones are upgraded from; right after a release
	@$(GO) test ./e2e -run TestReleased -release

requirements: ## write anew what generated go.mod files need, after go.mod changed
	@$(GO) run ./e2e/requirements

bench: ## the figures of the README, each beside its comparator
	@$(GO) run ./e2e/services/run -- $(GO) run ./e2e/bench

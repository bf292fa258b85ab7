# Bluelamp. Two commands are all one needs: `make run` and `make test`.
# Each sets up what it needs, once, and is quick when nothing has changed.

GO  ?= go
NPM ?= npm

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

# Packages built without a repository (a source archive) must build too, so the
# version travels by -X and never by Go's own look at the repository.
GO_BUILD = CGO_ENABLED=0 $(GO) build -buildvcs=false -trimpath -ldflags '-s -w -X main.version=$(VERSION)'

LINT_VERSION := v2.15.0
LINT         := bin/tools/golangci-lint-$(LINT_VERSION)

# Stamps: files whose age says when a step last succeeded.
NPM_READY  := web/node_modules/.package-lock.json
WEB_READY  := internal/web/dist/manifest.json
WEB_CHECKED := web/node_modules/.checked

WEB_CONFIG  := web/package.json web/package-lock.json web/vite.config.ts web/tsconfig.json web/svelte.config.js
WEB_SOURCES := $(WEB_CONFIG) $(shell find web/src web/public -type f 2>/dev/null)

BENCH     ?= .
BENCHTIME ?= 1s

export GO NPM

.DEFAULT_GOAL := help
.PHONY: help run test build bench lint fmt web clean

help: ## list what make can do
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## set up, build and start the demonstration (flags: make run ARGS="--seed 7 --speed 10")
	exec bin/bluelamp demo $(ARGS)

test: $(WEB_READY) $(WEB_CHECKED) ## set up and run every test: race detector, SQLite, PostgreSQL, Chromium
	@scripts/test

build: $(WEB_READY) ## build bin/bluelamp with its web pages inside
	@mkdir -p bin
	$(GO_BUILD) -o bin/bluelamp ./cmd/bluelamp

bench: $(WEB_READY) ## run the Go benchmarks (BENCH=regexp BENCHTIME=1s PKG=./...)
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchtime $(BENCHTIME) -benchmem -timeout 60m $(or $(PKG),./...)

lint: $(LINT) $(WEB_READY) $(WEB_CHECKED) ## check style and common mistakes (golangci-lint with gofumpt, svelte-check)
	$(LINT) run ./...

fmt: $(LINT) ## format the Go sources (gofumpt)
	$(LINT) fmt ./...

web: $(WEB_READY) ## build the web pages' scripts and styles into internal/web/dist

clean: ## remove what make built, so that the next make starts afresh
	rm -rf bin web/node_modules
	find internal/web/dist -mindepth 1 ! -name .gitkeep -delete

# npm writes its own record of what it installed as its last act; its age is the stamp.
$(NPM_READY): web/package.json web/package-lock.json
	@scripts/require node npm
	cd web && $(NPM) ci --no-audit --no-fund --loglevel=error
	@touch $@

$(WEB_READY): $(NPM_READY) $(WEB_SOURCES)
	cd web && $(NPM) run --silent build
	@touch $@

$(WEB_CHECKED): $(NPM_READY) $(WEB_SOURCES)
	cd web && $(NPM) run --silent check
	@touch $@

# golangci-lint has hundreds of dependencies: built on its own, it stays out of go.mod.
$(LINT):
	@mkdir -p $(@D)
	GOBIN=$(CURDIR)/$(@D) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	@mv $(@D)/golangci-lint $@

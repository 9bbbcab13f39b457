# Targets for people and for CI. `make help` lists them.

CARGO ?= cargo
PREFIX ?= /usr/local

# mail-parser 1.0 declares rustc 1.98 but builds and passes its tests on 1.95: ARCHITECTURE.md, "Dependencies".
RUSTC_MINOR := $(shell rustc --version | sed -n 's/^rustc 1\.\([0-9]*\).*/\1/p')
IGNORE := $(shell [ "$(RUSTC_MINOR)" -lt 98 ] 2>/dev/null && echo --ignore-rust-version)

# What the tests start: every one of these is the real component.
TEST_PACKAGES := postfix slapd ldap-utils rbldnsd unbound bind9-dnsutils clamav-daemon openssl procps
# What the build needs beside Rust: AWS-LC and SQLite are C.
BUILD_PACKAGES := gcc libc6-dev make ca-certificates

.PHONY: help run build release test lint setup-build setup-test corpus accuracy bench clean

help: ## Show the targets.
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

run: setup-build release ## Build and start the milter on the built-in defaults.
	target/release/mailward milter --hints

build: ## Build everything for development.
	$(CARGO) build --workspace --locked $(IGNORE)

release: ## Build the command with optimisation.
	$(CARGO) build --release --locked $(IGNORE) -p mailward

test: setup-build setup-test build ## Pass all tests; needs root, because Postfix's master does.
	@[ "$$(id -u)" = 0 ] || { echo "make test starts real Postfix servers, whose master must be root: run it as root"; exit 2; }
	MAILWARD_BIN=$(CURDIR)/target/debug/mailward $(CARGO) test --workspace --locked $(IGNORE)

lint: ## Formatting, clippy and documentation, with warnings denied.
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked $(IGNORE) -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked $(IGNORE)

setup-build:
	@command -v $(CARGO) >/dev/null || { echo "Rust 1.95 or newer is needed: https://rustup.rs"; exit 2; }
	@sh tests/setup.sh $(BUILD_PACKAGES)

setup-test:
	@sh tests/setup.sh $(TEST_PACKAGES)

corpus: release ## Judge every message below MAILWARD_CORPUS=DIR: no panic, bounded time and memory.
	@[ -d "$(MAILWARD_CORPUS)" ] || { echo "usage: make corpus MAILWARD_CORPUS=DIR"; exit 2; }
	sh tests/corpus.sh target/release/mailward "$(MAILWARD_CORPUS)"

accuracy: ## What the classifier alone reaches: MAILWARD_CORPUS=DIR with DIR/train/{ham,spam} and DIR/test/NAME/{ham,spam}.
	@[ -d "$(MAILWARD_CORPUS)/train" ] || { echo "usage: make accuracy MAILWARD_CORPUS=DIR, see docs/classifier.md"; exit 2; }
	$(CARGO) run --release --locked $(IGNORE) -p mailward-core --example classifier_accuracy -- "$(MAILWARD_CORPUS)"

bench: release ## Speed, CPU and memory through the milter socket; MAILWARD_CORPUS=DIR for real mail.
	MAILWARD_BIN=$(CURDIR)/target/release/mailward $(CARGO) bench --locked $(IGNORE) -p mailward-tests --bench milter_socket

clean: ## Remove what was built.
	$(CARGO) clean

# Targets for people and for CI. `make help` lists them.

CARGO ?= cargo
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
UNITDIR ?= $(PREFIX)/lib/systemd/system
# The programs that `install` and `deb` take.
PROGRAM ?= target/release/mailward
SCAN_PROGRAM ?= $(PROGRAM)-scan
# Of the system that the units are for: this one. Where it is not installed, that of Debian 12.
SYSTEMD_VERSION ?= $(or $(shell systemctl --version 2>/dev/null | sed -n '1s/^systemd \([0-9]*\).*/\1/p'),252)

# mail-parser 1.0 declares rustc 1.98 but builds and passes its tests on 1.95: ARCHITECTURE.md, "Dependencies".
RUSTC_MINOR := $(shell rustc --version | sed -n 's/^rustc 1\.\([0-9]*\).*/\1/p')
IGNORE := $(shell [ "$(RUSTC_MINOR)" -lt 98 ] 2>/dev/null && echo --ignore-rust-version)

# What the tests start: every one of these is the real component.
TEST_PACKAGES := postfix slapd ldap-utils rbldnsd unbound bind9-dnsutils clamav-daemon openssl procps
# Reads what arrives with a parser that is not ours.
TEST_PACKAGES += python3
# What Sendmail, which is unpacked and not installed, needs: m4, libraries and a tool for passwords.
TEST_PACKAGES += m4 sasl2-bin libsasl2-modules libsasl2-modules-db libdb5.3 libldap-2.5-0 liblockfile1 libnsl2 libwrap0
# What programs that use the C library are tested with.
TEST_PACKAGES += g++ valgrind pkg-config
# Another verifier of our signatures.
TEST_PACKAGES += python3-dkim python3-nacl
# Another filter that learns, for `mailward eval` to measure beside.
TEST_PACKAGES += bogofilter-bdb
# Its stock rules, and what it says of messages itself.
TEST_PACKAGES += spamassassin
SENDMAIL_FOLDER := /usr/local/lib/mailward-tests/sendmail
# The libraries of Exim, which is unpacked too.
TEST_PACKAGES += libgnutls-dane0 libidn12 libmariadb3 libpam0g libpcre2-8-0 libperl5.36 libpq5 libspf2-2
EXIM_FOLDER := /usr/local/lib/mailward-tests/exim
# What the build needs beside Rust: AWS-LC and SQLite are C.
BUILD_PACKAGES := gcc libc6-dev make ca-certificates

# What benchmarks need, always chosen together, so that dependencies are built once.
MEASURED := -p mailward -p mailward-core -p mailward-ffi -p mailward-tests

.PHONY: help run build release library test lint setup-build setup-test corpus doors spamassassin base-model accuracy bench flood soak unpack-clamd clean install install-library deb package-test

help: ## Show the targets.
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

run: setup-build release ## Build and start the milter on the built-in defaults.
	target/release/mailward milter --hints

build: ## Build everything for development.
	$(CARGO) build --workspace --locked $(IGNORE)

release: ## Build the command with optimisation.
	$(CARGO) build --release --locked $(IGNORE) -p mailward

library: setup-build ## Build the C library for a first look, target/first-look/libmailward.so and .a: not optimised, and without YARA.
	$(CARGO) build --profile first-look --locked $(IGNORE) -p mailward-ffi --no-default-features

test: setup-build setup-test build ## Pass all tests; needs root, because Postfix's master does.
	@[ "$$(id -u)" = 0 ] || { echo "make test starts real Postfix servers, whose master must be root: run it as root"; exit 2; }
	MAILWARD_BIN=$(CURDIR)/target/debug/mailward $(CARGO) test --workspace --locked $(IGNORE)

lint: ## Formatting, clippy and documentation, with warnings denied.
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked $(IGNORE) -- -D warnings
	$(CARGO) clippy -p mailward-ffi --no-default-features --locked $(IGNORE) -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked $(IGNORE)

setup-build:
	@command -v $(CARGO) >/dev/null || { echo "Rust 1.95 or newer is needed: https://rustup.rs"; exit 2; }
	@sh tests/setup.sh $(BUILD_PACKAGES)

setup-test:
	@sh tests/setup.sh $(TEST_PACKAGES)
	@sh tests/setup-sendmail.sh $(SENDMAIL_FOLDER)
	@sh tests/setup-exim.sh $(EXIM_FOLDER)

install: $(PROGRAM) $(SCAN_PROGRAM) ## Install program, units, manual pages, completions and documents: PREFIX, DESTDIR, PROGRAM.
	install -d "$(DESTDIR)$(PREFIX)/bin" "$(DESTDIR)$(SYSCONFDIR)/mailward"
	install -m 755 "$(PROGRAM)" "$(DESTDIR)$(PREFIX)/bin/mailward"
	install -m 755 "$(SCAN_PROGRAM)" "$(DESTDIR)$(PREFIX)/bin/mailward-scan"
	sh milter/systemd/install.sh "$(DESTDIR)$(UNITDIR)" "$(PREFIX)/bin" "$(SYSTEMD_VERSION)"
	install -D -m 644 milter/systemd/mailward.sysusers "$(DESTDIR)$(PREFIX)/lib/sysusers.d/mailward.conf"
	"$(PROGRAM)" man "$(DESTDIR)$(PREFIX)/share/man/man1"
	"$(SCAN_PROGRAM)" --man >"$(DESTDIR)$(PREFIX)/share/man/man1/mailward-scan.1"
	install -d "$(DESTDIR)$(PREFIX)/share/man/man5"
	mv "$(DESTDIR)$(PREFIX)"/share/man/man1/*.5 "$(DESTDIR)$(PREFIX)/share/man/man5/"
	install -d "$(DESTDIR)$(PREFIX)/share/bash-completion/completions" "$(DESTDIR)$(PREFIX)/share/zsh/vendor-completions" \
	    "$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d"
	"$(PROGRAM)" completions bash >"$(DESTDIR)$(PREFIX)/share/bash-completion/completions/mailward"
	"$(PROGRAM)" completions zsh >"$(DESTDIR)$(PREFIX)/share/zsh/vendor-completions/_mailward"
	"$(PROGRAM)" completions fish >"$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/mailward.fish"
	install -d "$(DESTDIR)$(PREFIX)/share/doc/mailward"
	cp -R README.md docs postfix-conf examples/policies examples/grafana "$(DESTDIR)$(PREFIX)/share/doc/mailward/"
	[ -e "$(DESTDIR)$(SYSCONFDIR)/mailward/mailward.toml" ] || \
	    "$(PROGRAM)" config init "$(DESTDIR)$(SYSCONFDIR)/mailward/mailward.toml"

# The shared library that is installed and the archive of the static one, and number and version of the interface.
LIBRARY ?= target/release/libmailward.so
STATIC_LIBRARY = $(LIBRARY:.so=.a)
ABI = $(shell sed -n 's/^\#define MW_ABI_VERSION //p' ffi/include/mailward.h)
LIBRARY_VERSION = $(shell sed -n 's/^\#define MW_VERSION "\(.*\)"/\1/p' ffi/include/mailward.h)

install-library: $(LIBRARY) $(STATIC_LIBRARY) ## Install libmailward with its headers and mailward.pc: PREFIX, DESTDIR, LIBRARY.
	install -D -m 644 "$(LIBRARY)" "$(DESTDIR)$(PREFIX)/lib/libmailward.so.$(LIBRARY_VERSION)"
	ln -sf libmailward.so.$(LIBRARY_VERSION) "$(DESTDIR)$(PREFIX)/lib/libmailward.so.$(ABI)"
	ln -sf libmailward.so.$(ABI) "$(DESTDIR)$(PREFIX)/lib/libmailward.so"
	sh ffi/static/merge.sh "$(STATIC_LIBRARY)" "$(DESTDIR)$(PREFIX)/lib/libmailward.a"
	install -d "$(DESTDIR)$(PREFIX)/include" "$(DESTDIR)$(PREFIX)/lib/pkgconfig"
	install -m 644 ffi/include/mailward.h ffi/include/mailward.hpp "$(DESTDIR)$(PREFIX)/include/"
	sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(LIBRARY_VERSION)|' ffi/mailward.pc.in >"$(DESTDIR)$(PREFIX)/lib/pkgconfig/mailward.pc"

target/release/libmailward.so target/release/libmailward.a &:
	$(CARGO) build --release --locked $(IGNORE) -p mailward-ffi

target/release/mailward:
	$(MAKE) release

target/release/mailward-scan:
	$(CARGO) build --release --locked $(IGNORE) -p mailward -p mailward-scan

deb: setup-deb $(PROGRAM) $(SCAN_PROGRAM) ## Build target/mailward_VERSION_ARCH.deb for the Debian release that this is.
	PROGRAM="$(PROGRAM)" SCAN_PROGRAM="$(SCAN_PROGRAM)" SYSTEMD_VERSION="$(SYSTEMD_VERSION)" sh milter/debian/build.sh target

setup-deb:
	@sh tests/setup.sh dpkg-dev binutils xz-utils

package-test: deb ## Install the package on a clean Debian root with systemd as PID 1, and send mail through it; needs root.
	@sh tests/setup.sh debootstrap curl
	bash tests/package/run.sh target

corpus: release ## Judge every message below MAILWARD_CORPUS=DIR: no panic, bounded time and memory.
	@[ -d "$(MAILWARD_CORPUS)" ] || { echo "usage: make corpus MAILWARD_CORPUS=DIR"; exit 2; }
	sh tests/corpus.sh target/release/mailward "$(MAILWARD_CORPUS)"

doors: setup-build setup-test build ## The same explanations from Postfix, Exim, C library and check: MAILWARD_CORPUS=DIR [MESSAGES=2000]; needs root.
	@[ -d "$(MAILWARD_CORPUS)" ] || { echo "usage: make doors MAILWARD_CORPUS=DIR [MESSAGES=2000]"; exit 2; }
	MAILWARD_BIN=$(CURDIR)/target/debug/mailward MAILWARD_CORPUS="$(abspath $(MAILWARD_CORPUS))" MAILWARD_MESSAGES=$(or $(MESSAGES),2000) \
		$(CARGO) test --locked $(IGNORE) -p mailward-tests --test e2e doors:: -- --nocapture

base-model: ## Train the base model anew: MAILWARD_CORPUS="DIR..." with DIR/{ham,spam}, neutralised; docs/model-card.md.
	@[ -n "$(MAILWARD_CORPUS)" ] || { echo "usage: make base-model MAILWARD_CORPUS=\"DIR...\", see docs/model-card.md"; exit 2; }
	$(CARGO) run --release --locked $(IGNORE) -p mailward-core --example base_model -- \
	    core/src/spam/classifier/base.bin $(MAILWARD_CORPUS)

accuracy: release ## What the filter reaches on labelled mail: MAILWARD_CORPUS=DIR with an index.tsv, see docs/evaluation.md; EVAL="more arguments".
	@[ -e "$(MAILWARD_CORPUS)/index.tsv" ] || { echo "usage: make accuracy MAILWARD_CORPUS=DIR, see docs/evaluation.md"; exit 2; }
	target/release/mailward eval --index "$(MAILWARD_CORPUS)/index.tsv" $(if $(findstring bench,$(shell head -n 1 "$(MAILWARD_CORPUS)/index.tsv")),--group bench) \
		$(or $(EVAL),--folds 5) --cost --html target/accuracy.html

spamassassin: setup-build setup-test ## Hits of SpamAssassin's installed rules beside its own, and their cost, over MAILWARD_CORPUS=DIR.
	@[ -d "$(MAILWARD_CORPUS)" ] || { echo "usage: make spamassassin MAILWARD_CORPUS=DIR, see docs/spamassassin.md"; exit 2; }
	$(CARGO) build --release --locked $(IGNORE) -p mailward-spamassassin --examples
	find "$(abspath $(MAILWARD_CORPUS))" -type f | sort | \
		perl tests/spamassassin/hits.pl /usr/share/spamassassin /etc/spamassassin >target/spamassassin.tsv
	target/release/examples/spamassassin_hits target/spamassassin.tsv /usr/share/spamassassin /etc/spamassassin
	target/release/examples/spamassassin_cost target/spamassassin.tsv /usr/share/spamassassin /etc/spamassassin

bench: setup-build ## Speed, beside rspamd if it is installed; MAILWARD_CORPUS=DIR for real mail, PART=socket, size, postfix, exim, shadow, stages, connect, policies, interface or open.
	$(CARGO) build --release --locked $(IGNORE) $(MEASURED)
	MAILWARD_BIN=$(CURDIR)/target/release/mailward MAILWARD_CORPUS="$(MAILWARD_CORPUS)" \
		$(CARGO) bench --locked $(IGNORE) $(MEASURED) --bench stages --bench interface --bench speed -- $(PART)

unpack-clamd: setup-build setup-test build ## What is found in each format of archives and documents, beside clamd with the same signature; needs root.
	MAILWARD_BIN=$(CURDIR)/target/debug/mailward \
		$(CARGO) test --workspace --locked $(IGNORE) --test e2e -- unpacking::all_that_clamd_finds --nocapture

soak: setup-build setup-test ## 10,000 messages (MESSAGES=n) while everything fails, random calls of the C library, damaged archives; needs root.
	@[ "$$(id -u)" = 0 ] || { echo "make soak starts real Postfix servers, whose master must be root: run it as root"; exit 2; }
	$(CARGO) build --release --locked $(IGNORE) $(MEASURED)
	MAILWARD_BIN=$(CURDIR)/target/release/mailward $(CARGO) bench --locked $(IGNORE) $(MEASURED) --bench soak
	MAILWARD_RANDOM_SECONDS=200 $(CARGO) test --locked $(IGNORE) -p mailward-ffi --test c_library random_calls
	MAILWARD_MUTATION_SECONDS=600 $(CARGO) test --release --config profile.release.package.mailward-unpack.overflow-checks=true --locked $(IGNORE) -p mailward-unpack --test unpack mutations

flood: setup-build ## Waiting time of ordinary mail while 200 addresses push ten times what the machine can do.
	$(CARGO) build --release --locked $(IGNORE) $(MEASURED)
	MAILWARD_BIN=$(CURDIR)/target/release/mailward $(CARGO) bench --locked $(IGNORE) $(MEASURED) --bench flood

clean: ## Remove what was built.
	$(CARGO) clean

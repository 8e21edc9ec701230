# make demo: see it work. make test: know that it does. make package: a Debian package. Each sets up what it needs first.

CARGO ?= cargo
SAMPLE = pcaps/subscribers.pcap

# rustup installs into the home of its user, which is not root's under sudo.
ifdef SUDO_USER
USER_HOME := $(shell getent passwd $(SUDO_USER) | cut -d: -f6)
export RUSTUP_HOME ?= $(USER_HOME)/.rustup
export CARGO_HOME ?= $(USER_HOME)/.cargo
endif
export PATH := $(PATH):$(or $(CARGO_HOME),$(HOME)/.cargo)/bin
# What root built belongs to the user, who may want to build again without it.
OWN = if [ -n "$$SUDO_UID" ]; then chown -R "$$SUDO_UID:$$SUDO_GID" target $(CARGO_HOME); fi

.PHONY: demo test accept package setup setup-tests setup-package build lint docs bench fuzz

demo: setup
	$(CARGO) build --release --locked $$(./deploy/features)
	@echo "A made-up night of 31 March 2009 in front of an ISP's resolver ($(SAMPLE)):" && echo
	@target/release/dgawatch replay $(SAMPLE)
	@$(OWN)

test: setup-tests lint docs
	$(CARGO) test --locked $$(./deploy/features)
	$(CARGO) test --locked --no-default-features --lib --test samples
	@$(OWN)

# Every bar that estimates and verdicts have to clear, as docs/ACCURACY.md shows them. Takes a few minutes.
accept: setup
	$(CARGO) run --release --locked --no-default-features --example accept

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets $$(./deploy/features) -- -D warnings
	$(CARGO) clippy --locked --no-default-features -- -D warnings

docs:
	RUSTDOCFLAGS="-D warnings -A rustdoc::private-intra-doc-links" $(CARGO) doc --locked --no-deps --document-private-items $$(./deploy/features)

setup:
	@./deploy/setup

setup-tests:
	@./deploy/setup --tests

setup-package:
	@./deploy/setup --package

# docs/PACKAGES.md
package: setup-package
	./deploy/package
	@ls -l target/package/*.deb && $(OWN)

bench:
	benches/run
	benches/watchlist

fuzz:
	@for target in frame message pieces capture state image dnstap folder; do RUSTC_BOOTSTRAP=1 $(CARGO) fuzz run -s none $$target -- -max_total_time=60 || exit 1; done

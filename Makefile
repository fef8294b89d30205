# Two targets do all the work on a bare machine: `make demo` and `make test`.
# `make setup` is what both need first: a C compiler for SQLite, and a Rust that builds for
# WebAssembly, from rustup where it can be had and else from Debian.

WFLOW  := target/release/wflow
FLOWS  := target/flows
APT    := apt-get install -y --no-install-recommends
SUDO   := $(shell test "$$(id -u)" = 0 || echo sudo)
DEBIAN := rustc-web cargo-web rust-web-src lld-19 wasi-libc

# How long each fuzz target runs.
FUZZ_SECONDS ?= 60

.PHONY: demo test bench fuzz audit lint setup build

demo: build
	mkdir -p $(FLOWS)
	$(WFLOW) build examples/wine -o $(FLOWS)/wine.wasm
	$(WFLOW) run $(FLOWS)/wine.wasm --data examples/wine/wine.csv

test: build
	cargo test --release --locked --workspace
	cd guest-sdk && cargo test --locked --target-dir ../target/guest-sdk

bench: build
	target/release/wflow-bench

# Every fuzz target for a while; the first build takes half an hour on two cores.
fuzz:
	fuzz/run.sh $(FUZZ_SECONDS)

# The dependencies: known holes, licences, where they come from.
audit:
	./audit.sh

# What a change has to pass besides the tests.
lint:
	cargo fmt --all --check
	cargo clippy --release --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --release --locked --workspace --no-deps
	cd guest-sdk && cargo fmt --all --check
	cd guest-sdk && cargo clippy --locked --all-targets --target-dir ../target/guest-sdk -- -D warnings
	cd examples && cargo fmt --all --check
	cd tests/flows && cargo fmt --all --check
	cd bench/flows && cargo fmt --all --check
	cd fuzz && cargo fmt --check

build: setup
	cargo build --release --locked --workspace

setup:
	@command -v cc >/dev/null || { $(SUDO) apt-get update && $(SUDO) $(APT) gcc libc6-dev; }
	@rustup target add wasm32-wasip2 >/dev/null 2>&1 || dpkg -s $(DEBIAN) >/dev/null 2>&1 || \
		{ $(SUDO) apt-get update && $(SUDO) $(APT) $(DEBIAN); }

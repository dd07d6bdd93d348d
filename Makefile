# Every verb of the project, one line of meaning each: `make help`.
# Needs Rust, Python 3, a C compiler and make; all else is installed inside the tree by these rules
# (.venv for Python, .build for tools), except valgrind, which scripts/system.sh gets from the
# system's packages where that is allowed.

SHELL := /bin/sh
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON  ?= python3
CARGO   ?= cargo
VENV    := .venv
PY      := $(VENV)/bin/python
BUILD   := .build
CFLAGS_STRICT := -std=c99 -pedantic -Wall -Wextra -Werror -D_POSIX_C_SOURCE=200809L
linked   = -I$(BUILD)/$(1)/include -L$(BUILD)/$(1)/lib -ltwinguard -Wl,-rpath,$(abspath $(BUILD))/$(1)/lib

RUST_SOURCES := $(shell find core client ffi hub python benches -name '*.rs' -o -name Cargo.toml -o -name 'pyproject.toml' | grep -v '/target/') Cargo.toml
PY_SOURCES   := $(shell find python/twinguard -name '*.py' -o -name '*.pyi' 2>/dev/null)

.PHONY: help demo install test test-rust test-python test-sdks test-docs vectors lint bench fuzz fuzz-smoke system clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F '\t' '{printf "  make %-12s %s\n", $$1, $$2}'

demo: $(BUILD)/wheel.stamp $(BUILD)/hub.stamp $(BUILD)/examples.stamp ## a C program and a Python script follow their twins while an operator changes them
	@$(PY) examples/demo.py

test: system test-rust test-python test-sdks test-docs fuzz-smoke ## build and run everything that must hold, in all three languages
	@echo "make test: everything passed"

test-rust: ## the Rust tests; they also compile and run the C programs (plain, sanitizers, valgrind)
	$(CARGO) test --workspace --features twinguard-core/testing --quiet

test-python: $(BUILD)/wheel.stamp $(BUILD)/hub.stamp ## the Python package: behaviour, stubs against the binary, types
	TWINGUARD_HUB_BIN=$(abspath target/debug/twinguard-hub) $(PY) -m pytest tests/python -q

test-sdks: $(BUILD)/wheel.stamp $(BUILD)/hub.stamp ## Microsoft's own clients, unmodified, against the local hub (each hub on a loopback address of its own)
	$(PY) -m pytest hub/tests/python -q

test-docs: $(BUILD)/wheel.stamp $(BUILD)/hub.stamp $(BUILD)/examples.stamp ## the README's quickstarts, the demo
	$(PY) -m pytest tests/docs -q

vectors: $(BUILD)/wheel.stamp $(BUILD)/vectors ## only the shared vectors, in Rust, C and Python; the last line has the counts
	@$(PY) tests/vectors.py

lint: $(BUILD)/venv.stamp ## formatting, clippy, rustdoc, ruff
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --features twinguard-core/testing --quiet -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --quiet
	$(PY) -m ruff check --config python/pyproject.toml python examples tests hub/tests benches
	$(PY) -m ruff format --config python/pyproject.toml --check python examples tests hub/tests benches

bench: $(BUILD)/wheel-release.stamp $(BUILD)/follow ## the figures of docs/figures.md, measured here and now
	@$(CARGO) run --quiet --release -p twinguard-benches -- $(abspath $(BUILD))/follow $(abspath $(PY)) benches/follow.py $(BUILD)/release/lib/libtwinguard.so

fuzz: $(BUILD)/bin/cargo-fuzz ## fuzz every parser, FUZZ_SECONDS (default 60) each
	@scripts/fuzz.sh $(or $(FUZZ_SECONDS),60)

fuzz-smoke:
	@scripts/fuzz-smoke.sh

system:
	@scripts/system.sh

install: $(BUILD)/release.stamp ## the C library under PREFIX (default /usr/local): header, libraries, pkg-config file
	scripts/install.sh release

clean: ## remove everything these rules made
	$(CARGO) clean
	rm -rf $(VENV) $(BUILD) dist

$(BUILD)/venv.stamp: python/requirements-dev.txt hub/tests/python/requirements.txt
	@mkdir -p $(BUILD)
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check \
	  -r python/requirements-dev.txt -r hub/tests/python/requirements.txt
	@touch $@

$(BUILD)/wheel.stamp: $(BUILD)/venv.stamp $(RUST_SOURCES) $(PY_SOURCES)
	@rm -f $(BUILD)/wheel-release.stamp
	VIRTUAL_ENV=$(abspath $(VENV)) $(PY) -m maturin develop --quiet -m python/Cargo.toml
	@touch $@

$(BUILD)/hub.stamp: $(RUST_SOURCES)
	@mkdir -p $(BUILD)
	$(CARGO) build --quiet -p twinguard-hub
	@touch $@

# The C library as a stranger gets it: what the C programs here are linked with.
$(BUILD)/debug.stamp: $(RUST_SOURCES) include/twinguard.h scripts/install.sh
	$(CARGO) build --quiet -p twinguard-ffi
	PREFIX=$(abspath $(BUILD))/debug scripts/install.sh debug
	@touch $@

$(BUILD)/release.stamp: $(RUST_SOURCES) include/twinguard.h scripts/install.sh
	$(CARGO) build --quiet --release -p twinguard-ffi
	PREFIX=$(abspath $(BUILD))/release scripts/install.sh release
	@touch $@

$(BUILD)/examples.stamp: $(BUILD)/debug.stamp $(wildcard examples/*/*)
	@mkdir -p $(BUILD)/examples
	$(CARGO) build --quiet -p twinguard-tests --example quickstart
	for f in examples/c/*.c; do \
	  $(CC) $(CFLAGS_STRICT) -O1 -g $$f $(call linked,debug) \
	    -o $(BUILD)/examples/$$(basename $$f .c) || exit 1; done
	@touch $@

# A release build of the extension takes the place of the other one until the next make test.
$(BUILD)/wheel-release.stamp: $(BUILD)/venv.stamp $(RUST_SOURCES) $(PY_SOURCES)
	VIRTUAL_ENV=$(abspath $(VENV)) $(PY) -m maturin develop --quiet --release -m python/Cargo.toml
	@rm -f $(BUILD)/wheel.stamp
	@touch $@

$(BUILD)/follow: benches/follow.c $(BUILD)/release.stamp
	$(CC) $(CFLAGS_STRICT) -O2 $< $(call linked,release) -o $@

$(BUILD)/vectors: tests/c/vectors.c tests/c/json.h $(BUILD)/debug.stamp
	$(CC) $(CFLAGS_STRICT) -O1 -g -Itests/c $< $(call linked,debug) -lm -o $@

$(BUILD)/bin/cargo-fuzz:
	$(CARGO) install cargo-fuzz --version 0.13.2 --locked --quiet --root $(BUILD)

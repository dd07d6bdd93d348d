#!/bin/sh
# A short round of every fuzz target where cargo-fuzz can be installed. Where it cannot, the seeds
# have been replayed all the same: tests/rust/fuzz_seeds.rs is an ordinary test.
set -eu
if ! [ -x .build/bin/cargo-fuzz ]; then
    if ! cargo install cargo-fuzz --version 0.13.2 --locked --quiet --root .build; then
        echo "cargo-fuzz could not be installed; the seeds were replayed by cargo test"
        exit 0
    fi
fi
exec scripts/fuzz.sh "${FUZZ_SMOKE_SECONDS:-5}"

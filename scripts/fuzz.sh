#!/bin/sh
# Fuzz every target for $1 seconds. cargo-fuzz wants a nightly compiler for the sanitizer; the
# stable one does the same with RUSTC_BOOTSTRAP=1.
set -eu
seconds=${1:-60}
export PATH="$PWD/.build/bin:$PATH" RUSTC_BOOTSTRAP=1
triple=$(rustc -vV | sed -n 's/^host: //p')
cd fuzz
for target in $(cargo fuzz list); do
    mkdir -p "corpus/$target"
    echo "== $target, $seconds s"
    cargo fuzz run --sanitizer none --target "$triple" "$target" "corpus/$target" "seeds/$target" -- \
        -max_total_time="$seconds" -max_len=70000 -rss_limit_mb=2048 -print_final_stats=0 2>&1 | tail -n 2
done

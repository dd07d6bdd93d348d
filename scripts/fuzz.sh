#!/bin/sh
# Fuzz every target for $1 seconds, from its seeds. cargo-fuzz wants a nightly compiler;
# RUSTC_BOOTSTRAP lets the stable one do the same.
set -eu
seconds=${1:-60}
export PATH="$PWD/.build/bin:$PATH" RUSTC_BOOTSTRAP=1
triple=$(rustc -vV | sed -n 's/^host: //p')
cd fuzz
for target in $(cargo fuzz list); do
    mkdir -p "corpus/$target"
    if ! cargo fuzz run --sanitizer none --target "$triple" "$target" \
        "corpus/$target" "seeds/$target" -- \
        -max_total_time="$seconds" -max_len=70000 -rss_limit_mb=2048 >"corpus/$target.log" 2>&1; then
        tail -n 40 "corpus/$target.log"
        echo "fuzzing $target found something: fuzz/artifacts/$target; the log is above"
        exit 1
    fi
    echo "$target: $(grep -a '^Done' "corpus/$target.log" | tail -n 1)"
done

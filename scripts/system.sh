#!/bin/sh
# What the tests need from the system beyond Rust, Python, a C compiler and make: valgrind.
# Installed from the system's packages where we may; otherwise say exactly what is missing.
set -eu
command -v valgrind >/dev/null 2>&1 && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing valgrind"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq valgrind libc6-dbg >/dev/null
    exit 0
fi
echo "valgrind is missing: the C tests run under it; install it with your system's package manager" >&2
exit 1

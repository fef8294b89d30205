#!/bin/sh
# Runs fuzz targets, all or those that are named: fuzz/run.sh SECONDS [TARGET...]
#
# What a run finds out goes to target/work/, the seeds in corpus/ stay as they are. An input that
# breaks something is kept in artifacts/, and ends the script.
set -eu
cd "$(dirname "$0")"

seconds=$1
shift
targets=${*:-graph shape cbor record parameter pathspec grant blob loader}

missing() {
    echo "fuzz: $1" >&2
    exit 1
}
# The sanitizer and the counters of coverage are not stable yet, though they are in every Rust
# that rustup installs; this lets the compiler of the project use them.
export RUSTC_BOOTSTRAP=1
runtime=$(rustc --print target-libdir)
ls "$runtime"/librustc*_rt.asan.a >/dev/null 2>&1 ||
    missing "this Rust has no AddressSanitizer: use one that rustup installed"
command -v c++ >/dev/null || missing "libFuzzer is C++: install a compiler for it, such as g++"
cargo fuzz --version >/dev/null 2>&1 ||
    cargo install --locked cargo-fuzz --version 0.13.2 ||
    missing "cargo-fuzz cannot be installed: see what cargo says above"

cargo fuzz build
for target in $targets; do
    mkdir -p "target/work/$target"
    dictionary=
    [ ! -f "dictionaries/$target" ] || dictionary=-dict=dictionaries/$target
    echo "== $target, $seconds s"
    # An input takes at most 10 s, and none of them takes 2 GiB.
    cargo fuzz run "$target" "target/work/$target" "corpus/$target" -- $dictionary \
        -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0
done

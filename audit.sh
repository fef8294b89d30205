#!/bin/sh
# Checks the dependencies of every workspace by deny.toml. What needs no network is checked first,
# so that it is known where the database of advisories cannot be reached.
set -eu
cd "$(dirname "$0")"

cargo deny --version >/dev/null 2>&1 || cargo install --locked cargo-deny --version 0.20.2

status=0
deny() {
    for lock in $(git ls-files '*Cargo.lock'); do
        manifest=$(dirname "$lock")/Cargo.toml
        echo "== $manifest: $*"
        cargo deny --locked --offline --manifest-path "$manifest" --config deny.toml \
            check --hide-inclusion-graph "$@" || status=1
    done
}

deny bans licenses sources
if cargo deny fetch db; then
    deny advisories
else
    echo "audit: the database of advisories cannot be reached, so NONE WAS LOOKED AT:" \
        "try again where RustSec's advisory-db can be cloned with git" >&2
    status=1
fi
exit $status

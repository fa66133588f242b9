#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The small programs of examples/index print the same in both worlds. BUILD is the variant's folder.
set -euo pipefail
cd "$(dirname "$0")/.."
index=${BUILD:?}/examples/index

fail() {
    echo "index.sh: $*" >&2
    exit 1
}

# same WORDS NAME: what NAME prints on the real loop has the words, and is all that it prints in
# three simulated worlds before the line on how the run went.
same() {
    local words=$1 real simulated seed
    shift
    real=$("$index" "$@") || fail "$* failed"
    grep -qF "$words" <<<"$real" || fail "$* printed: $real"
    for seed in 1 2 3; do
        simulated=$("$index" "$@" --sim $seed) || fail "$* failed with seed $seed: $simulated"
        [ "$(sed '/^seed /,$d' <<<"$simulated")" = "$real" ] ||
            fail "$* with seed $seed printed: $simulated"
    done
}

same 'Hello World' hello_world
same '4 s' display_date
same '... world' future
same 'world' coroutine
same '2, 6, 24' gather

! "$index" 2>/dev/null || fail "a missing name is no error"
! "$index" nothing 2>/dev/null || fail "a wrong name is no error"
echo "index.sh: all held"

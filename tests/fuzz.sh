#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Every fuzz target runs its whole corpus, without a fuzzer, and holds. A corpus without a target,
# or a target without a corpus, is a mistake. BUILD is the variant's folder.
set -euo pipefail
cd "$(dirname "$0")/.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fail() {
    echo "fuzz.sh: $*" >&2
    exit 1
}

for source in fuzz/*_fuzzer.c; do
    name=$(basename "$source" _fuzzer.c)
    corpus=fuzz/corpus/$name
    fuzzer=${BUILD:?}/fuzz/${name}_fuzzer
    count=$(find "$corpus" -type f | wc -l)
    [ "$count" -gt 0 ] || fail "$name has no corpus"
    "$fuzzer" "$corpus" 2>"$scratch/log" || { tail "$scratch/log"; fail "$name failed"; }
    grep -qx "$count inputs run" "$scratch/log" || fail "$name did not run all $count inputs"
done
for corpus in fuzz/corpus/*/; do
    [ -e "fuzz/$(basename "$corpus")_fuzzer.c" ] || fail "$corpus has no target"
done

# Unreadable inputs and none at all are failures, and the log of an input is there to be asked for.
! "$fuzzer" "$scratch/missing" 2>/dev/null || fail "a missing input was not noticed"
! "$fuzzer" 2>/dev/null || fail "no input is not success"
TWINLOOP_FUZZ_LOG=1 "$BUILD/fuzz/echo_fuzzer" fuzz/corpus/echo/choices 2>"$scratch/log"
grep -q ' choice stream\.' "$scratch/log" || fail "the log does not show the choices"
grep -q ' clients send ' "$scratch/log" || fail "the log does not show the steps"
echo "fuzz.sh: all held"

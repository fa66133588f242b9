#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Replays every golden trace against the examples of a variant, strictly and as a stream; then torn
# ones, which must fit up to where they are torn, and some that cannot fit.
#
#     BUILD=build/asan bash tests/traces.sh
set -uo pipefail
cd "$(dirname "$0")/.."

export BUILD=${BUILD:?the folder of a variant, build/asan say}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failures=0

# expect WHAT STATUS WORDS COMMAND...
expect() {
    local what=$1 wanted=$2 words=$3 said status
    shift 3
    said=$("$@" 2>&1)
    status=$?
    [ $status = "$wanted" ] && [[ $said == *"$words"* ]] && return
    printf 'traces.sh: %s: expected %s and "%s", got %s and\n%s\n' \
        "$what" "$wanted" "$words" $status "$said"
    failures=$((failures + 1))
}

bash scripts/traces --check || failures=$((failures + 1))

while IFS=$'\t' read -r trace program arguments _; do
    case $trace in '#'* | '') continue ;; esac
    read -r -a words <<<"$arguments"
    size=$(stat -c %s "traces/$trace.tlr")
    expect "$trace as a stream" 0 "given (0 early, 0 unused)" "$BUILD/twinloop" replay --stream \
        "traces/$trace.tlr" -- "$BUILD/examples/$program" "${words[@]}"
    for part in $((size / 4)) $((size / 2)) $((size / 10 * 9)); do
        head -c $part "traces/$trace.tlr" >"$scratch/torn.tlr"
        expect "$trace torn after $part bytes" 0 "up to where the trace is torn" \
            "$BUILD/examples/$program" "${words[@]}" --replay "$scratch/torn.tlr"
        expect "$trace torn after $part bytes, as a stream" 0 "replay short" \
            "$BUILD/twinloop" replay --stream "$scratch/torn.tlr" -- \
            "$BUILD/examples/$program" "${words[@]}"
    done
done <traces/index.tsv

expect "another address than the trace has" 8 "diverged at event" \
    "$BUILD/examples/kv" --host 0.0.0.0 --port 0 --replay traces/kv-redis-cli.tlr
expect "what is no trace" 2 "no trace" \
    "$BUILD/examples/kv" --port 0 --replay traces/README.md

expect "another address, which a stream replay does not mind" 0 "replay complete" \
    "$BUILD/twinloop" replay --stream traces/kv-redis-cli.tlr -- \
    "$BUILD/examples/kv" --host 0.0.0.0 --port 0
expect "a program that is another one" 8 "the program closes it after" \
    "$BUILD/twinloop" replay --stream traces/kv-redis-cli.tlr -- "$BUILD/examples/echo" --port 0
expect "a program that serves other files" 8 "the program asks for what the trace" \
    "$BUILD/twinloop" replay --stream traces/http-curl.tlr -- \
    "$BUILD/examples/http" --port 0 --root examples
expect "what is no trace, as a stream" 2 "no trace" \
    "$BUILD/twinloop" replay --stream traces/README.md -- "$BUILD/examples/kv" --port 0

[ $failures = 0 ]

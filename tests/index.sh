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

same 'Received: abc' watch_fd
same 'The socket has been closed' existing_socket

# simulate ARGS...: what a simulated run prints before the line on how it went, for three seeds.
simulate() {
    local seed
    for seed in 1 2 3; do
        "$index" "$@" --sim $seed >"$folder/simulated" || fail "$* failed with seed $seed"
        sed '/^seed /,$d' "$folder/simulated"
        echo "--"
    done
}

# start ARGS...: starts a program that prints a first line and waits; sets pid, first and output.
start() {
    exec {output}< <(exec "$index" "$@")
    pid=$!
    read -r -t 60 first <&"$output" || fail "$* printed nothing"
}

# stop FILE: ends it by SIGTERM, and writes what it printed after the first line to a file.
stop() {
    kill -TERM "$pid"
    cat <&"$output" >"$1"
    wait "$pid" || fail "a program failed on SIGTERM, after it had printed: $(cat "$1")"
    exec {output}<&-
}

# thrice FILE: what simulate prints, if every run printed the file.
thrice() {
    local i
    for i in 1 2 3; do
        cat "$1"
        echo "--"
    done
}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# signals: here kill sends it, there the world.
start signals
stop "$folder/rest"
{ echo "$first" && cat "$folder/rest"; } >"$folder/signals"
grep -qF 'got signal SIGTERM: exit' "$folder/signals" || fail "signals: $(cat "$folder/signals")"
[ "$(simulate signals)" = "$(thrice "$folder/signals")" ] || fail "signals: $(simulate signals)"

# echo_pair WORDS NAME: a server and its client. Which of the two says something first is left open, so
# each one's lines are compared.
lines_of() {
    sed -n '/^listening on /d; s/^\(--\|Server .*\|Connection made\)$/\1/p'
}
lines_not_of() {
    sed '/^listening on /d; /^\(Server .*\|Connection made\)$/d'
}

echo_pair() {
    local words=$1 name=$2 simulated
    start "$name" --port 0
    "$index" "$name" --client --port "${first##*:}" >"$folder/client" || fail "$name failed"
    stop "$folder/server"
    grep -qF "$words" "$folder/client" || fail "$name printed: $(cat "$folder/client")"
    simulated=$(simulate "$name")
    [ "$(lines_of <<<"$simulated")" = "$(thrice "$folder/server")" ] ||
        fail "$name's server printed: $simulated"
    [ "$(lines_not_of <<<"$simulated")" = "$(thrice "$folder/client")" ] ||
        fail "$name's client printed: $simulated"
}

echo_pair 'Client received: Hello World!' tcp_echo
echo_pair 'Client received: Hello World!' udp_echo

! "$index" 2>/dev/null || fail "a missing name is no error"
! "$index" nothing 2>/dev/null || fail "a wrong name is no error"
echo "index.sh: all held"

# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034  # what sources this uses the rest
#
# For tests of examples as programs: starting a server on a real socket and ending it, talking to it
# and comparing what it says; and what every example does in simulated worlds. Sourced; sets build,
# scratch (a folder that goes at the end) and failures, by which the test ends.

build=${BUILD:?the folder of a variant, build/asan say}
scratch=$(mktemp -d)
failures=0
servers=()

clean_up() {
    for pid in "${servers[@]}"; do kill -KILL "$pid" 2>/dev/null; done
    rm -rf "$scratch"
}
trap clean_up EXIT

# expect WHAT WANTED GOT
expect() {
    [ "$2" = "$3" ] && return
    printf '%s: %s: expected\n%s\ngot\n%s\n' "$(basename "$0")" "$@"
    failures=$((failures + 1))
}

# contains WHAT WORDS TEXT
contains() {
    [[ $3 == *"$2"* ]] && return
    printf '%s: %s: expected to find\n%s\nin\n%s\n' "$(basename "$0")" "$@"
    failures=$((failures + 1))
}

# serve PROGRAM ARGS...: starts a server on a free port; sets server and port once it listens.
serve() {
    local line=
    exec {output}< <(exec "$@" --port 0 2>"$scratch/stderr")
    server=$!
    servers+=("$server")
    read -r -t 60 line <&"$output"
    contains "what a server prints" "listening on 127.0.0.1:" "$line"
    port=${line##*:}
}

# stop SIGNAL: ends the server; sets status.
stop() {
    kill -"$1" "$server"
    wait "$server"
    status=$?
    exec {output}<&-
}

# talk REQUEST: the raw answer to a raw request, up to the end of the connection.
talk() {
    exec {socket}<>"/dev/tcp/127.0.0.1/$port" || return
    printf "$1" >&"$socket"
    timeout 60 cat <&"$socket"
    exec {socket}>&-
}

# another_there PROGRAM: starts a second server on the port, and expects it to say why it cannot.
another_there() {
    local message
    message=$("$1" --port "$port" 2>&1)
    expect "the exit code when the port is in use" 1 $?
    contains "the message then" "127.0.0.1:$port" "$message"
}

# scenario NAME SEEDS TWICE: explores so many worlds of the example's scenario, in which everything
# has to be right, and runs so many of them in two processes.
scenario() {
    local said
    said=$("$build/examples/$1_scenario" explore --seeds "1:$2" --failures "$scratch/failures" 2>&1)
    expect "the exit code of the scenario" 0 $?
    contains "what the scenario says" "$2 seeds from 1: $2 held" "$said"
    said=$("$build/examples/$1_scenario" twice --seeds "1:$3" 2>&1)
    expect "the exit code of the scenario, twice" 0 $?
    contains "what it says then" "$3 seeds twice: 0 differed" "$said"
}

# simulate NAME OPTIONS... [-- OPTIONS...]: the program in a simulated world, twice, recorded there
# and replayed here, where the second options say what the simulated one was told otherwise. Sets
# said.
simulate() {
    local program=$build/examples/$1 options=() message
    shift
    while [ $# -gt 0 ] && [ "$1" != -- ]; do options+=("$1"); shift; done
    shift $(($# > 0))
    said=$("$program" --sim 3 "${options[@]}")
    expect "the exit code of --sim" 0 $?
    contains "what --sim prints" "seed 3: held after" "$said"
    expect "the same seed again" "$said" "$("$program" "${options[@]}" --sim=3)"
    message=$("$program" --sim 3 "${options[@]}" --record "$scratch/sim.tlr" 2>&1)
    expect "the exit code of --sim with --record" 0 $?
    expect "recording changes nothing" "$said" "$message"
    message=$("$program" --host 0.0.0.0 "$@" --replay "$scratch/sim.tlr" 2>&1)
    expect "the exit code of --replay" 0 $?
    contains "what --replay prints" "replay complete" "$message"
}

# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034  # what sources this uses the rest
#
# For tests of examples as programs on real sockets: starting a server and ending it, talking to it,
# and comparing what it says. Sourced; sets build, scratch (a folder that goes at the end) and
# failures, by which the test ends.

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

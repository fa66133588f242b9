#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The kv example as a program on real sockets: what it prints, its exit codes, its manners on
# signals, and that it talks to bash, to its own client and, where there is one, to redis-cli.
#
#     BUILD=build/asan bash tests/kv.sh
set -uo pipefail

. "$(dirname "$0")/support/servers.bash"

for kv in "$build/examples/kv" "$build/production/kv"; do
    serve "$kv"

    expect "an array and an inline request" $'+OK\r\n$1\r\nv\r\n+OK\r' \
        "$(talk '*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\nGET k\r\nQUIT\r\n')"
    expect "a protocol error, then the end" $'+PONG\r\n-ERR Protocol error: invalid bulk length\r' \
        "$(talk 'PING\r\n*1\r\n$x\r\nPING\r\n')"

    said=$("$kv" --client --port "$port" --commands 100 2>&1)
    expect "the client's exit code" 0 $?
    expect "its own client" "404 answers on 4 connections, all of them right" "$said"
    expect "its client that is slow, and takes its time" \
        "202 answers on 2 connections, all of them right" \
        "$("$kv" --client --port "$port" --connections 2 --commands 100 --think 20 --slow 300 2>&1)"

    another_there "$kv"

    if command -v redis-cli >/dev/null; then
        expect "redis-cli" $'OK\n"v\\n"\n(integer) 1\n(nil)\n(error) ERR unknown command '"'frob'"', with args beginning with: '"'x'" \
            "$(printf 'SET r "v\\n"\nGET r\nINCR n\nGET nothing\nfrob x\n' |
                redis-cli --no-raw -p "$port" | sed 's/ *$//' | grep -v '^$')"
    fi

    # Neither a client that is silent nor one that reads none of its answers keeps the server from
    # ending.
    exec {idle}<>"/dev/tcp/127.0.0.1/$port" {slow}<>"/dev/tcp/127.0.0.1/$port"
    {
        printf '*3\r\n$3\r\nSET\r\n$5\r\nlarge\r\n$100000\r\n%0100000d\r\n' 7
        for _ in {1..200}; do printf 'GET large\r\n'; done
    } >&"$slow"
    stop TERM
    expect "the exit code after SIGTERM" 0 $status
    exec {idle}>&- {slow}>&-
    expect "what it said about errors" "" "$(cat "$scratch/stderr")"

    message=$("$kv" --client --port "$port" 2>&1)
    expect "a client's exit code where nobody serves" 1 $?
    contains "the message then" "127.0.0.1:$port" "$message"

    serve "$kv"
    stop INT
    expect "the exit code after SIGINT" 0 $status

    message=$("$kv" --frob 2>&1)
    expect "the exit code of an unknown option" 2 $?
    contains "the message then" "usage: kv" "$message"
    message=$("$kv" --port 65536 2>&1)
    expect "the exit code of a value out of range" 2 $?
    message=$("$kv" --client=1 2>&1)
    expect "the exit code of a flag with a value" 2 $?
    contains "--help" "--port N" "$("$kv" --help)"
done

# The scenario: hundreds of networks in which every answer is right, and the same in two processes.
scenario kv 300 60

# The same program in a simulated world, recorded there and replayed here.
simulate kv --commands=200
contains "what its client prints" "804 answers on 4 connections, all of them right" "$said"
message=$("$build/examples/kv" --sim 4 --commands 200)
[ "${message##*seed 4}" != "${said##*seed 3}" ] || expect "another seed" "another run" "the same"

message=$("$build/production/kv" --sim 2>&1)
expect "the exit code of --sim without a simulator" 2 $?
contains "the message then" "this build has no simulator" "$message"

[ $failures = 0 ]

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Stream replays of what the contract tests do: each body is recorded on the real kernel and in the
# simulator, and then has to get through a stream replay of that. Both ends of its connections are in
# it, and its assertions see to it that it was told the same things.
#
# These are the tests of what a program sees of the world, through the loop. Left out are those of
# the seam itself, which count its answers one by one; those that wait for something by looking
# again and again without waiting (signal, connect_names); those in which one end has to wait for
# what the other one says, when both are the program's (kv, stream_random); and those that put
# themselves between the loop and the recorder (accept).
#
#     BUILD=build/asan bash tests/stream_replay.sh
set -uo pipefail
cd "$(dirname "$0")/.."

failures=0
for name in asyncgen child connect datagram datagram_by_name datagram_errors debug exception \
    executor executor_end file future gather getaddrinfo given lifecycle loop peers pipe_fail \
    pipe_given pipe_transport policy post refusals schedule sendfile sendfile_end serve_forever \
    server server_close server_names sock sock_blocking sock_by_name sock_sendfile stream \
    stream_buffered stream_end stream_flow stream_report stream_state stream_write task \
    task_cancel task_end timers tls unclosed unix_transport wait_for; do
    said=$(CONTRACT_REPLAY=stream "${BUILD:?the folder of a variant}/tests/contract_$name" \
        'replay-*' 2>&1)
    status=$?
    [ $status = 0 ] && [[ $said == *'[  PASSED  ]'* && $said != *'is refused'* ]] && continue
    printf 'stream_replay.sh: contract_%s: status %s\n%s\n' "$name" $status \
        "$(grep -v 'RUN  \|  OK \]' <<<"$said")"
    failures=$((failures + 1))
done

[ $failures = 0 ]

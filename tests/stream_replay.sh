#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Stream replays of what the contract tests do: each body is recorded on the real kernel and in the
# simulator, and then has to get through a stream replay of that. Both ends of its connections are in
# it, and its assertions see to it that it was told the same things.
#
# These are the tests of what a program sees of the world, through the loop. Left out are those of
# the seam itself, which count its answers one by one, those that wait for something by looking
# again and again without waiting, and those of which a trace would be refused.
#
#     BUILD=build/asan bash tests/stream_replay.sh
set -uo pipefail
cd "$(dirname "$0")/.."

failures=0
for name in stream stream_end stream_flow stream_write connect server server_close timers \
    executor executor_end post datagram datagram_errors sendfile sendfile_end sock_sendfile file \
    pipe_transport pipe_fail pipe_given given unix_transport child; do
    said=$(CONTRACT_REPLAY=stream "${BUILD:?the folder of a variant}/tests/contract_$name" \
        'replay-*' 2>&1)
    status=$?
    # Reading at a file's own position is what no script has.
    for left_out in read_and_write_have_a_position_of_their_own \
        directories_can_be_opened_and_not_read; do
        said=${said//$left_out: the trace is refused/}
    done
    [ $status = 0 ] && [[ $said == *'[  PASSED  ]'* && $said != *'is refused'* ]] && continue
    printf 'stream_replay.sh: contract_%s: status %s\n%s\n' "$name" $status \
        "$(grep -v 'RUN  \|  OK \]' <<<"$said")"
    failures=$((failures + 1))
done

[ $failures = 0 ]

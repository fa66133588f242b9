#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The program `twinloop`, as somebody uses it: on traces that are whole, torn, broken or none, and
# with programs that do the same again, something else, or nothing of the kind. The program that is
# recorded and replayed is tests/test_replay.c.
#
#     BUILD=build/asan bash tests/tool.sh
set -uo pipefail
cd "$(dirname "$0")/.."

twinloop=${BUILD:?the folder of a variant, build/asan say}/twinloop
program=$BUILD/tests/test_replay
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failures=0

# expect STATUS PATTERN COMMAND...   PATTERN: an extended regular expression, for some line of what
# the command prints.
expect() {
    local wanted=$1 pattern=$2 said status
    shift 2
    said=$("$@" 2>&1 </dev/null)
    status=$?
    [ $status = "$wanted" ] && grep -Eq -- "$pattern" <<<"$said" && return
    printf 'tool.sh: %s\nexpected %s and "%s", got %s and\n%s\n\n' \
        "$*" "$wanted" "$pattern" $status "$said"
    failures=$((failures + 1))
}

# --- The command line ---

version=$(sed -n 's/.*TL_VERSION "\(.*\)"/\1/p' include/twinloop/version.h)
expect 0 "^twinloop ${version//./\\.}, trace format 1\.1$" "$twinloop" --version
expect 0 '^usage: twinloop' "$twinloop" --help
expect 2 '^usage: twinloop' "$twinloop"
expect 2 "^twinloop: there is no command 'frob'$" "$twinloop" frob
expect 2 '^usage: twinloop' "$twinloop" --frob
expect 2 '^usage: twinloop' "$twinloop" dump
expect 2 '^usage: twinloop' "$twinloop" dump --frob "$scratch/a"
expect 2 '^usage: twinloop' "$twinloop" dump --stream x "$scratch/a"
expect 2 '^usage: twinloop' "$twinloop" dump "$scratch/a" "$scratch/b"
expect 2 '^usage: twinloop' "$twinloop" stat
expect 2 '^usage: twinloop' "$twinloop" replay "$scratch/a"
expect 2 '^usage: twinloop' "$twinloop" replay "$scratch/a" "$program"

# --- A whole trace ---

trace=$scratch/trace.tlr
expect 0 '^ran: OK$' "$program" record "$trace"
expect 0 '^# trace format 1\.1, twinloop .*, program test_replay, output as hash$' \
    "$twinloop" dump "$trace"
expect 0 '^# stream 0: kernel real, thread main, began 1[0-9]{9}\.[0-9]{9} s' \
    "$twinloop" dump "$trace"
expect 0 '^0 +[0-9]+ +[0-9]+\.[0-9]{9}  poll timeout=0(\.00[0-9]{7})? -> 0$' "$twinloop" dump "$trace"
expect 0 '^0 +[0-9]+ +0\.[0-9]{9}  destroy -> 0$' "$twinloop" dump --stream 0 "$trace"
expect 0 '  now -> [0-9]+$' "$twinloop" dump --clocks "$trace"
expect 2 'there is no stream 1$' "$twinloop" dump --stream 1 "$trace"
expect 0 '^[0-9]+ bytes, [0-9]+ chunks, 1 streams$' "$twinloop" stat "$trace"
expect 0 '^  [0-9]+ events in [0-9]+\.[0-9]{9} s, 0 bytes in, 0 bytes out, closed$' \
    "$twinloop" stat "$trace"
expect 0 'poll +[0-9]+' "$twinloop" stat "$trace"
expect 2 'standard output' bash -c '"$0" dump "$1" >/dev/full' "$twinloop" "$trace"

# --- Traces that are something else ---

size=$(stat -c %s "$trace")
head -c $((size - 3)) "$trace" >"$scratch/torn.tlr"
expect 2 '^twinloop: .*torn\.tlr: byte [0-9]+: the file ends within a chunk$' \
    "$twinloop" dump "$scratch/torn.tlr"
expect 2 '  destroy -> 0$' "$twinloop" dump "$scratch/torn.tlr"
expect 2 '^[0-9]+ bytes are damaged$' "$twinloop" stat "$scratch/torn.tlr"
# The thread's name stands in the middle of a chunk, wherever that begins.
middle=$(grep -abo main "$trace" | head -n 1 | cut -d: -f1)
{ head -c "$middle" "$trace"; printf n; tail -c +$((middle + 2)) "$trace"; } >"$scratch/wrong.tlr"
expect 2 '^twinloop: .*wrong\.tlr: byte [0-9]+: a chunk with a wrong checksum$' \
    "$twinloop" stat "$scratch/wrong.tlr"
{ head -c 11 "$trace"; printf '\007'; tail -c +13 "$trace"; } >"$scratch/version.tlr"
expect 2 'version\.tlr: byte 0: a trace of format version 7, where this reads version 1$' \
    "$twinloop" dump "$scratch/version.tlr"
: >"$scratch/empty"
for command in dump stat; do
    expect 2 'Makefile: byte 0: this is no trace$' "$twinloop" $command Makefile
    expect 2 'missing: byte 0: No such file or directory$' "$twinloop" $command "$scratch/missing"
    expect 2 'byte 0: this is no file$' "$twinloop" $command "$scratch"
    expect 2 'byte 0: this is no file$' "$twinloop" $command /dev/null
    expect 2 'empty: byte 0: the file is empty$' "$twinloop" $command "$scratch/empty"
done
expect 2 'this is no trace$' "$twinloop" replay Makefile -- "$program" run

# --- Replays ---

run=("$twinloop" replay "$trace" -- "$program" run)
expect 0 '^twinloop: replay complete: all [0-9]+ events matched$' "${run[@]}"
expect 0 '^ran: OK$' "${run[@]}"
expect 8 '^twinloop: replay diverged: diverged at event [0-9]+ of stream 0, .*: another timeout$' \
    "${run[@]}" later
expect 8 '^  the program does  poll timeout=[01](\.[0-9]{9})?$' "${run[@]}" later
expect 8 '^ran: TL_EDIVERGED$' "${run[@]}" later
expect 8 '^twinloop: replay incomplete: stream 0: [0-9]+ events matched, more' "${run[@]}" leave
expect 8 'makes a loop too many; the trace has 1$' "${run[@]}" twice
expect 3 'test_replay was killed by signal 9$' "${run[@]}" crash
expect 2 'replayed nothing: it made no loop' "$twinloop" replay "$trace" -- true
expect 2 'missing: No such file or directory$' "$twinloop" replay "$trace" -- "$scratch/missing"
expect 0 '^twinloop: replay complete' "$twinloop" replay "$scratch/torn.tlr" -- "$program" run
expect 2 'cannot be read: byte 0: this is no trace$' \
    bash -c 'TWINLOOP_REPLAY=Makefile "$0" run; exit $(($? + 1))' "$program"

# The same as a stream: what it does not mind, and what it does.
stream=("$twinloop" replay --stream "$trace" -- "$program" run)
expect 0 '^twinloop: replay complete: 0 inputs given \(0 early, 0 unused\), 0 bytes of output' "${stream[@]}"
expect 0 '^twinloop: replay complete' "${stream[@]}" later
expect 8 '^twinloop: replay incomplete: stream 0: 0 inputs given .*, more are in the trace$' \
    "${stream[@]}" leave
expect 8 'makes a loop too many; the trace has 1$' "${stream[@]}" twice
expect 0 '^twinloop: replay complete' "$twinloop" replay --stream "$scratch/torn.tlr" -- "$program" run
expect 2 '^usage: twinloop' "$twinloop" replay --stream "$trace" "$program"
expect 2 'this is no trace$' "$twinloop" replay --stream Makefile -- "$program" run
expect 1 "TWINLOOP_REPLAY_MODE is 'frob', neither strict nor stream$" \
    env TWINLOOP_REPLAY="$trace" TWINLOOP_REPLAY_MODE=frob "$program" run

# Without the tool the outcome is a message, if it is a bad one.
expect 0 '^ran: OK$' env TWINLOOP_REPLAY="$trace" "$program" run
expect 0 '^twinloop: error: replay diverged: ' env TWINLOOP_REPLAY="$trace" "$program" run later

# Two loops, of which one is never closed.
expect 0 '^ran: OK$' "$program" record "$trace" twice
expect 0 '^twinloop: replay complete' "${run[@]}" twice
expect 8 '^twinloop: replay incomplete: stream 1: 0 events matched' "${run[@]}"
expect 0 '^ran: OK$' "$program" record "$trace" leave
expect 0 '^twinloop: replay short: stream 0: [0-9]+ events matched, and the trace says no more$' \
    "${run[@]}" leave

[ $failures = 0 ]

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A whole scenario program under the runner: hundreds of seeds hold, a seed is the same run every
# time and in every command, and nothing is left behind. BUILD is the variant's folder.
set -euo pipefail
cd "$(dirname "$0")/.."
echo_scenario=${BUILD:?}/examples/echo_scenario

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export TMPDIR=$scratch/tmp
mkdir "$TMPDIR"

fail() {
    echo "explore.sh: $*" >&2
    exit 1
}

# Every client of every seed gets its bytes back.
"$echo_scenario" explore --seeds 1:300 --failures "$scratch/failures" >"$scratch/sweep" ||
    { cat "$scratch/sweep"; fail "a seed failed"; }
grep -q '^300 seeds from 1: 300 held; ' "$scratch/sweep" || fail "the summary is not there"
[ ! -e "$scratch/failures" ] || fail "a sweep without failures made a directory for them"

# The configuration comes first; a second time everything is the same.
"$echo_scenario" run --seed 7 >"$scratch/one"
"$echo_scenario" run --seed 7 >"$scratch/other"
cmp "$scratch/one" "$scratch/other"
head -n 1 "$scratch/one" | grep -q '^echo: seed 7, strategy seed, clients=' ||
    fail "the first line is not the configuration"
"$echo_scenario" run --seed 8 >"$scratch/other"
! cmp -s "$scratch/one" "$scratch/other" || fail "two seeds are the same run"

# A seed alone and among others, watched and not, with a log and without.
hashes=$(sed -n 's/^hashes: schedule \([0-9a-f]*\), content \([0-9a-f]*\)$/\1 \2/p' "$scratch/one")
"$echo_scenario" hashes --seeds 1:20 --jobs 3 >"$scratch/hashes"
grep -qx "7 $hashes held" "$scratch/hashes" || fail "hashes says something else than run"
"$echo_scenario" run --seed 7 --here | grep -q "content ${hashes#* }$" ||
    fail "--here changes the run"
"$echo_scenario" run --seed 7 --log "$scratch/log" | grep -q "content ${hashes#* }$" ||
    fail "--log changes the run"
[ -s "$scratch/log" ] || fail "there is no log"

# Debug mode is on in there, and changes nothing.
"$echo_scenario" hashes --seeds 1:20 --debug | cmp - "$scratch/hashes" ||
    fail "--debug changes the run"

# Out of time is no failure, and the progress lines of a file are lines.
"$echo_scenario" explore --time 1s >"$scratch/sweep" 2>"$scratch/progress"
grep -q '; out of time$' "$scratch/sweep" || fail "--time did not end the sweep"
! grep -q "$(printf '\033')" "$scratch/progress" || fail "escape sequences in a file"

# A reader that goes away takes the runner with it.
{ "$echo_scenario" hashes --seeds 1:100000000 || true; } | head -n 1 >/dev/null

[ -z "$(ls -A "$TMPDIR")" ] || fail "temporary files are left"
echo "explore.sh: all held"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Names under the runner: hundreds of seeds of the scenario in which what a name stands for changes
# hold, and two processes that agree on nothing but the seed run them the same way. BUILD is the
# variant's folder.
set -euo pipefail
cd "$(dirname "$0")/.."
names_scenario=${BUILD:?}/examples/names_scenario

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export TMPDIR=$scratch/tmp
mkdir "$TMPDIR"

fail() {
    echo "names.sh: $*" >&2
    exit 1
}

"$names_scenario" explore --seeds 1:300 --failures "$scratch/failures" >"$scratch/sweep" ||
    { cat "$scratch/sweep"; fail "a seed failed"; }
grep -q '^300 seeds from 1: 300 held; ' "$scratch/sweep" || fail "the summary is not there"

"$names_scenario" twice --seeds 1:300 >"$scratch/twice" ||
    { cat "$scratch/twice"; fail "a seed differed"; }
grep -q '^names: 300 seeds twice: 0 differed; ' "$scratch/twice" || fail "no summary of twice"

# What there is to go wrong about names does, in some seed or other.
for seed in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
    "$names_scenario" sites --seed "$seed"
done >"$scratch/sites"
for site in resolve.delay resolve.order resolve.failed; do
    awk -v site="$site" '$1 == site { other += $5 } END { exit other == 0 }' "$scratch/sites" ||
        fail "$site has never been anything but plain"
done

[ -z "$(ls -A "$TMPDIR")" ] || fail "temporary files are left"
echo "names.sh: all held"

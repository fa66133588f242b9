#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Two processes that agree on nothing but the seed run the same way: the example scenario does, and
# a program that sorts by address is caught, with the first event that differs. BUILD is the
# variant's folder.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${BUILD:?}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export TMPDIR=$scratch/tmp
mkdir "$TMPDIR"

"$build/examples/echo_scenario" twice --seeds 1:200 | tee "$scratch/echo"
grep -q '^echo: 200 seeds twice: 0 differed; ' "$scratch/echo"

status=0
"$build/tests/test_planted" pointer twice --seeds 1:40 --show 1 >"$scratch/pointer" || status=$?
[ $status = 5 ] || { cat "$scratch/pointer"; echo "twice.sh: exit code $status, not 5"; exit 1; }
grep -q '^first difference: event [1-9][0-9]*$' "$scratch/pointer"
sed -n '/^NOT/,/^reproduce/p;/^reproduce/q' "$scratch/pointer"

[ -z "$(ls -A "$TMPDIR")" ] || { echo "twice.sh: temporary files are left"; exit 1; }

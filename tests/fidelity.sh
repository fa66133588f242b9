#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Random programs of kernel operations answer the same on Linux and on the simulated kernel
# (tests/fidelity/), and a program that is given as text is run and judged.
#
#     BUILD=build/asan bash tests/fidelity.sh
set -uo pipefail
cd "$(dirname "$0")/.."

fidelity=${BUILD:?the folder of a variant, build/asan say}/tests/fidelity
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

"$fidelity" --stats || exit 1

cat >"$scratch/program" <<'END'
# a connection, and a byte
socket 0 tcp
bind 0 loopback free
listen 0 1
socket 1 tcp
connect 1 @0
accept 2 @0
write 1 1 1
read 2 100 3
END
said=$("$fidelity" --program "$scratch/program") && [[ $said == *"they agree"*"read 2 100 3"* ]] ||
    { echo "fidelity.sh: --program: $said"; exit 1; }
echo 'write nowhere' >"$scratch/program"
"$fidelity" --program "$scratch/program" 2>/dev/null
[ $? = 2 ] || { echo "fidelity.sh: nonsense is taken"; exit 1; }

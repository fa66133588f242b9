#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The dns example as a program on real sockets: what dig says of its answers, what its own client
# does, its exit codes, its manners on signals; then its scenario, and a run in the simulator.
#
#     BUILD=build/asan bash tests/dns.sh
set -uo pipefail

. "$(dirname "$0")/support/servers.bash"

# ask ARGS...: dig's answer. It tries as often as it likes: the machine may be busy.
ask() { dig @127.0.0.1 -p "$port" +tries=5 +time=10 +ignore "$@"; }

# the_answers: what dig is asked, and what it has to say.
the_answers() {
    expect "A" "192.0.2.1" "$(ask +short twinloop.example)"
    expect "AAAA" "2001:db8::1" "$(ask +short twinloop.example AAAA)"
    expect "TXT" '"a loop and its twin"' "$(ask +short twinloop.example TXT)"
    expect "an alias" $'twinloop.example.\n192.0.2.1' "$(ask +short WWW.twinloop.example)"
    expect "SOA" \
        "ns.twinloop.example. hostmaster.twinloop.example. 2025822785 3600 900 604800 300" \
        "$(ask +short twinloop.example SOA)"
    contains "a name that is not there" "status: NXDOMAIN" "$(ask nothing.twinloop.example)"
    contains "its authority" "SOA" "$(ask nothing.twinloop.example)"
    contains "a name without such a record" "status: NOERROR" "$(ask down.twinloop.example)"
    contains "somebody else's name" "status: REFUSED" "$(ask www.example)"
    contains "an answer too long for 512 bytes" "flags: qr aa tc rd" \
        "$(ask +noedns many.twinloop.example)"
    expect "one that EDNS makes room for" 40 "$(ask +short many.twinloop.example | wc -l)"
    contains "an answer too long for a datagram" "flags: qr aa tc rd" \
        "$(ask long.twinloop.example TXT)"
    expect "the whole of it, over TCP" 24 \
        "$(ask +noignore +short long.twinloop.example TXT | grep -o 'A line' | wc -l)"
    expect "one too long for 512 bytes, over TCP" 40 \
        "$(ask +noignore +noedns +short many.twinloop.example | wc -l)"
    contains "a question asked over TCP" "status: NXDOMAIN" "$(ask +tcp nothing.twinloop.example)"
    contains "EDNS" "EDNS: version: 0, flags:; udp: 1232" "$(ask twinloop.example)"
    contains "EDNS of a later version" "status: BADVERS" \
        "$(ask +edns=1 +noednsneg twinloop.example)"
    contains "an operation that is none of ours" "status: NOTIMP" \
        "$(ask +opcode=status twinloop.example)"
    contains "a header alone" "status: FORMERR" "$(ask +header-only +noedns twinloop.example)"
}

# hex REQUEST: the raw answer over TCP, in hexadecimal.
hex() { talk "$1" | od -An -v -tx1 | tr -d ' \n'; }

# the_streams: what becomes of bytes over TCP that dig would never send.
the_streams() {
    local root='\0\x11\x12\x34\x01\0\0\x01\0\0\0\0\0\0\0\0\x02\0\x01'
    local refused=00111234810500010000000000000000020001
    expect "two questions at once, and one of no bytes" "$refused$refused" "$(hex "$root$root\0\0")"
    expect "a message of no bytes" "" "$(hex '\0\0')"
    expect "a message that is none" "" "$(hex '\0\x05hello')"
    expect "an answer instead of a question" "" "$(hex '\0\x0c\0\0\x80\0\0\0\0\0\0\0\0\0')"
}

for dns in "$build/examples/dns" "$build/production/dns"; do
    serve "$dns"
    if command -v dig >/dev/null; then the_answers
    else echo "dns.sh: dig is not installed (scripts/deps test): nothing is asked by it"; fi

    the_streams
    said=$("$dns" --client --port "$port" --tries 16 2>&1)
    expect "the client's exit code" 0 $?
    contains "its own client" "100 questions answered, all of them right, 10 over TCP" "$said"
    another_there "$dns"
    stop TERM
    expect "the exit code after SIGTERM" 0 $status
    expect "what it said about errors" "" "$(cat "$scratch/stderr")"

    message=$("$dns" --client --port "$port" --tries 2 2>&1)
    expect "a client's exit code where nobody serves" 1 $?
    contains "the message then" "no answer" "$message"
    serve "$dns"
    stop INT
    expect "the exit code after SIGINT" 0 $status
    "$dns" --host nowhere 2>/dev/null
    expect "the exit code of an address that is none" 2 $?
done

# A zone of one's own, and what is said of a bad one.
zone() { printf '%s\n' '$ORIGIN example.org.' '$TTL 60' '@ SOA ns me 1 2 3 4 5' "$@" >"$scratch/zone"; }
zone 'ns A 192.0.2.53' '   TXT "my own"'
serve "$build/examples/dns" --zone "$scratch/zone"
if command -v dig >/dev/null; then
    expect "a zone of one's own" "192.0.2.53" "$(ask +short ns.example.org)"
    contains "the zone that is built in" "status: REFUSED" "$(ask twinloop.example)"
fi
stop TERM
expect "its exit code" 0 $status
zone 'ns A 192.0.2.53' 'www A 192.0.2'
message=$("$build/examples/dns" --port 0 --zone "$scratch/zone" 2>&1)
expect "the exit code of a bad zone" 1 $?
expect "what is said of it" "dns: $scratch/zone: line 5: '192.0.2' is not an address of IPv4" \
    "$message"
message=$("$build/examples/dns" --port 0 --zone "$scratch/nowhere" 2>&1)
expect "the exit code of a zone that is not there" 1 $?
expect "what is said then" "dns: $scratch/nowhere: No such file or directory" "$message"
message=$("$build/examples/dns" --port 0 --zone "$scratch" 2>&1)
expect "the exit code of a folder" 1 $?

# The scenario: hundreds of bad networks in which every answer comes and is right.
scenario dns 300 40

# The same program in a simulated world, recorded there and replayed here.
simulate dns

[ $failures = 0 ]

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The http example as a program on real sockets: to curl, to a client that sends its requests in one
# go, to its own client and, where there is one, to wrk; its exit codes and its manners on signals;
# then its scenario.
#
#     BUILD=build/asan bash tests/http.sh
set -uo pipefail

. "$(dirname "$0")/support/servers.bash"

# code ARGS...: the status that curl is answered with.
code() {
    curl -sS -m 60 -o "$scratch/body" -w '%{http_code}' "$@"
}

# same WHAT OFFSET COUNT: whether the body is this part of file-4.bin.
same() {
    cmp -s <(tail -c "+$(($2 + 1))" "$scratch/www/file-4.bin" | head -c "$3") "$scratch/body" &&
        return
    printf 'http.sh: %s: other bytes\n' "$1"
    failures=$((failures + 1))
}

mkdir -p "$scratch/www/folder"
echo secret >"$scratch/secret"
echo '<p>hello' >"$scratch/www/index.html"
for http in "$build/examples/http" "$build/production/http"; do
    serve "$http" --root "$scratch/www/" --make-files
    site=http://127.0.0.1:$port

    if command -v curl >/dev/null; then
        expect "a file" 200 "$(code "$site/file-4.bin")"
        same "a file" 0 600000
        expect "a range" 206 "$(code -r 1000-70000 "$site/file-4.bin")"
        same "a range" 1000 69001
        expect "an open range" 206 "$(code -r 599990- "$site/file-4.bin")"
        same "an open range" 599990 10
        expect "a suffix" 206 "$(code -r -100 "$site/file-4.bin")"
        same "a suffix" 599900 100
        expect "a range that is not there" 416 "$(code -r 600000- "$site/file-4.bin")"
        expect "ranges, which are not combined" 200 "$(code -r 0-1,5-6 "$site/file-4.bin")"
        same "ranges, which are not combined" 0 600000
        expect "the index" 200 "$(code "$site/")"
        expect "its bytes" '<p>hello' "$(cat "$scratch/body")"
        expect "an empty file" 200 "$(code "$site/file-0.bin")"
        expect "its bytes" "" "$(cat "$scratch/body")"
        expect "what is not there" 404 "$(code "$site/nothing")"
        expect "a folder" 404 "$(code "$site/folder")"
        expect "a way out" 404 "$(code --path-as-is "$site/../secret")"
        expect "a way out in disguise" 404 "$(code --path-as-is "$site/%2e%2e/secret")"
        expect "a broken escape" 400 "$(code --path-as-is "$site/%zz")"
        expect "another method" 405 "$(code -d body "$site/file-1.bin")"
        expect "a head that is too large" 431 "$(code -H "X: $(printf '%09000d' 7)" "$site/")"
        tomorrow=$(date -u -d '+1 day' '+%a, %d %b %Y %H:%M:%S GMT')
        expect "one that is not newer" 304 "$(code -z "$tomorrow" "$site/file-4.bin")"
        expect "HEAD" "200 600000" "$(curl -sSI -m 60 "$site/file-4.bin" | tr -d '\r' |
            awk '/^HTTP/ {status = $2} /^Content-Length/ {print status, $2}')"
        expect "one connection for all" "0 0 1" "$(curl -sS -m 60 -w '%{num_connects}\n' \
            -o /dev/null "$site/file-2.bin" -o /dev/null "$site/nothing" -o /dev/null "$site/" |
            sort | tr '\n' ' ' | sed 's/ $//')"
    fi

    host='HTTP/1.1\r\nHost: x\r\n'
    last="GET / ${host}Connection: close\r\n\r\n"
    pipelined=$(talk "GET / $host\r\nHEAD / $host\r\nGET /nothing $host\r\n${last}GET / $host\r\n")
    expect "pipelined requests, up to the one that closes" "200 200 404 200" \
        "$(grep -a '^HTTP' <<<"$pipelined" | cut -d ' ' -f 2 | tr '\n' ' ' | sed 's/ $//')"
    expect "and their bodies" 2 "$(grep -a -c '^<p>hello' <<<"$pipelined")"
    contains "no request" "HTTP/1.1 400 Bad Request" "$(talk 'nonsense\r\n\r\n')"
    contains "a later version" "HTTP/1.1 505 HTTP Version Not Supported" \
        "$(talk 'GET / HTTP/2.0\r\n\r\n')"
    contains "HTTP/1.0 is answered and closed" "Connection: close" \
        "$(talk 'GET / HTTP/1.0\r\n\r\n')"

    expect "its own client" "400 answers" \
        "$("$http" --client --port "$port" 2>&1 | cut -d ' ' -f 1,2)"

    if command -v wrk >/dev/null; then
        said=$(wrk -t2 -c100 -d1s "$site/file-2.bin" 2>&1)
        contains "wrk" "Requests/sec" "$said"
        expect "errors of wrk" "" "$(grep -E 'Socket errors|Non-2xx' <<<"$said")"
    fi

    another_there "$http"

    # Neither a client that is silent nor one that reads nothing keeps the server from ending.
    exec {idle}<>"/dev/tcp/127.0.0.1/$port" {slow}<>"/dev/tcp/127.0.0.1/$port"
    for _ in {1..50}; do printf 'GET /file-4.bin HTTP/1.1\r\nHost: x\r\n\r\n'; done >&"$slow"
    stop TERM
    expect "the exit code after SIGTERM" 0 $status
    exec {idle}>&- {slow}>&-
    expect "what it said about errors" "" "$(cat "$scratch/stderr")"

    message=$("$http" --root 2>&1)
    expect "the exit code of an option without its value" 2 $?
    contains "--help" "--root DIR" "$("$http" --help)"
done

# The scenario: every byte of every answer is the file's, cut, delayed and broken as it may be.
scenario http 60 10

# The same program in a simulated world, recorded there and replayed here.
simulate http --requests=20 -- --root /tmp --make-files

[ $failures = 0 ]

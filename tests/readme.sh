#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The README's code is code: both of its blocks compile as they stand, the program serves on a real
# socket, and the scenario holds over a hundred seeds. BUILD is the folder of a variant.
set -eu

work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT

# block N: the N-th block of C code.
block() {
    awk -v n="$1" '/^```c$/ { if (++seen == n) inside = 1; next } /^```$/ { inside = 0 } inside' \
        README.md
}

block 1 >"$work/echo.c"
block 2 >"$work/scenario.c"
echo 'int echo_main(int argc, char **argv);
int main(int argc, char **argv) { return echo_main(argc, argv); }' >"$work/main.c"
cat >"$work/client.c" <<'END'
#include <string.h>
#include <twinloop.h>

int client_main(int argc, char **argv);

struct client { tl_protocol protocol; tl_loop *loop; tl_transport *transport; char got[5]; size_t len; };

static int made(tl_protocol *p, tl_transport *transport)
{
    tl_container_of(p, struct client, protocol)->transport = transport;
    return tl_transport_write(transport, "hello", 5);
}
static int data(tl_protocol *p, const void *bytes, size_t len)
{
    struct client *client = tl_container_of(p, struct client, protocol);
    if (client->len + len > sizeof client->got)
        return TL_EPROTOCOL;
    memcpy(client->got + client->len, bytes, len);
    client->len += len;
    if (client->len == sizeof client->got)
        tl_transport_close(client->transport);
    return 0;
}
static void release(tl_protocol *p)
{
    tl_loop_stop(tl_container_of(p, struct client, protocol)->loop);
}
static const struct tl_protocol_ops ops = {
    .connection_made = made, .data_received = data, .release = release};

static tl_protocol *the_client(void *client)
{
    return &((struct client *)client)->protocol;
}
int client_main(int argc, char **argv)
{
    struct client client = {.protocol = TL_PROTOCOL_INIT(&ops)};
    if (argc < 2 || tl_new_event_loop(&client.loop) < 0)
        return 1;
    tl_future *made = tl_loop_create_connection(client.loop, the_client, &client, "10.0.0.1",
                                                argv[1], NULL);
    int r = tl_loop_run_until_complete(client.loop, made, NULL);
    if (r == 0)
        r = tl_loop_run_forever(client.loop);
    tl_loop_free(client.loop);
    return r < 0 || client.len != 5 || memcmp(client.got, "hello", 5) != 0;
}
END

compile="$(cat "$BUILD/flags") -Wno-missing-prototypes"
$compile -o "$work/echo" "$work/echo.c" "$work/main.c" "$BUILD/libtwinloop.a" -lz -lpthread
$compile -o "$work/scenario" "$work/echo.c" "$work/scenario.c" "$work/client.c" \
    "$BUILD/libtwinloop-sim.a" "$BUILD/libtwinloop.a" -lcbor -lz -lpthread

"$work/scenario" explore --seeds 1:100 --failures "$work/failures"

# A port that is taken ends the server at once; the next one is tried then.
port=$((20000 + $$ % 20000))
tries=0
"$work/echo" $port &
server=$!
until "$BUILD/examples/echo" --client --port $port 2>"$work/refused"; do
    tries=$((tries + 1))
    [ $tries -lt 2000 ] || { cat "$work/refused"; exit 1; }
    kill -0 $server 2>/dev/null || { port=$((port + 1)); "$work/echo" $port & server=$!; }
done

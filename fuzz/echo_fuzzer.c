/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: the echo server, which sends back every byte, in order and nothing else.
 */
#include "examples/echo/echo.h"

#include <twinloop/assert.h>
#include <twinloop/fuzz.h>

/* Bytes that went one way: how many, and a hash of them. */
struct way {
    size_t len;
    uint64_t hash;
};

struct check {
    struct way there;
    struct way back;
};

static void add(struct way *way, const unsigned char *data, size_t len)
{
    way->len += len;
    for (size_t i = 0; i < len; i++)
        way->hash = (way->hash ^ data[i]) * 0x100000001b3 + 1;
}

static void sent(struct tl_fuzz_connection *connection, const void *data, size_t len)
{
    add(&((struct check *)connection->state)->there, data, len);
}

static void received(struct tl_fuzz_connection *connection, const void *data, size_t len)
{
    struct check *check = connection->state;
    add(&check->back, data, len);
    TL_ASSERT(check->back.len <= check->there.len, "no more comes back than was sent");
}

static void quiet(struct tl_fuzz_connection *connection)
{
    const struct check *check = connection->state;
    TL_ASSERT(connection->half_closed || !connection->ended, "the server ends nothing by itself");
    if (!connection->reading || connection->reset)
        return;
    TL_ASSERT(check->back.len == check->there.len, "%zu bytes were sent and %zu came back",
              check->there.len, check->back.len);
    TL_ASSERT(check->back.hash == check->there.hash, "the bytes that come back are those sent");
}

static const struct tl_fuzz_target target = {
    .name = "echo",
    .factory = echo_server_factory,
    .no_errors = true,
    .state_size = sizeof(struct check),
    .sent = sent,
    .received = received,
    .quiet = quiet,
};

TL_FUZZ(target)

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: the echo server, which sends back every byte, in order and nothing else.
 */
#include "examples/echo/echo.h"

#include <stdlib.h>
#include <string.h>
#include <twinloop/assert.h>
#include <twinloop/fuzz.h>

/* What has been sent, and how much of that has come back. */
struct check {
    char *bytes;
    size_t len;
    size_t capacity;
    size_t back;
};

static void sent(struct tl_fuzz_connection *connection, const void *data, size_t len)
{
    struct check *check = connection->state;
    if (len > check->capacity - check->len) {
        check->capacity = 2 * (check->len + len);
        check->bytes = realloc(check->bytes, check->capacity);
        TL_ASSERT(check->bytes != NULL, "there is memory");
    }
    memcpy(check->bytes + check->len, data, len);
    check->len += len;
}

static void received(struct tl_fuzz_connection *connection, const void *data, size_t len)
{
    struct check *check = connection->state;
    TL_ASSERT(len <= check->len - check->back, "no more comes back than was sent");
    TL_ASSERT(memcmp(check->bytes + check->back, data, len) == 0, "the same bytes come back");
    check->back += len;
}

static void quiet(struct tl_fuzz_connection *connection)
{
    const struct check *check = connection->state;
    if (connection->reading && !connection->reset)
        TL_ASSERT(check->back == check->len, "all that was sent comes back");
    TL_ASSERT(connection->half_closed || !connection->ended, "the server does not end it");
}

static void closed(struct tl_fuzz_connection *connection)
{
    free(((struct check *)connection->state)->bytes);
}

static const struct tl_fuzz_target target = {
    .name = "echo",
    .factory = echo_server_factory,
    .no_errors = true,
    .state_size = sizeof(struct check),
    .sent = sent,
    .received = received,
    .quiet = quiet,
    .closed = closed,
};

TL_FUZZ(target)

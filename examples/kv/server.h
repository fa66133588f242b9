/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server half: one protocol per connection, all of them on the same databases.
 *
 * The server's clock is its loop's, read once per turn: the commands that one read brought happen
 * at one instant, which lies between their having been sent and their being answered. A key that is
 * set to live n milliseconds is there until exactly n milliseconds after that instant.
 *
 * A server is the caller's memory and outlives its connections. Nothing of it is static, so that
 * several can live in one process, as they do in the simulator.
 */
#ifndef EXAMPLES_KV_SERVER_H
#define EXAMPLES_KV_SERVER_H

#include "buffer.h"
#include "commands.h"
#include "store.h"

#include <twinloop.h>

/* Bytes of replies that are queued for a connection before the last one, at most: as many as the
 * transport's high water mark is by default. */
#define KV_SERVER_QUEUE_MAX (64 << 10)

struct kv_server {
    struct kv_store databases[KV_DATABASES];
    struct kv_figures figures;
    struct kv_buffer reply; /* what the connection being served answers; empty between turns */
    tl_loop *loop;          /* that it serves on; NULL before its first connection */
    struct tl_timer expiry;
    tl_time expiry_when; /* when it goes off; TL_TIME_NEVER: it is stopped */
};

void kv_server_init(struct kv_server *server);

/* Every connection has been released, and the loop is gone. */
void kv_server_finish(struct kv_server *server);

/* For tl_loop_create_server, with the server as farg. */
tl_protocol *kv_server_factory(void *farg);

#endif

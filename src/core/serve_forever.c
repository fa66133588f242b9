/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve_forever: a future that stands for a server's life.
 *
 * It never has a result. Cancelling it closes the server; however that came to be closed, the
 * future is cancelled when the last connection is lost too, or when it is cancelled then. The
 * server knows of the one such future that it may have at a time, which holds it.
 */
#include <errno.h>

#include "core/kept.h"
#include "core/server.h"

struct tl_serving {
    struct tl_kept kept;
    tl_server *server; /* a reference; NULL: it is over */
};

static bool cancel(tl_future *future)
{
    struct tl_serving *serving = tl_container_of(tl_kept_of(future), struct tl_serving, kept);
    /* NULL: the loop was closed. Once the server is, asyncio: it is its end that is waited for, and
     * whoever cancels that does not want to. */
    if (serving->server == NULL || serving->server->closed)
        tl_future_set_cancelled(future);
    else
        tl_server_close(serving->server); /* which may be the end already */
    return true;
}

static void let_go(struct tl_kept *kept)
{
    struct tl_serving *serving = tl_container_of(kept, struct tl_serving, kept);
    tl_server *server = serving->server;
    serving->server = NULL;
    server->forever = NULL;
    tl_server_unref(server);
}

static const struct tl_kept_type serving_type = {
    .future = {.object = {.name = "serve_forever", .destroy = tl_future_destroy},
               .never_retrieved = "Future exception was never retrieved",
               .cancel = cancel,
               .completed = tl_kept_completed},
    .let_go = let_go,
};

void tl_serving_end(struct tl_serving *serving)
{
    tl_future_set_cancelled(&serving->kept.future);
}

tl_future *tl_server_serve_forever(tl_server *server)
{
    if (server == NULL)
        return NULL;
    tl_loop *loop = server->loop;
    if (server->forever != NULL)
        return tl_loop_failed_future(loop, -EALREADY,
                                     "the server is already awaited in serve_forever");
    int r = tl_server_start_serving(server);
    if (r < 0)
        return tl_loop_failed_future(loop, r, r == TL_ECLOSED ? "the server is closed" : NULL);
    struct tl_serving *serving = tl_kept_new(loop, sizeof *serving, &serving_type);
    if (serving == NULL)
        return tl_loop_failed_future(loop, -ENOMEM, NULL);
    serving->server = tl_server_ref(server);
    server->forever = serving;
    return &serving->kept.future;
}

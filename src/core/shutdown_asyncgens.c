/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shutdown_asyncgens: closes all generators of a loop at once.
 *
 * A shutdown holds its generators and a gather of their closing. It lives until that is done, or
 * the loop is closed.
 */
#include <errno.h>
#include <twinloop/gather.h>

#include "core/alloc.h"
#include "core/asyncgen.h"

struct shutdown {
    struct tl_live live;
    struct tl_done_callback gathered;
    tl_future *done;   /* a reference */
    tl_future *gather; /* a reference */
    size_t count;
    tl_asyncgen *gens[]; /* references */
};

static void shutdown_free(struct shutdown *shutdown)
{
    tl_live_remove(&shutdown->live);
    for (size_t i = 0; i < shutdown->count; i++)
        tl_asyncgen_unref(shutdown->gens[i]);
    tl_future_unref(shutdown->gather);
    tl_future_unref(shutdown->done);
    tl_free(shutdown);
}

static void abandon(struct tl_live *live)
{
    struct shutdown *shutdown = tl_container_of(live, struct shutdown, live);
    tl_future_detach_callback(&shutdown->gathered);
    shutdown_free(shutdown);
}

static void report(tl_asyncgen *gen, const tl_error *error)
{
    const tl_exc_context context = {
        .message = "an error occurred during closing of asynchronous generator",
        .exception = error,
        .asyncgen = gen,
    };
    if (error != NULL)
        tl_loop_call_exception_handler(gen->loop, &context);
}

static void gathered(tl_future *gather, void *arg)
{
    struct shutdown *shutdown = arg;
    tl_value results;
    int r = tl_future_result(gather, &results);
    for (size_t i = 0; r == 0 && i < shutdown->count; i++)
        report(shutdown->gens[i], tl_gathered_exception(&results, i));
    if (r == 0) {
        tl_value_finish(&results);
        (void)tl_future_set_result(shutdown->done, tl_value_none());
    } else {
        (void)tl_future_set_exception(shutdown->done, r, NULL);
    }
    shutdown_free(shutdown);
}

static size_t count_gens(tl_loop *loop)
{
    size_t count = 0;
    for (struct tl_live *live = loop->live.next; live != &loop->live; live = live->next)
        count += tl_asyncgen_of_live(live) != NULL;
    return count;
}

/* Closes them all; what that needs of memory it has already. */
static int start(struct shutdown *shutdown, tl_loop *loop)
{
    tl_future **closings = tl_alloc(shutdown->count * sizeof(tl_future *));
    size_t i = 0;
    if (closings == NULL)
        return -ENOMEM;
    for (struct tl_live *live = loop->live.next; live != &loop->live; live = live->next) {
        tl_asyncgen *gen = tl_asyncgen_of_live(live);
        if (gen != NULL)
            shutdown->gens[i++] = tl_asyncgen_ref(gen);
    }
    for (i = 0; i < shutdown->count; i++)
        closings[i] = tl_asyncgen_aclose(shutdown->gens[i]);
    shutdown->gather = tl_gather(loop, closings, shutdown->count, TL_GATHER_RETURN_EXCEPTIONS);
    tl_free(closings);
    tl_live_add(&shutdown->live, loop, abandon);
    tl_future_attach(shutdown->gather, &shutdown->gathered, gathered, shutdown);
    return 0;
}

tl_future *tl_loop_shutdown_asyncgens(tl_loop *loop)
{
    if (loop == NULL)
        return NULL;
    if (!tl_loop_open(loop))
        return tl_loop_failed_future(loop, TL_ECLOSED, NULL);
    tl_future *done = tl_loop_create_future(loop);
    if (tl_future_done(done))
        return done;
    loop->asyncgens_shut = true;
    size_t count = count_gens(loop);
    if (count == 0) {
        (void)tl_future_set_result(done, tl_value_none());
        return done;
    }
    struct shutdown *shutdown = tl_calloc(sizeof *shutdown + count * sizeof(tl_asyncgen *));
    if (shutdown != NULL) {
        shutdown->count = count;
        shutdown->done = tl_future_ref(done);
    }
    if (shutdown == NULL || start(shutdown, loop) < 0) {
        if (shutdown != NULL) {
            shutdown->count = 0;
            shutdown_free(shutdown);
        }
        (void)tl_future_set_exception(done, -ENOMEM, NULL);
    }
    return done;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asynchronous generators: a task that hands out values.
 *
 *     FRESH --next--> RUNNING --yield--> STANDING --next, aclose--> RUNNING
 *       |                |
 *       `--aclose--.     `--returned--.
 *                  v                  v
 *                 OVER <--------------'
 *
 * The body runs in a task of its own, which waits at a yield for the future turn. Who asked for
 * what the body is doing now waits for asked, a next, or for closed, an aclose; never both. The
 * loop holds a generator from its first next until it is over.
 */
#include <twinloop/asyncgen.h>

#include <errno.h>

#include "core/alloc.h"
#include "core/asyncgen.h"
#include "core/future.h"
#include "core/log.h"
#include "core/self.h"
#include "core/task.h"

/* --- Life ------------------------------------------------------------------------------------- */

static void dispose(tl_asyncgen *gen)
{
    void (*dispose_body)(void *arg) = gen->body.dispose;
    gen->body.dispose = NULL;
    if (dispose_body != NULL)
        dispose_body(gen->body.arg);
}

static void gen_destroy(tl_object *object)
{
    tl_asyncgen *gen = tl_container_of(object, tl_asyncgen, object);
    tl_loop *loop = gen->loop;
    dispose(gen);
    tl_free(gen);
    tl_loop_unref(loop);
}

static const struct tl_object_type gen_type = {.name = "asyncgen", .destroy = gen_destroy};

int tl_asyncgen_new(tl_loop *loop, const tl_asyncgen_body *body, tl_asyncgen **ret)
{
    if (body == NULL)
        return -EINVAL;
    int r = loop == NULL || body->run == NULL || ret == NULL ? -EINVAL : 0;
    if (r == 0 && !tl_loop_open(loop))
        r = TL_ECLOSED;
    tl_asyncgen *gen = r == 0 ? tl_calloc(sizeof *gen) : NULL;
    if (gen == NULL) {
        if (body->dispose != NULL)
            body->dispose(body->arg);
        return r < 0 ? r : -ENOMEM;
    }
    tl_object_init(&gen->object, &gen_type);
    gen->loop = tl_loop_ref(loop);
    gen->body = *body;
    gen->users = 1;
    *ret = gen;
    return 0;
}

tl_asyncgen *tl_asyncgen_ref(tl_asyncgen *gen)
{
    gen->users++;
    tl_object_ref(&gen->object);
    return gen;
}

void tl_asyncgen_unref(tl_asyncgen *gen)
{
    if (gen == NULL)
        return;
    /* asyncio: one that nobody can go on with is closed by its loop. */
    if (--gen->users == 0 && gen->state == TL_ASYNCGEN_STANDING && tl_loop_open(gen->loop))
        tl_future_detach(tl_asyncgen_aclose(gen));
    tl_object_unref(&gen->object);
}

/* --- The end ---------------------------------------------------------------------------------- */

/* Takes the future that whoever asked waits for, if there is one. */
static tl_future *take(tl_future **slot)
{
    tl_future *future = *slot;
    *slot = NULL;
    if (future != NULL)
        tl_future_set_canceller(future, NULL, NULL);
    return future;
}

static void settle(tl_future *future, tl_task *task, int code)
{
    const tl_error *error = code < 0 ? tl_future_exception(tl_task_future(task)) : NULL;
    if (future == NULL)
        return;
    if (code == 0)
        (void)tl_future_set_result(future, tl_value_none());
    else if (error != NULL && error->code == code)
        (void)tl_future_set_error(future, error);
    else
        (void)tl_future_set_exception(future, code, NULL);
    tl_future_unref(future);
}

/* The loop holds it no more. */
static void leave(tl_asyncgen *gen)
{
    tl_task *task = gen->task;
    gen->state = TL_ASYNCGEN_OVER;
    gen->task = NULL;
    tl_live_remove(&gen->live);
    dispose(gen);
    tl_task_unref(task);
    tl_object_unref(&gen->object);
}

static void returned(tl_future *future, void *arg)
{
    tl_asyncgen *gen = arg;
    int code = tl_future_code(future);
    tl_future *asked = take(&gen->asked);
    tl_future *closed = take(&gen->closed);
    bool ignored = gen->ignored;
    /* To be cancelled is what closing asks for, and no failure. */
    settle(asked, gen->task, code == 0 || code == -ECANCELED ? TL_EEOF : code);
    if (closed != NULL && ignored)
        (void)tl_future_set_exception(
            closed, TL_ESTATE, "the asynchronous generator gave a value while it was closed");
    settle(closed, gen->task, ignored ? TL_ESTATE : code == -ECANCELED ? 0 : code);
    leave(gen);
}

/* The loop is closed under it: the task is left too. */
static void abandon(struct tl_live *live)
{
    tl_asyncgen *gen = tl_container_of(live, tl_asyncgen, live);
    tl_future *asked = take(&gen->asked);
    tl_future *closed = take(&gen->closed);
    tl_future *turn = gen->turn;
    gen->turn = NULL;
    tl_future_detach_callback(&gen->returned);
    leave(gen);
    tl_future_unref(asked);
    tl_future_unref(closed);
    tl_future_unref(turn);
}

/* --- Going on --------------------------------------------------------------------------------- */

static int run(void *arg, tl_value *ret)
{
    tl_asyncgen *gen = arg;
    (void)ret;
    return gen->body.run(gen, gen->body.arg);
}

static int begin(tl_asyncgen *gen)
{
    const tl_coro coro = {.run = run, .arg = gen};
    int r = tl_task_new(gen->loop, &coro, &gen->task);
    if (r < 0)
        return r;
    if (gen->loop->asyncgens_shut)
        tl_log(TL_LOG_WARNING, "an asynchronous generator has begun after "
                               "tl_loop_shutdown_asyncgens");
    tl_object_ref(&gen->object);
    tl_live_add(&gen->live, gen->loop, abandon);
    tl_future_attach(tl_task_future(gen->task), &gen->returned, returned, gen);
    return 0;
}

/* Lets the body go on from where it stands. */
static void go_on(tl_asyncgen *gen)
{
    tl_future *turn = gen->turn;
    gen->turn = NULL;
    gen->state = TL_ASYNCGEN_RUNNING;
    (void)tl_future_set_result(turn, tl_value_none());
    tl_future_unref(turn);
}

static void cancel_body(void *arg)
{
    tl_asyncgen *gen = arg;
    tl_future *asked = gen->asked;
    gen->asked = NULL;
    (void)tl_task_cancel(gen->task);
    tl_future_unref(asked);
}

static tl_future *failed(const tl_asyncgen *gen, int code, const char *message)
{
    return tl_loop_failed_future(gen->loop, code, message);
}

static const char under_way[] = "the asynchronous generator is already running";

tl_future *tl_asyncgen_next(tl_asyncgen *gen)
{
    if (!tl_loop_open(gen->loop))
        return failed(gen, TL_ECLOSED, NULL);
    if (gen->state == TL_ASYNCGEN_OVER)
        return failed(gen, TL_EEOF, NULL);
    if (gen->state == TL_ASYNCGEN_RUNNING)
        return failed(gen, -EBUSY, under_way);
    tl_future *asked = tl_loop_create_future(gen->loop);
    if (tl_future_done(asked))
        return asked;
    if (gen->state == TL_ASYNCGEN_STANDING) {
        go_on(gen);
    } else {
        int r = begin(gen);
        if (r < 0) {
            (void)tl_future_set_exception(asked, r, NULL);
            return asked;
        }
        gen->state = TL_ASYNCGEN_RUNNING;
    }
    gen->asked = tl_future_ref(asked);
    tl_future_set_canceller(asked, cancel_body, gen);
    return asked;
}

tl_future *tl_asyncgen_aclose(tl_asyncgen *gen)
{
    if (gen->state == TL_ASYNCGEN_RUNNING)
        return failed(gen, -EBUSY, under_way);
    tl_future *closed = tl_loop_create_future(gen->loop);
    if (tl_future_done(closed))
        return closed;
    if (gen->state == TL_ASYNCGEN_STANDING && tl_loop_open(gen->loop)) {
        gen->closing = true;
        gen->closed = tl_future_ref(closed);
        go_on(gen);
        return closed;
    }
    gen->state = TL_ASYNCGEN_OVER;
    dispose(gen);
    (void)tl_future_set_result(closed, tl_value_none());
    return closed;
}

/* Gives the value to who asked for it, unless that one asks no more. */
static void give(tl_asyncgen *gen, tl_value *value)
{
    tl_future *asked = take(&gen->asked);
    if (asked == NULL || tl_future_set_result(asked, *value) < 0)
        tl_value_finish(value);
    tl_future_unref(asked);
}

int tl_asyncgen_yield(tl_asyncgen *gen, tl_value value)
{
    int r = gen->task == NULL || tl_task_current() != gen->task ? TL_ENOTASK : 0;
    if (r == 0 && gen->closing) {
        gen->ignored = true;
        r = -ECANCELED;
    }
    tl_future *turn = r == 0 ? tl_loop_create_future(gen->loop) : NULL;
    if (r < 0 || tl_future_done(turn)) {
        tl_value_finish(&value);
        return r < 0 ? r : tl_await(turn, NULL);
    }
    give(gen, &value);
    gen->turn = tl_future_ref(turn);
    gen->state = TL_ASYNCGEN_STANDING;
    if (gen->users == 0)
        tl_future_detach(tl_asyncgen_aclose(gen));
    r = tl_await(turn, NULL);
    return gen->closing ? -ECANCELED : r;
}

/* --- All of a loop's -------------------------------------------------------------------------- */

tl_asyncgen *tl_asyncgen_of_live(struct tl_live *live)
{
    return live->abandon == abandon ? tl_container_of(live, tl_asyncgen, live) : NULL;
}

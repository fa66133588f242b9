/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gather: one future for many.
 *
 * The results stay where they are: what a gathering is done with is a counted object that holds its
 * futures, so finishing it allocates nothing and moves nothing. It outlives its own end: after the
 * first failure it goes on listening, for what the others fail with is nobody else's to fetch.
 */
#include <errno.h>
#include <stdint.h>

#include <twinloop/gather.h>

#include "core/alloc.h"
#include "core/kept.h"

/* What the result's value holds. */
struct gathered {
    tl_object object;
    size_t count;
    tl_future *futures[]; /* references */
};

struct gathering {
    struct tl_kept kept;
    struct gathered *gathered; /* a reference, until it is over or becomes the result */
    size_t pending;            /* registrations whose turn has not come */
    size_t count;
    bool return_exceptions;
    bool cancelled;                 /* those that were pending have been */
    struct tl_done_callback done[]; /* one for each; a future that is given again has none there */
};

/* --- The result ------------------------------------------------------------------------------- */

static void gathered_destroy(tl_object *object)
{
    struct gathered *gathered = tl_container_of(object, struct gathered, object);
    for (size_t i = 0; i < gathered->count; i++)
        tl_future_unref(gathered->futures[i]);
    tl_free(gathered);
}

static const struct tl_object_type gathered_type = {
    .name = "gathered",
    .destroy = gathered_destroy,
};

/* Takes the futures if it succeeds. NULL when memory is out. */
static struct gathered *gathered_new(tl_future *const *futures, size_t count)
{
    struct gathered *gathered = tl_alloc(sizeof *gathered + count * sizeof(tl_future *));
    if (gathered == NULL)
        return NULL;
    tl_object_init(&gathered->object, &gathered_type);
    gathered->count = count;
    for (size_t i = 0; i < count; i++)
        gathered->futures[i] = futures[i];
    return gathered;
}

static const struct gathered *gathered_of(const tl_value *value)
{
    if (value == NULL || value->kind != TL_VALUE_OBJECT || value->object->type != &gathered_type)
        return NULL;
    return tl_container_of(value->object, const struct gathered, object);
}

size_t tl_gathered_count(const tl_value *value)
{
    const struct gathered *gathered = gathered_of(value);
    return gathered != NULL ? gathered->count : 0;
}

int tl_gathered_result(const tl_value *value, size_t index, tl_value *ret)
{
    if (index >= tl_gathered_count(value))
        return -EINVAL;
    return tl_future_result(gathered_of(value)->futures[index], ret);
}

const tl_error *tl_gathered_exception(const tl_value *value, size_t index)
{
    if (index >= tl_gathered_count(value))
        return NULL;
    return tl_future_exception(gathered_of(value)->futures[index]);
}

/* --- The gathering ---------------------------------------------------------------------------- */

/* The first that did not succeed. */
static void fail(struct gathering *gathering, tl_future *child)
{
    if (!tl_future_cancelled(child))
        tl_future_settle(&gathering->kept.future, child);
    else if (gathering->cancelled)
        tl_future_set_cancelled(&gathering->kept.future);
    else /* asyncio: to have one cancelled is an error, not a cancellation of all. */
        (void)tl_future_set_exception(&gathering->kept.future, -ECANCELED, NULL);
}

static void succeed(struct gathering *gathering)
{
    if (gathering->cancelled) {
        tl_future_set_cancelled(&gathering->kept.future);
        return;
    }
    tl_value result = tl_value_object(&gathering->gathered->object);
    if (tl_future_set_result(&gathering->kept.future, result) == 0)
        gathering->gathered = NULL;
}

static void child_done(tl_future *child, void *arg)
{
    struct gathering *gathering = arg;
    int code = tl_future_code(child);
    gathering->pending--;
    if (code < 0 && !gathering->return_exceptions && !tl_future_done(&gathering->kept.future))
        fail(gathering, child);
    tl_future_forgive(child);
    if (gathering->pending > 0)
        return;
    if (!tl_future_done(&gathering->kept.future))
        succeed(gathering);
    tl_kept_over(&gathering->kept);
}

static bool cancel(tl_future *future)
{
    struct gathering *gathering = tl_container_of(tl_kept_of(future), struct gathering, kept);
    bool accepted = false;
    if (tl_kept_is_over(&gathering->kept)) { /* its loop was closed: nobody is left to ask */
        tl_future_set_cancelled(future);
        return true;
    }
    for (size_t i = 0; i < gathering->count; i++)
        if (gathering->done[i].future != NULL && tl_future_cancel(gathering->done[i].future))
            accepted = true;
    gathering->cancelled = gathering->cancelled || accepted;
    return accepted;
}

static void let_go(struct tl_kept *kept)
{
    struct gathering *gathering = tl_container_of(kept, struct gathering, kept);
    for (size_t i = 0; i < gathering->count; i++)
        tl_future_detach_callback(&gathering->done[i]);
    if (gathering->gathered != NULL)
        tl_object_unref(&gathering->gathered->object);
    gathering->gathered = NULL;
}

static const struct tl_kept_type gathering_type = {
    .future = {.object = {.name = "gather", .destroy = tl_future_destroy},
               .never_retrieved = "Future exception was never retrieved",
               .cancel = cancel},
    .let_go = let_go,
};

/* --- Making one ------------------------------------------------------------------------------- */

static void attach(struct gathering *gathering, size_t index)
{
    tl_future *child = gathering->gathered->futures[index];
    /* asyncio: one that is given twice is waited for once, and cancelled once. */
    if (tl_future_last_attached(child, child_done, gathering))
        return;
    tl_future_attach(child, &gathering->done[index], child_done, gathering);
    gathering->pending++;
}

/* NULL when memory is out; the futures are then still the caller's. */
static struct gathering *gathering_new(tl_loop *loop, tl_future *const *futures, size_t count)
{
    struct gathering *gathering;
    size_t size = sizeof *gathering + count * sizeof gathering->done[0];
    struct gathered *gathered = gathered_new(futures, count);
    if (gathered == NULL)
        return NULL;
    gathering = tl_kept_new(loop, size, &gathering_type);
    if (gathering == NULL) {
        tl_free(gathered);
        return NULL;
    }
    gathering->gathered = gathered;
    gathering->count = count;
    return gathering;
}

static tl_future *refuse(tl_loop *loop, tl_future *const *futures, size_t count, int code)
{
    for (size_t i = 0; futures != NULL && i < count; i++)
        tl_future_unref(futures[i]);
    return tl_loop_failed_future(loop, code, NULL);
}

tl_future *tl_gather(tl_loop *loop, tl_future *const *futures, size_t count, unsigned flags)
{
    int r = loop != NULL ? tl_kept_check(loop, futures, count) : -EINVAL;
    if (r == 0 && (flags & ~(unsigned)TL_GATHER_RETURN_EXCEPTIONS) != 0)
        r = -EINVAL;
    if (r < 0)
        return refuse(loop, futures, count, r);
    struct gathering *gathering = gathering_new(loop, futures, count);
    if (gathering == NULL)
        return refuse(loop, futures, count, -ENOMEM);
    gathering->return_exceptions = (flags & TL_GATHER_RETURN_EXCEPTIONS) != 0;
    for (size_t i = 0; i < count; i++)
        attach(gathering, i);
    if (count == 0) {
        succeed(gathering);
        tl_kept_over(&gathering->kept);
    }
    return &gathering->kept.future;
}

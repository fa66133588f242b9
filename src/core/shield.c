/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shield: an outer future that follows an inner one and can be cancelled without it.
 */
#include <errno.h>

#include <twinloop/gather.h>

#include "core/kept.h"

struct shield {
    struct tl_kept kept;
    tl_future *inner;             /* a reference, until it is over */
    struct tl_done_callback done; /* on inner */
};

static void inner_done(tl_future *inner, void *arg)
{
    struct shield *shield = arg;
    tl_future_settle(&shield->kept.future, inner);
}

/* asyncio: once the outer one is cancelled, whatever becomes of the inner one is none of its
 * business, and a failure that nobody else fetches is reported. */
static void let_go(struct tl_kept *kept)
{
    struct shield *shield = tl_container_of(kept, struct shield, kept);
    tl_future_detach_callback(&shield->done);
    tl_future_detach(shield->inner);
}

static const struct tl_kept_type shield_type = {
    .future = {.object = {.name = "shield", .destroy = tl_future_destroy},
               .never_retrieved = "Future exception was never retrieved",
               .completed = tl_kept_completed},
    .let_go = let_go,
};

tl_future *tl_shield(tl_loop *loop, tl_future *future)
{
    int r = loop != NULL ? tl_kept_check(loop, &future, 1) : -EINVAL;
    if (r == 0 && tl_future_done(future))
        return future;
    struct shield *shield = r == 0 ? tl_kept_new(loop, sizeof *shield, &shield_type) : NULL;
    if (shield == NULL) {
        tl_future_unref(future);
        return tl_loop_failed_future(loop, r < 0 ? r : -ENOMEM, NULL);
    }
    shield->inner = future;
    tl_future_attach(future, &shield->done, inner_done, shield);
    return &shield->kept.future;
}

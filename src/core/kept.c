/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What sleep, wait_for, shield and gather have in common: how the loop holds them while they wait.
 * See core/kept.h.
 */
#include "core/kept.h"

#include <errno.h>
#include <string.h>

#include "core/alloc.h"

static void abandon(struct tl_live *live)
{
    tl_kept_over(tl_container_of(live, struct tl_kept, live));
}

void *tl_kept_new(tl_loop *loop, size_t size, const struct tl_kept_type *type)
{
    struct tl_kept *kept = tl_calloc(size);
    if (kept == NULL)
        return NULL;
    tl_future_init(&kept->future, loop, &type->future);
    tl_future_ref(&kept->future);
    tl_live_add(&kept->live, loop, abandon);
    return kept;
}

void tl_kept_over(struct tl_kept *kept)
{
    if (kept->live.next == NULL)
        return;
    tl_live_remove(&kept->live);
    const struct tl_kept_type *type =
        tl_container_of(tl_future_type(&kept->future), const struct tl_kept_type, future);
    type->let_go(kept);
    tl_future_unref(&kept->future);
}

void tl_kept_completed(tl_future *future)
{
    tl_kept_over(tl_kept_of(future));
}

int tl_kept_check(const tl_loop *loop, tl_future *const *futures, size_t count)
{
    if (futures == NULL && count > 0)
        return -EINVAL;
    for (size_t i = 0; i < count; i++)
        if (futures[i] == NULL || futures[i]->loop != loop)
            return -EINVAL;
    return tl_loop_open(loop) ? 0 : TL_ECLOSED;
}

int tl_kept_deadline(tl_loop *loop, tl_time delay, tl_time *ret)
{
    if (delay == TL_TIME_NEVER)
        *ret = TL_TIME_NEVER;
    else if (__builtin_add_overflow(tl_loop_time(loop), delay, ret))
        return -ERANGE;
    return 0;
}

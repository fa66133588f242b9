/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sleep: a future and a timer in one allocation.
 */
#include <errno.h>

#include <twinloop/gather.h>

#include "core/kept.h"

struct sleep {
    struct tl_kept kept;
    struct tl_timer timer;
    struct tl_ready turn; /* instead of the timer when there is no delay */
    tl_value result;      /* until it is over */
};

static void over(void *arg)
{
    struct sleep *sleep = arg;
    (void)tl_future_set_result(&sleep->kept.future, tl_value_take(&sleep->result));
}

static void let_go(struct tl_kept *kept)
{
    struct sleep *sleep = tl_container_of(kept, struct sleep, kept);
    tl_timer_stop(&sleep->timer);
    tl_ready_remove(&sleep->turn);
    tl_value_finish(&sleep->result);
}

static const struct tl_kept_type sleep_type = {
    .future = {.object = {.name = "sleep", .destroy = tl_future_destroy},
               .never_retrieved = "Future exception was never retrieved",
               .completed = tl_kept_completed},
    .let_go = let_go,
};

/* asyncio: sleep(0) is one turn of the loop, not a timer that is due. */
static int start(struct sleep *sleep, tl_time delay)
{
    tl_loop *loop = sleep->kept.future.loop;
    tl_timer_init(&sleep->timer, loop, over, sleep);
    tl_ready_init(&sleep->turn, over, sleep);
    if (delay <= 0) {
        tl_loop_queue(loop, &sleep->turn);
        return 0;
    }
    tl_time when;
    int r = tl_kept_deadline(loop, delay, &when);
    return r < 0 || when == TL_TIME_NEVER ? r : tl_timer_start(&sleep->timer, when);
}

tl_future *tl_sleep_result(tl_loop *loop, tl_time delay, tl_value result)
{
    int r = loop != NULL ? tl_kept_check(loop, NULL, 0) : -EINVAL;
    struct sleep *sleep = r == 0 ? tl_kept_new(loop, sizeof *sleep, &sleep_type) : NULL;
    if (sleep == NULL) {
        tl_value_finish(&result);
        return tl_loop_failed_future(loop, r < 0 ? r : -ENOMEM, NULL);
    }
    sleep->result = result;
    r = start(sleep, delay);
    if (r < 0)
        (void)tl_future_set_exception(&sleep->kept.future, r, NULL);
    return &sleep->kept.future;
}

tl_future *tl_sleep(tl_loop *loop, tl_time delay)
{
    return tl_sleep_result(loop, delay, tl_value_none());
}

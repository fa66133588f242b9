/* SPDX-License-Identifier: Apache-2.0 */
/* Three tasks at once, and their results together when the last of them has ended. */
#include "index.h"

#include <inttypes.h>
#include <stdio.h>
#include <twinloop.h>

struct factorial {
    tl_loop *loop;
    const char *name;
    int number;
};

static int compute(void *arg, tl_value *ret)
{
    const struct factorial *factorial = arg;
    int64_t product = 1;
    for (int i = 2; i <= factorial->number; i++) {
        printf("Task %s: compute factorial(%d), now i=%d\n", factorial->name, factorial->number, i);
        int r = tl_await(tl_sleep(factorial->loop, 100 * TL_MILLISECOND), NULL);
        if (r < 0)
            return r;
        product *= i;
    }
    printf("Task %s: factorial(%d) = %" PRId64 "\n", factorial->name, factorial->number, product);
    *ret = tl_value_int(product);
    return 0;
}

static int run_all(tl_loop *loop, struct factorial *factorials, size_t count, tl_value *ret)
{
    tl_future *futures[3];
    for (size_t i = 0; i < count; i++) {
        const tl_coro coro = {compute, &factorials[i], NULL};
        tl_task *task;
        int r = tl_loop_create_task(loop, &coro, factorials[i].name, &task);
        if (r < 0)
            return r; /* the loop's end is that of the others too */
        futures[i] = tl_task_future(task);
    }
    return tl_loop_run_until_complete(loop, tl_gather(loop, futures, count, 0), ret);
}

int index_gather(int argc, char **argv)
{
    tl_loop *loop;
    tl_value results;
    (void)argc;
    (void)argv;
    if (tl_new_event_loop(&loop) < 0)
        return 1;
    struct factorial factorials[] = {{loop, "A", 2}, {loop, "B", 3}, {loop, "C", 4}};
    int r = run_all(loop, factorials, 3, &results);
    for (size_t i = 0; r == 0 && i < tl_gathered_count(&results); i++) {
        tl_value value;
        if (tl_gathered_result(&results, i, &value) == 0)
            printf("%s%" PRId64, i == 0 ? "" : ", ", value.integer);
    }
    if (r == 0) {
        puts("");
        tl_value_finish(&results);
    }
    tl_loop_free(loop);
    return r < 0;
}

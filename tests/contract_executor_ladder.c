/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The allocation ladder over executors: jobs on two of them, one cancelled, one with an out-buffer,
 * a shutdown, and a loop that is closed under the last. Whichever request for memory fails, each
 * job is released once and nothing is left.
 * The jobs ask for no memory, since they run beside the loop.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <twinloop.h>
#include <cmocka.h>
#include "support/contract.h"

struct climb {
    tl_loop *loop;
    int given;
    int released;
    char out[100];
};

static int fill(void *arg, tl_value *ret)
{
    struct climb *climb = arg;

    memset(climb->out, 'x', sizeof climb->out);
    *ret = tl_value_int(1);
    return 0;
}

static int idle(void *arg, tl_value *ret)
{
    (void)arg;
    (void)ret;
    return 0;
}

static void released(void *arg)
{
    ((struct climb *)arg)->released++;
}

static tl_future *give(struct climb *climb, tl_executor *executor, tl_job job)
{
    job.arg = climb;
    job.release = released;
    climb->given++;
    return tl_loop_run_job(climb->loop, executor, &job);
}

/* Memory is the only thing that may be short. */
static void expect(int result)
{
    if (result != 0 && result != -ENOMEM)
        fail_msg("%s", tl_strerror(result));
}

static void act(struct climb *climb, tl_executor *executor)
{
    const tl_job filling = {.fn = fill, .out = climb->out, .out_len = sizeof climb->out};
    tl_future *first = give(climb, executor, filling);
    tl_future *second = give(climb, executor, (tl_job){.fn = idle});
    tl_future *third = give(climb, NULL, (tl_job){.fn = idle});
    if (tl_future_cancel(second))
        assert_int_equal(tl_future_result(second, NULL), -ECANCELED);
    expect(tl_future_cancelled(second) ? 0 : tl_future_result(second, NULL));
    tl_future_unref(second);
    expect(tl_loop_run_until_complete(climb->loop, first, NULL));
    expect(tl_loop_run_until_complete(climb->loop, third, NULL));
    tl_future *shutdown = tl_loop_shutdown_default_executor(climb->loop);
    expect(tl_loop_run_until_complete(climb->loop, shutdown, NULL));
    tl_future *last = give(climb, executor, (tl_job){.fn = idle});
    expect(tl_future_done(last) ? tl_future_result(last, NULL) : 0);
    tl_future_unref(last);
}

static void jobs(struct contract *contract)
{
    struct climb climb = {0};
    struct tl_kernel *kernel = contract_kernel(contract);

    ladder_arm(contract->ladder);
    if (tl_loop_new(kernel, &climb.loop) < 0) {
        kernel->ops->destroy(kernel);
        return;
    }
    tl_executor *executor = tl_thread_pool_executor_new(1, "ladder");
    if (executor != NULL)
        act(&climb, executor);
    tl_executor_unref(executor);
    tl_loop_free(climb.loop);
    ladder_disarm(contract->ladder);
    assert_int_equal(climb.released, climb.given);
}

static const struct contract_case cases[] = {
    CONTRACT_LADDER(jobs, 10),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "executor_ladder", cases, sizeof cases / sizeof *cases);
}

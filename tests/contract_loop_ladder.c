/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The allocation ladder over what a loop does without sockets: futures and their callbacks, handles
 * and timers, posts and messages, and a loop itself; the first two without and with debug
 * mode, which notes where things were made. Whichever request for memory fails, what was accepted
 * happens once, what was refused does not, and nothing is left.
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

/* Memory is the only thing that may be short. */
static bool accepted(int result)
{
    if (result != 0 && result != -ENOMEM)
        fail_msg("%s", tl_strerror(result));
    return result == 0;
}

static void hear(tl_loop *loop, const tl_exc_context *context, void *arg)
{
    (void)loop, (void)context;
    ++*(int *)arg;
}

/* A loop on which requests may fail from here on; what is reported is counted. */
static tl_loop *arm(struct contract *contract, bool debug, int *reports)
{
    tl_loop *loop = contract_loop(contract);
    tl_loop_set_debug(loop, debug);
    assert_int_equal(tl_loop_set_exception_handler(loop, hear, reports), 0);
    ladder_arm(contract->ladder);
    return loop;
}

/* Closed by name: freeing an open loop is worth a warning in debug mode. */
static void end(tl_loop *loop)
{
    assert_int_equal(tl_loop_close(loop), 0);
    tl_loop_free(loop);
}

static void look_once(tl_loop *loop)
{
    tl_loop_stop(loop);
    assert_int_equal(tl_loop_run_forever(loop), 0);
}

static void count_one(void *arg)
{
    ++*(int *)arg;
}

/* --- Futures ---------------------------------------------------------------------------------- */

static void count_done(tl_future *future, void *arg)
{
    assert_true(tl_future_done(future));
    ++*(int *)arg;
}

static void futures(struct contract *contract, bool debug)
{
    int reports = 0, calls = 0, expected = 0;
    tl_loop *loop = arm(contract, debug, &reports);
    tl_future *kept = tl_loop_create_future(loop);
    tl_future *dropped = tl_loop_create_future(loop);
    bool made = !tl_future_done(kept);
    bool made_dropped = !tl_future_done(dropped);
    for (int i = 0; i < 5; i++)
        expected += accepted(tl_future_add_done_callback(kept, count_done, &calls));
    int r = tl_future_set_exception(kept, -EIO, "a sentence that is copied");
    assert_int_equal(r, made ? 0 : TL_ESTATE);
    assert_int_equal(tl_future_result(kept, NULL), made ? -EIO : -ENOMEM);
    (void)tl_future_set_exception(dropped, -EPIPE, "another one");
    tl_future_unref(dropped);
    look_once(loop);
    ladder_disarm(contract->ladder);
    look_once(loop);
    assert_int_equal(calls, expected);
    assert_int_equal(reports, made_dropped);
    tl_future_unref(kept);
    end(loop);
}

static void futures_plainly(struct contract *contract)
{
    futures(contract, false);
}

static void futures_in_debug_mode(struct contract *contract)
{
    futures(contract, true);
}

/* --- Handles ---------------------------------------------------------------------------------- */

static void handles(struct contract *contract, bool debug)
{
    int reports = 0, calls = 0, expected = 0;
    tl_loop *loop = arm(contract, debug, &reports);
    tl_handle *soon = NULL;
    tl_timer_handle *later = NULL;
    for (int i = 0; i < 5; i++) {
        expected += accepted(tl_loop_call_soon(loop, count_one, &calls, NULL));
        expected += accepted(tl_loop_call_later(loop, 0, count_one, &calls, NULL));
    }
    if (accepted(tl_loop_call_soon(loop, count_one, &calls, &soon)))
        tl_handle_cancel(soon);
    if (accepted(tl_loop_call_later(loop, 0, count_one, &calls, &later)))
        tl_timer_handle_cancel(later);
    ladder_disarm(contract->ladder);
    look_once(loop);
    look_once(loop);
    assert_int_equal(calls, expected);
    assert_int_equal(reports, 0);
    tl_handle_unref(soon);
    tl_timer_handle_unref(later);
    end(loop);
}

static void handles_plainly(struct contract *contract)
{
    handles(contract, false);
}

static void handles_in_debug_mode(struct contract *contract)
{
    handles(contract, true);
}

/* --- Posts ------------------------------------------------------------------------------------ */

static void take_message(tl_loop *loop, uint32_t kind, const void *data, size_t len, void *arg)
{
    (void)loop;
    assert_int_equal(kind, 7);
    assert_int_equal(len, 5);
    assert_memory_equal(data, "hello", 5);
    ++*(int *)arg;
}

static void posts(struct contract *contract)
{
    int reports = 0, calls = 0, expected = 0;
    tl_loop *loop = arm(contract, false, &reports);
    tl_handle *handle = NULL;
    assert_int_equal(tl_loop_set_message_handler(loop, take_message, &calls), 0);
    for (int i = 0; i < 3; i++) {
        expected += accepted(tl_loop_call_soon_threadsafe(loop, count_one, &calls, NULL));
        expected += accepted(tl_loop_post_message(loop, 7, "hello", 5));
    }
    if (accepted(tl_loop_call_soon_threadsafe(loop, count_one, &calls, &handle)))
        tl_handle_cancel(handle);
    ladder_disarm(contract->ladder);
    for (int i = 0; i < 4; i++)
        look_once(loop);
    assert_int_equal(calls, expected);
    assert_int_equal(reports, 0);
    tl_handle_unref(handle);
    end(loop);
}

/* --- Without a loop --------------------------------------------------------------------------- */

static void a_loop(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_loop *loop;
    int calls = 0;
    ladder_arm(contract->ladder);
    int r = tl_loop_new(kernel, &loop);
    if (!accepted(r)) {
        ladder_disarm(contract->ladder);
        kernel->ops->destroy(kernel);
        return;
    }
    bool queued = accepted(tl_loop_call_soon(loop, count_one, &calls, NULL));
    look_once(loop);
    assert_int_equal(calls, queued);
    end(loop);
    ladder_disarm(contract->ladder);
}

static const struct contract_case cases[] = {
    CONTRACT_LADDER(futures_plainly, 6), CONTRACT_LADDER(futures_in_debug_mode, 8),
    CONTRACT_LADDER(handles_plainly, 5), CONTRACT_LADDER(handles_in_debug_mode, 10),
    CONTRACT_LADDER(posts, 6),           CONTRACT_LADDER(a_loop, 2),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "loop_ladder", cases, sizeof cases / sizeof *cases);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs in the simulator: workers in virtual time, the choices that jobs depend on, and what a job
 * may not do there.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <twinloop.h>
#include <twinloop/assert.h>
#include <twinloop/sim.h>
#include <cmocka.h>
#include "support/simulated.h"

enum { JOBS = 5 };

static void do_nothing(struct tl_work *work)
{
    (void)work;
}

/* Jobs for the same workers, and when each was over. */
struct crew {
    struct tl_kernel *kernel;
    struct tl_workers workers;
    struct tl_work jobs[JOBS];
    tl_time over[JOBS];
    int order[JOBS];
};

static void crew_open(struct crew *crew, struct tl_kernel *kernel, unsigned workers_max)
{
    *crew = (struct crew){.kernel = kernel, .workers = {.max = workers_max}};
    for (int i = 0; i < JOBS; i++) {
        crew->jobs[i] = (struct tl_work){.run = do_nothing, .workers = &crew->workers};
        assert_int_equal(kernel->ops->work(kernel, &crew->jobs[i]), 0);
    }
}

static void crew_await(struct crew *crew)
{
    for (int i = 0; i < JOBS; i++) {
        struct tl_event event;
        assert_int_equal(crew->kernel->ops->poll(crew->kernel, -1, &event, 1), 1);
        assert_int_equal(event.kind, TL_EVENT_WORK);
        int number = (int)((struct tl_work *)event.token - crew->jobs);
        crew->order[i] = number;
        crew->over[number] = crew->kernel->ops->now(crew->kernel);
    }
    crew->kernel->ops->destroy(crew->kernel);
}

/* --- Workers in virtual time ------------------------------------------------------------------ */

static void jobs_wait_for_busy_workers(void **state)
{
    static const tl_time over[JOBS] = {10, 10, 20, 20, 30};
    struct crew crew;

    (void)state;
    crew_open(&crew, simulated_quiet_kernel(), 2);
    crew_await(&crew);
    for (int i = 0; i < JOBS; i++)
        assert_int_equal(crew.over[i], over[i] * TL_MICROSECOND);
}

static void a_job_called_off_gives_its_worker_back(void **state)
{
    struct tl_kernel *kernel = simulated_kernel((struct tl_world_options){.seed = 3});
    struct tl_workers workers = {.max = 1};
    struct tl_work first = {.run = do_nothing, .workers = &workers};
    struct tl_work second = {.run = do_nothing, .workers = &workers};
    struct tl_event event;

    /* A worker that takes its time to begin. */
    (void)state;
    simulated_only(kernel, "work.start", 65536);
    assert_int_equal(kernel->ops->work(kernel, &first), 0);
    assert_int_equal(kernel->ops->work(kernel, &second), 0);
    assert_int_equal(kernel->ops->cancel(kernel, &first.request), 0);
    simulated_only(kernel, "work.start", 0);
    assert_int_equal(kernel->ops->poll(kernel, -1, &event, 1), 1);
    assert_ptr_equal(event.token, &second);
    assert_int_equal(kernel->ops->retire(kernel, &workers), 0);
    kernel->ops->destroy(kernel);
}

static void the_default_is_four_more_than_processors(void **state)
{
    struct crew crew;

    (void)state;
    crew_open(&crew, simulated_quiet_kernel(), 0);
    crew_await(&crew);
    for (int i = 0; i < JOBS; i++)
        assert_int_equal(crew.over[i], 10 * TL_MICROSECOND);
}

/* --- Choices ---------------------------------------------------------------------------------- */

static unsigned orders_seen(const char *site, unsigned workers_max)
{
    unsigned seen = 0;
    for (uint64_t seed = 1; seed <= 32; seed++) {
        struct tl_kernel *kernel = simulated_kernel((struct tl_world_options){.seed = seed});
        struct crew crew;
        simulated_only(kernel, site, 65536);
        crew_open(&crew, kernel, workers_max);
        crew_await(&crew);
        seen |= 1u << crew.order[0];
    }
    return seen;
}

static void jobs_end_in_any_order(void **state)
{
    (void)state;
    const unsigned all = (1u << JOBS) - 1;
    assert_int_equal(orders_seen("work.duration", JOBS), all);
    assert_int_equal(orders_seen("work.start", JOBS), all);
    assert_int_equal(orders_seen("work.order", JOBS),
                     all & ~1u); /* at these odds never the first */
    assert_int_equal(orders_seen("poll.order", JOBS), 1);
    assert_int_equal(orders_seen("work.duration", 1), 1);
}

static void one_seed_one_hash(void **state)
{
    uint64_t hashes[2][2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct tl_kernel *kernel = simulated_kernel((struct tl_world_options){.seed = 11});
        struct crew crew;
        crew_open(&crew, kernel, 2);
        (void)kernel->ops->cancel(kernel, &crew.jobs[4].request);
        assert_int_equal(kernel->ops->work(kernel, &crew.jobs[4]), 0);
        for (int job = 0; job < JOBS; job++) {
            struct tl_event event;
            assert_int_equal(kernel->ops->poll(kernel, -1, &event, 1), 1);
        }
        tl_world_hashes(tl_sim_kernel_world(kernel), &hashes[i][0], &hashes[i][1]);
        kernel->ops->destroy(kernel);
    }
    assert_memory_equal(hashes[0], hashes[1], sizeof hashes[0]);
}

/* What a job leaves in its out-buffer is content. */
static void put_byte(struct tl_work *work)
{
    static const char bytes[] = "ab";
    *(char *)work->out = bytes[work->name[0] - '0'];
}

static void results_are_hashed(void **state)
{
    uint64_t schedule[2], content[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct tl_kernel *kernel = simulated_quiet_kernel();
        struct tl_event event;
        char out = 0;
        struct tl_work work = {
            .run = put_byte, .out = &out, .out_len = 1, .name = {(char)('0' + i)}};
        assert_int_equal(kernel->ops->work(kernel, &work), 0);
        assert_int_equal(kernel->ops->poll(kernel, -1, &event, 1), 1);
        tl_world_hashes(tl_sim_kernel_world(kernel), &schedule[i], &content[i]);
        kernel->ops->destroy(kernel);
    }
    assert_true(schedule[0] == schedule[1]);
    assert_true(content[0] != content[1]);
}

/* --- What a job may not do -------------------------------------------------------------------- */

/* Runs a loop of its own, which has a job of its own to wait for. */
static int job_waits_for_job(void *arg, tl_value *ret)
{
    tl_loop *loop;

    (void)ret;
    TL_ASSERT(tl_new_event_loop(&loop) == 0, "a loop can be made");
    tl_future *future = tl_loop_run_in_executor(loop, NULL, arg, NULL);
    int r = tl_loop_run_until_complete(loop, future, NULL);
    tl_loop_free(loop);
    return r;
}

/* Or the one that it is a job of. */
static int job_runs_its_loop(void *arg, tl_value *ret)
{
    (void)ret;
    return tl_loop_run_forever(arg);
}

static int job_idle(void *arg, tl_value *ret)
{
    (void)arg;
    (void)ret;
    return 0;
}

static int program_waits_in_a_job(int argc, char **argv)
{
    tl_loop *loop;

    (void)argc;
    (void)argv;
    TL_ASSERT(tl_new_event_loop(&loop) == 0, "a loop can be made");
    tl_future_detach(tl_loop_run_in_executor(loop, NULL, job_idle, NULL));
    tl_future *future = tl_loop_run_in_executor(loop, NULL, job_waits_for_job, job_idle);
    int r = tl_loop_run_until_complete(loop, future, NULL);
    tl_loop_free(loop);
    return r < 0;
}

static void a_job_that_waits_is_an_executor_deadlock(void **state)
{
    (void)state;
    notes_run(program_waits_in_a_job, (struct tl_world_options){.quiet = true}, TL_OUTCOME_STUCK,
              "executor deadlock: job 2 of prog waits in poll");
}

static void a_job_cannot_run_its_loop(void **state)
{
    struct tl_kernel *kernel = simulated_quiet_kernel();
    tl_loop *loop;

    (void)state;
    assert_int_equal(tl_loop_new(kernel, &loop), 0);
    tl_future *future = tl_loop_run_in_executor(loop, NULL, job_runs_its_loop, loop);
    assert_int_equal(tl_loop_run_until_complete(loop, future, NULL), -EALREADY);
    tl_loop_free(loop);
}

static void poll_itself(struct tl_work *work)
{
    struct tl_kernel *kernel = *(struct tl_kernel **)work->out;
    struct tl_event event;
    *(int *)((struct tl_kernel **)work->out + 1) = kernel->ops->poll(kernel, 0, &event, 1);
}

static void on_the_callers_stack_poll_says_so(void **state)
{
    struct {
        struct tl_kernel *kernel;
        int result;
    } out = {.kernel = simulated_quiet_kernel()};
    struct tl_work work = {.run = poll_itself, .out = &out, .out_len = sizeof out};
    struct tl_kernel *kernel = out.kernel;
    struct tl_event event;

    (void)state;
    assert_int_equal(kernel->ops->work(kernel, &work), 0);
    assert_int_equal(kernel->ops->poll(kernel, -1, &event, 1), 1);
    assert_int_equal(out.result, TL_EDEADLOCK);
    assert_non_null(strstr(tl_world_report(tl_sim_kernel_world(kernel)),
                           "executor deadlock: a job of main waits in poll"));
    kernel->ops->destroy(kernel);
}

/* --- The end of a process --------------------------------------------------------------------- */

static int program_is_killed(int argc, char **argv)
{
    tl_loop *loop;

    (void)argc;
    (void)argv;
    TL_ASSERT(tl_new_event_loop(&loop) == 0, "a loop can be made");
    tl_executor *executor = tl_thread_pool_executor_new(1, NULL);
    for (int i = 0; i < JOBS; i++)
        tl_future_detach(tl_loop_run_in_executor(loop, executor, job_idle, NULL));
    tl_process_kill(tl_process_current(), SIGKILL);
    return tl_loop_run_forever(loop);
}

static void a_killed_process_takes_its_jobs_along(void **state)
{
    (void)state;
    notes_run(program_is_killed, (struct tl_world_options){.quiet = true}, TL_OUTCOME_FAILED, "");
}

/* --- A program with jobs, whatever happens ---------------------------------------------------- */

enum { MANY = 24 };

struct errands {
    tl_loop *loop;
    int ran;
    int released;
    int cancelled;
    int posted;
    bool over[MANY]; /* by the order in which they were given: none is released twice */
};

struct one_errand {
    struct errands *errands;
    int number;
    bool began;
    int posted;
};

static void errand_posted(void *arg)
{
    struct one_errand *one = arg;
    one->posted++;
    one->errands->posted++;
}

static int run_errand(void *arg, tl_value *ret)
{
    struct one_errand *one = arg;
    one->began = true;
    one->errands->ran++;
    *ret = tl_value_int(one->number);
    return tl_loop_call_soon_threadsafe(one->errands->loop, errand_posted, one, NULL);
}

static void errand_released(void *arg)
{
    struct one_errand *one = arg;
    struct errands *errands = one->errands;
    TL_ASSERT(!errands->over[one->number], "a job is released once");
    TL_ASSERT(one->posted == one->began, "what it posted has run before");
    errands->over[one->number] = true;
    if (++errands->released == MANY)
        tl_loop_stop(errands->loop);
}

static void give_errand(struct errands *errands, tl_executor *executor, struct one_errand *one)
{
    static const tl_site cancels = {"test.cancel", TL_SITE_USER, 32768, "whether it is cancelled"};
    const tl_job job = {.fn = run_errand, .arg = one, .release = errand_released};
    tl_future *future = tl_loop_run_job(errands->loop, executor, &job);
    if (tl_choose(tl_world_current(), &cancels, (uint64_t)one->number, 2) == 1) {
        TL_ASSERT(tl_future_cancel(future), "cancelling succeeds at once");
        errands->cancelled++;
    }
    tl_future_unref(future);
}

static int program_of_errands(int argc, char **argv)
{
    struct errands errands = {.ran = 0};
    struct one_errand every[MANY];

    (void)argc;
    (void)argv;
    TL_ASSERT(tl_new_event_loop(&errands.loop) == 0, "a loop can be made");
    tl_executor *executor = tl_thread_pool_executor_new(2, NULL);
    for (int i = 0; i < MANY; i++) {
        every[i] = (struct one_errand){.errands = &errands, .number = i};
        give_errand(&errands, i % 3 == 0 ? NULL : executor, &every[i]);
    }
    tl_future *shutdown = tl_executor_shutdown(executor, errands.loop);
    tl_executor_unref(executor);
    TL_ASSERT(tl_loop_run_forever(errands.loop) == 0, "the loop runs until all are released");
    TL_ASSERT(tl_loop_run_until_complete(errands.loop, shutdown, NULL) == 0, "it is shut down");
    TL_ASSERT(errands.ran >= MANY - errands.cancelled, "who was not cancelled has run");
    TL_ASSERT(errands.posted == errands.ran, "and posted");
    tl_loop_free(errands.loop);
    program_notes()->count = errands.ran;
    return 0;
}

static void run_errands(uint64_t seed, int *ret_ran, uint64_t ret_hashes[2])
{
    struct notes notes;
    notes_open(&notes, (struct tl_world_options){.seed = seed});
    notes_spawn(&notes, program_of_errands, "prog");
    notes_expect(&notes, TL_OUTCOME_HELD, "");
    tl_world_hashes(notes.world, &ret_hashes[0], &ret_hashes[1]);
    *ret_ran = notes.count;
    tl_world_free(notes.world);
}

static void each_job_is_over_once_whatever_happens(void **state)
{
    int least = MANY, most = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        uint64_t first[2], second[2];
        int ran, again;
        run_errands(seed, &ran, first);
        run_errands(seed, &again, second);
        assert_int_equal(ran, again);
        assert_memory_equal(first, second, sizeof first);
        least = ran < least ? ran : least;
        most = ran > most ? ran : most;
    }
    assert_true(least < most && most <= MANY);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_wait_for_busy_workers),
        cmocka_unit_test(a_job_called_off_gives_its_worker_back),
        cmocka_unit_test(the_default_is_four_more_than_processors),
        cmocka_unit_test(jobs_end_in_any_order),
        cmocka_unit_test(one_seed_one_hash),
        cmocka_unit_test(results_are_hashed),
        cmocka_unit_test(a_job_that_waits_is_an_executor_deadlock),
        cmocka_unit_test(a_job_cannot_run_its_loop),
        cmocka_unit_test(on_the_callers_stack_poll_says_so),
        cmocka_unit_test(a_killed_process_takes_its_jobs_along),
        cmocka_unit_test(each_job_is_over_once_whatever_happens),
    };

    return cmocka_run_group_tests_name("sim_work", tests, NULL, NULL);
}

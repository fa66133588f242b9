/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fixture of contract tests: makes a CMocka row of each case and world, gives the body its
 * kernels, runs the recording and the replay of the replay worlds, and climbs the ladders.
 *
 * A row's struct contract lives from contract_main's start to its end. The trace of a row is made
 * by its setup and removed by its teardown, which CMocka runs also after a failed assertion.
 */
#include <errno.h>
#include <fnmatch.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <twinloop/error.h>
#include <twinloop/real.h>
#include <twinloop/sim.h>
#include <twinloop/trace.h>
#include <unistd.h>
#include <cmocka.h>
#include "core/self.h"
#include "support/contract.h"

/* A body that waits for what never comes is ended by SIGALRM after this many seconds. */
#define ROW_SECONDS_MAX 120

struct row {
    struct contract contract;
    const struct contract_case *test;
    bool replays;
    struct ladder ladder;
    char name[128];
};

struct world {
    const char *name;
    unsigned mask;
    int (*base_kernel)(struct tl_kernel **ret);
    bool replays;
};

static int sim_kernel(struct tl_kernel **ret)
{
    /* The seed still decides every order that poll leaves open; faults and short transfers have
     * tests of their own. */
    static const struct tl_world_options options = {.seed = 1, .quiet = true, .fds_max = 32768};

    return tl_sim_kernel_new(&options, ret);
}

static const struct world worlds[] = {
    {"real", CONTRACT_REAL, tl_real_kernel_new, false},
    {"sim", CONTRACT_SIM, sim_kernel, false},
    {"replay-real", CONTRACT_REPLAY_REAL, tl_real_kernel_new, true},
    {"replay-sim", CONTRACT_REPLAY_SIM, sim_kernel, true},
};

#define WORLDS_COUNT (sizeof worlds / sizeof *worlds)

/* --- Kernels --- */

/* Whether the replay worlds are to be those of stream replay, which the environment may ask for. */
static bool replays_streams(void)
{
    const char *mode = getenv("CONTRACT_REPLAY");

    return mode != NULL && strcmp(mode, "stream") == 0;
}

static int new_kernel(struct contract *contract, struct tl_kernel **ret)
{
    struct tl_kernel *base;
    int r;

    if (contract->reader != NULL) {
        r = replays_streams()
                ? tl_stream_replay_kernel_new(contract->reader, contract->replayed, ret)
                : tl_replay_kernel_new(contract->reader, contract->replayed, ret);
        if (r == 0)
            contract->replayed++;
        return r;
    }
    r = contract->base_kernel(&base);
    if (r < 0)
        return r;
    if (contract->writer == NULL) {
        *ret = base;
        return 0;
    }
    r = tl_record_kernel_new(base, contract->writer, ret);
    if (r < 0)
        base->ops->destroy(base);
    return r;
}

struct tl_kernel *contract_kernel(struct contract *contract)
{
    struct tl_kernel *kernel;
    int r = contract->new_kernel(contract, &kernel);

    if (r < 0)
        fail_msg("a new kernel: %s", tl_strerror(r));
    return kernel;
}

tl_loop *contract_loop(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_loop *loop;
    int r = tl_loop_new(kernel, &loop);

    if (r < 0) {
        kernel->ops->destroy(kernel);
        fail_msg("a new loop: %s", tl_strerror(r));
    }
    return loop;
}

/* --- One row --- */

/* A body starts as if on a fresh thread: posts are numbered per thread, in the trace too. */
static void run_body(struct contract *contract, void (*body)(struct contract *))
{
    contract->thread->posts = 0;
    body(contract);
}

static void run_recorded(struct contract *contract, void (*body)(struct contract *))
{
    int r = tl_trace_writer_open(contract->trace, NULL, &contract->writer);
    if (r < 0)
        fail_msg("%s: %s", contract->trace, tl_strerror(r));

    run_body(contract, body);

    tl_trace_writer *writer = contract->writer;
    contract->writer = NULL;
    r = tl_trace_writer_close(writer);
    if (r < 0)
        fail_msg("closing the trace: %s", tl_strerror(r));
}

/* Whether a stream replay refuses the trace, as it may. */
static bool is_refused(const char *trace)
{
    struct tl_trace_problem problem;
    tl_trace_reader *reader;
    struct tl_kernel *kernel;
    int r = tl_trace_reader_open(trace, &reader, &problem);

    if (r < 0)
        return false;
    for (unsigned i = 0; r == 0; i++) {
        r = tl_stream_replay_kernel_new(reader, i, &kernel);
        if (r == 0)
            kernel->ops->destroy(kernel);
    }
    tl_trace_reader_close(reader);
    return r == -ENOTSUP;
}

static void run_replayed(struct contract *contract, void (*body)(struct contract *))
{
    struct tl_trace_problem problem;
    const char *report = "";
    int r = tl_trace_reader_open(contract->trace, &contract->reader, &problem);
    if (r < 0)
        fail_msg("reading the trace: %s: %s", tl_strerror(r), problem.message);

    run_body(contract, body);

    enum tl_replay_end end = tl_replay_result(contract->reader, &report);
    if (end != TL_REPLAY_COMPLETE)
        fail_msg("the replay ended as %d", (int)end);
}

static void run_rung(void *arg)
{
    struct row *row = arg;

    run_body(&row->contract, row->test->body);
}

static void run_ladder(struct row *row)
{
    row->contract.ladder = &row->ladder;
    ladder_install(&row->ladder);
    ladder_climb(&row->ladder, run_rung, row);
    ladder_remove(&row->ladder);
    if (row->ladder.rungs < row->test->rungs)
        fail_msg("%zu allocations were failed, not %u", row->ladder.rungs, row->test->rungs);
}

static void run_row(void **state)
{
    struct row *row = *state;

    if (row->test->rungs > 0) {
        run_ladder(row);
        return;
    }
    if (!row->replays) {
        run_body(&row->contract, row->test->body);
        return;
    }
    run_recorded(&row->contract, row->test->body);
    if (replays_streams() && is_refused(row->contract.trace)) {
        print_message("%s: the trace is refused\n", row->name);
        return;
    }
    run_replayed(&row->contract, row->test->body);
}

static int make_trace(struct contract *contract)
{
    const char *folder = getenv("TMPDIR");
    int size = (int)sizeof contract->trace;

    if (folder == NULL || *folder == '\0')
        folder = "/tmp";
    if (snprintf(contract->trace, size, "%s/twinloop-contract-XXXXXX", folder) >= size) {
        contract->trace[0] = '\0';
        return -ENAMETOOLONG;
    }
    int fd = mkstemp(contract->trace);
    if (fd < 0) {
        contract->trace[0] = '\0';
        return -errno;
    }
    close(fd);
    return 0;
}

static int set_up(void **state)
{
    struct row *row = *state;

    row->contract.thread = tl_thread_self();
    alarm(ROW_SECONDS_MAX);
    return row->replays ? make_trace(&row->contract) : 0;
}

/* A body that failed inside a callback has left its loop running, and a half-read trace. Says what
 * the replay had to say, and leaves nothing to the next row. */
static int tear_down(void **state)
{
    struct row *row = *state;
    struct contract *contract = &row->contract;
    const char *report = NULL;

    alarm(0);
    tl_self = contract->thread;
    tl_self->running = NULL;
    tl_self->current = NULL;
    if (contract->reader != NULL) {
        enum tl_replay_end end = tl_replay_result(contract->reader, &report);
        if (end != TL_REPLAY_COMPLETE && report != NULL)
            print_error("%s: %s\n", row->name, report);
        tl_trace_reader_close(contract->reader);
        contract->reader = NULL;
    }
    if (contract->writer != NULL)
        (void)tl_trace_writer_close(contract->writer);
    contract->writer = NULL;
    if (contract->trace[0] != '\0')
        unlink(contract->trace);
    return 0;
}

/* --- The table of rows --- */

static bool make_row(struct row *row, const struct contract_case *test, const struct world *world,
                     const char *glob)
{
    if (test->worlds != 0 && (test->worlds & world->mask) == 0)
        return false;
    *row = (struct row){
        .contract = {.world = world->name,
                     .new_kernel = new_kernel,
                     .base_kernel = world->base_kernel},
        .test = test,
        .replays = world->replays,
    };
    snprintf(row->name, sizeof row->name, "%s/%s", world->name, test->name);
    return glob == NULL || fnmatch(glob, row->name, 0) == 0;
}

static void list_rows(const struct contract_case *cases, size_t count)
{
    struct row row;

    for (size_t c = 0; c < count; c++)
        for (size_t w = 0; w < WORLDS_COUNT; w++)
            if (make_row(&row, &cases[c], &worlds[w], NULL))
                printf("%s\n", row.name);
}

int contract_main(int argc, char **argv, const char *group, const struct contract_case *cases,
                  size_t count)
{
    const char *glob = argc > 1 ? argv[1] : NULL;
    if (glob != NULL && strcmp(glob, "--list") == 0) {
        list_rows(cases, count);
        return 0;
    }
    struct row *rows = calloc(count * WORLDS_COUNT, sizeof *rows);
    struct CMUnitTest *tests = calloc(count * WORLDS_COUNT, sizeof *tests);
    size_t made = 0;
    int result = 2;

    if (rows == NULL || tests == NULL)
        goto done;
    unsetenv("TWINLOOP_DEBUG"); /* whoever runs the tests with it set means something else */
    for (size_t c = 0; c < count; c++)
        for (size_t w = 0; w < WORLDS_COUNT; w++)
            if (make_row(&rows[made], &cases[c], &worlds[w], glob))
                made++;
    if (made == 0) {
        fprintf(stderr, "%s: no case matches '%s'\n", group, glob != NULL ? glob : "*");
        goto done;
    }
    for (size_t i = 0; i < made; i++)
        tests[i] = (struct CMUnitTest){rows[i].name, run_row, set_up, tear_down, &rows[i]};
    result = !!_cmocka_run_group_tests(group, tests, made, NULL, NULL);

done:
    free(rows);
    free(tests);
    return result;
}

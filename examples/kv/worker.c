/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One of a client's connections; see worker.h. What is under way is bounded by depth, so memory is
 * too, whatever the server does.
 */
#include "worker.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX 48   /* bytes of an answer in a report */
#define KEEP_MAX 16384 /* bytes of memory a buffer keeps when it is empty */
#define THINK_ODDS 4   /* of so many times that more could be sent, once it waits first */

static void be_done(struct kv_worker *worker, const char *problem)
{
    if (worker->over)
        return;
    worker->over = true;
    tl_timer_stop(&worker->pause);
    worker->done(worker->arg, problem);
}

/* Bytes as they would stand in a C string, cut to fit. text has room for 4 * SHOWN_MAX + 4. */
static const char *show(const char *data, size_t len, char *text)
{
    char *at = text;
    for (size_t i = 0; i < len && i < SHOWN_MAX; i++) {
        unsigned char c = (unsigned char)data[i];
        if (c == '\r' || c == '\n')
            at += sprintf(at, "\\%c", c == '\r' ? 'r' : 'n');
        else
            at += sprintf(at, c >= ' ' && c <= '~' ? "%c" : "\\x%02x", c);
    }
    strcpy(at, len > SHOWN_MAX ? "..." : "");
    return text;
}

/* Draws commands until enough are under way, and writes them as one. */
static void fill(struct kv_worker *worker)
{
    bool drawn = true;
    tl_time now = tl_loop_time(worker->options.loop);
    kv_buffer_drop(&worker->expected, worker->expected_begin);
    worker->expected_begin = 0;
    while (drawn && worker->sent < worker->options.commands &&
           worker->sent - worker->answered < worker->options.depth) {
        struct kv_expectation *expectation =
            &worker->expectations[worker->sent++ % worker->options.depth];
        drawn = kv_model_next(&worker->model, &worker->commands, &worker->expected, expectation);
        expectation->sent = now;
    }
    if (!drawn)
        be_done(worker, "out of memory");
    else if (worker->commands.len > 0)
        (void)tl_transport_write(worker->link.transport, worker->commands.data,
                                 worker->commands.len);
    kv_buffer_clear(&worker->commands, KEEP_MAX);
}

static void wake(void *arg)
{
    fill(arg);
}

/* Fills up at once, or after a while. */
static void go_on(struct kv_worker *worker)
{
    tl_time now = tl_loop_time(worker->options.loop);
    tl_time most = (tl_time)worker->options.think_ms * TL_MILLISECOND;
    if (tl_timer_active(&worker->pause))
        return;
    tl_time pause = kv_model_pause(&worker->model, now, most, THINK_ODDS);
    if (pause == 0 || tl_timer_start(&worker->pause, now + pause) < 0)
        fill(worker);
}

static void complain(struct kv_worker *worker, const struct kv_expectation *expectation,
                     tl_time now, const char *expected, const char *answer, size_t len)
{
    _Static_assert(KV_VOLATILE_TEXT_MAX <= 4 * SHOWN_MAX, "every text fits in wanted");
    char problem[640], wanted[4 * SHOWN_MAX + 4], got[4 * SHOWN_MAX + 4];
    if (expectation->len > 0)
        show(expected, expectation->len, wanted);
    else if (expectation->kind == KV_EXPECT_INTEGER)
        strcpy(wanted, "a number");
    else if (expectation->kind == KV_EXPECT_VOLATILE)
        (void)kv_volatile_wanted(&worker->model.volatiles[expectation->step.key], expectation->sent,
                                 now, wanted);
    else
        (void)snprintf(wanted, sizeof wanted, "a number (%s %" PRId64 ")",
                       expectation->kind == KV_EXPECT_INCREASED ? "above" : "not below",
                       worker->model.seen[expectation->counter]);
    (void)snprintf(problem, sizeof problem,
                   "client %" PRIu64 " connection %" PRIu64 ": answer %" PRIu64
                   ", to %s: expected %s, got %s",
                   worker->options.client, worker->options.connection, worker->answered + 1,
                   expectation->command, wanted, show(answer, len, got));
    be_done(worker, problem);
}

static int answer(struct kv_link *link, const char *data, size_t len)
{
    struct kv_worker *worker = tl_container_of(link, struct kv_worker, link);
    tl_time now = tl_loop_time(worker->options.loop);
    if (worker->over)
        return 0;
    if (worker->answered == worker->sent) {
        const struct kv_expectation none = {.command = "nothing", .len = 1};
        complain(worker, &none, now, "\n", data, len);
        return 0;
    }
    const struct kv_expectation *expectation =
        &worker->expectations[worker->answered % worker->options.depth];
    const char *expected = worker->expected.data + worker->expected_begin;
    if (!kv_model_check(&worker->model, expectation, now, expected, data, len)) {
        complain(worker, expectation, now, expected, data, len);
        return 0;
    }
    worker->expected_begin += expectation->len;
    worker->answered++;
    if (worker->answered == worker->options.commands)
        be_done(worker, NULL);
    else
        go_on(worker);
    return 0;
}

static void link_down(struct kv_link *link, const tl_error *error)
{
    struct kv_worker *worker = tl_container_of(link, struct kv_worker, link);
    char problem[300];
    (void)snprintf(problem, sizeof problem,
                   "client %" PRIu64 " connection %" PRIu64 ": ended after %" PRIu64 " of %" PRIu64
                   " answers: %s",
                   worker->options.client, worker->options.connection, worker->answered,
                   worker->options.commands,
                   error != NULL ? error->message : "the server closed it");
    be_done(worker, problem);
    worker->down(worker->arg);
}

int kv_worker_init(struct kv_worker *worker, const struct kv_worker_options *options,
                   void (*done)(void *arg, const char *problem), void (*down)(void *arg), void *arg)
{
    *worker = (struct kv_worker){.options = *options, .done = done, .down = down, .arg = arg};
    worker->options.commands++; /* the first one deletes what an earlier run left */
    tl_timer_init(&worker->pause, options->loop, wake, worker);
    kv_link_init(&worker->link, answer, link_down);
    kv_model_init(&worker->model, options->seed, options->prefix, options->client,
                  options->connection);
    worker->expectations = calloc(options->depth, sizeof *worker->expectations);
    return worker->expectations != NULL ? 0 : -ENOMEM;
}

void kv_worker_finish(struct kv_worker *worker)
{
    kv_link_finish(&worker->link);
    kv_model_finish(&worker->model);
    kv_buffer_finish(&worker->expected);
    kv_buffer_finish(&worker->commands);
    free(worker->expectations);
}

void kv_worker_start(struct kv_worker *worker)
{
    kv_model_clean(&worker->model, &worker->commands, &worker->expectations[0]);
    worker->sent++;
    fill(worker);
}

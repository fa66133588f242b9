/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who gives a program its replay: a policy that the program sets itself, or the environment.
 *
 * Either way the n-th loop that is made gets stream n of the trace. `twinloop replay` uses the
 * environment: TWINLOOP_REPLAY names the trace and TWINLOOP_REPLAY_MODE which of the two replayers
 * it is, the process's context asks here for the kernels of its default policy, and when the
 * process ends, or the replay has diverged, the outcome is written to the file that
 * TWINLOOP_REPLAY_RESULT names (a word on the first line, then the report), or to the log.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <twinloop/trace.h>
#include "core/alloc.h"
#include "core/log.h"
#include "core/loop.h"
#include "trace/environment.h"
#include "trace/file.h"
#include "trace/reader.h"

/* One of the two ways to make a kernel. */
typedef int new_kernel(tl_trace_reader *reader, unsigned index, struct tl_kernel **ret);

/* A kernel for the loop number index. A loop that the recording did not have is a divergence. */
static int next_kernel(new_kernel *make, tl_trace_reader *reader, unsigned index,
                       struct tl_kernel **ret)
{
    char report[128];

    int r = make(reader, index, ret);
    if (r != -ENOENT)
        return r;
    (void)snprintf(report, sizeof report,
                   "diverged: the program makes a loop too many; the trace has %zu\n",
                   reader->streams_count);
    tl_trace_reader_note(reader, index, TL_REPLAY_DIVERGED, report);
    return TL_EDIVERGED;
}

/* --- The policy --- */

struct replay_policy {
    tl_policy policy;
    tl_trace_reader *reader;
    new_kernel *make;
    atomic_uint loops; /* made so far, on any thread */
    tl_allocator allocator;
};

static int replay_new_event_loop(tl_policy *policy, tl_loop **ret)
{
    struct replay_policy *ours = (struct replay_policy *)policy;
    struct tl_kernel *kernel;

    int r = next_kernel(ours->make, ours->reader, atomic_fetch_add(&ours->loops, 1), &kernel);
    return r < 0 ? r : tl_loop_take(kernel, ret);
}

static const struct tl_policy_ops replay_policy_ops = {
    .get_event_loop = tl_default_get_event_loop,
    .set_event_loop = tl_default_set_event_loop,
    .new_event_loop = replay_new_event_loop,
};

static int new_policy(new_kernel *make, tl_trace_reader *reader, tl_policy **ret)
{
    if (reader == NULL || ret == NULL)
        return -EINVAL;
    struct replay_policy *policy = tl_calloc(sizeof *policy);
    if (policy == NULL)
        return -ENOMEM;
    policy->policy.ops = &replay_policy_ops;
    policy->reader = reader;
    policy->make = make;
    policy->allocator = *tl_get_allocator();
    *ret = &policy->policy;
    return 0;
}

int tl_replay_policy_new(tl_trace_reader *reader, tl_policy **ret)
{
    return new_policy(tl_replay_kernel_new, reader, ret);
}

int tl_stream_replay_policy_new(tl_trace_reader *reader, tl_policy **ret)
{
    return new_policy(tl_stream_replay_kernel_new, reader, ret);
}

void tl_replay_policy_free(tl_policy *policy)
{
    if (policy == NULL)
        return;
    tl_allocator allocator = ((struct replay_policy *)policy)->allocator;
    tl_allocator_free(&allocator, policy);
}

/* --- The environment --- */

/* The one replay that the environment can ask this process for. It lives as long as the process:
 * its outcome is told at exit. */
static struct {
    pthread_mutex_t mutex;
    tl_trace_reader *reader; /* NULL until a loop is made */
    new_kernel *make;
    int64_t process; /* a forked child has nothing to tell */
    unsigned loops;
} environment = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void tell(const tl_trace_reader *reader)
{
    static const char *const words[] = {
        [TL_REPLAY_RUNNING] = TL_REPLAY_WORD_RUNNING,
        [TL_REPLAY_COMPLETE] = TL_REPLAY_WORD_COMPLETE,
        [TL_REPLAY_DIVERGED] = TL_REPLAY_WORD_DIVERGED,
        [TL_REPLAY_SHORT] = TL_REPLAY_WORD_SHORT,
        [TL_REPLAY_REFUSED] = TL_REPLAY_WORD_REFUSED,
    };
    const char *path = secure_getenv("TWINLOOP_REPLAY_RESULT");
    char text[TL_REPORT_MAX + 32];
    const char *report;

    enum tl_replay_end end = tl_replay_result(reader, &report);
    if (path == NULL || *path == '\0') {
        tl_log(end == TL_REPLAY_COMPLETE || end == TL_REPLAY_SHORT ? TL_LOG_INFO : TL_LOG_ERROR,
               "replay %s: %s", words[end], report);
        return;
    }
    int len = snprintf(text, sizeof text, "%s\n%s", words[end], report);
    int fd = tl_trace_file_create(path);
    if (fd < 0)
        return; /* who wants the result finds none, and says so */
    (void)tl_trace_file_write(fd, tl_trace_file_is_regular(fd), text, (size_t)len);
    (void)tl_trace_file_close(fd);
}

static void tell_at_exit(void)
{
    if (environment.process == tl_trace_file_process())
        tell(environment.reader);
}

/* The mode that the environment asks for; NULL, and a message, for one that there is not. */
static new_kernel *find_mode(void)
{
    const char *mode = secure_getenv("TWINLOOP_REPLAY_MODE");

    if (mode == NULL || *mode == '\0' || strcmp(mode, TL_REPLAY_MODE_STRICT) == 0)
        return tl_replay_kernel_new;
    if (strcmp(mode, TL_REPLAY_MODE_STREAM) == 0)
        return tl_stream_replay_kernel_new;
    tl_log(TL_LOG_ERROR,
           "TWINLOOP_REPLAY_MODE is '%s', neither " TL_REPLAY_MODE_STRICT
           " nor " TL_REPLAY_MODE_STREAM,
           mode);
    return NULL;
}

static int open_reader(void)
{
    struct tl_trace_problem problem;
    tl_trace_reader *reader;

    environment.make = find_mode();
    if (environment.make == NULL)
        return -EINVAL;
    int r = tl_trace_reader_open(secure_getenv("TWINLOOP_REPLAY"), &reader, &problem);
    if (r < 0) {
        tl_log(TL_LOG_ERROR, "the trace that TWINLOOP_REPLAY names cannot be read: byte %llu: %s",
               (unsigned long long)problem.offset, problem.message);
        return r;
    }
    if (atexit(tell_at_exit) != 0) {
        tl_trace_reader_close(reader);
        return -ENOMEM;
    }
    reader->books->notify = tell;
    environment.process = tl_trace_file_process();
    environment.reader = reader;
    return 0;
}

int tl_replay_kernel_from_environment(struct tl_kernel **ret)
{
    pthread_mutex_lock(&environment.mutex);
    int r = environment.reader != NULL ? 0 : open_reader();
    if (r == 0)
        r = next_kernel(environment.make, environment.reader, environment.loops++, ret);
    pthread_mutex_unlock(&environment.mutex);
    return r;
}

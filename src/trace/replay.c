/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The strict replayer: a kernel without sockets that answers from a trace, as long as the program
 * asks what it asked when the trace was made.
 *
 * This file makes and destroys it, goes through the trace, and compares. An operation describes
 * what the program asks as an event of its own; the next event of the trace must be the same as far
 * as the program decides it, and holds the answer. The first difference ends the replay: it is
 * reported with both sides, and from then on every operation answers TL_EDIVERGED, which makes poll
 * end the loop. A trace that was cut off ends it with TL_EOUTOFREACH instead.
 *
 * The clocks are not compared. A reading takes the next recorded one of the same gap between two
 * events; a reading more gets the last value again, and what was not read in a gap is skipped with
 * the gap.
 */
#include "trace/replay.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <twinloop/trace.h>

#include "core/alloc.h"
#include "trace/file.h"
#include "trace/print.h"

/* A clock read more or less often moves deadlines by the time between two readings: so far poll's
 * timeout may be off. */
#define TIMEOUT_SLACK TL_MILLISECOND

/* --- How it ends --- */

static int end(struct tl_replay *replay, int fate, enum tl_replay_end how, const char *report)
{
    replay->fate = fate;
    tl_trace_reader_note(replay->reader, replay->index, how, report);
    return fate;
}

static int run_out(struct tl_replay *replay)
{
    return end(replay, TL_EOUTOFREACH, TL_REPLAY_SHORT, NULL);
}

static int give_up(struct tl_replay *replay)
{
    char report[TL_REPORT_MAX];

    (void)snprintf(report, sizeof report, "the trace cannot be replayed: byte %llu: %s\n",
                   (unsigned long long)replay->cursor.problem.offset,
                   replay->cursor.problem.message);
    return end(replay, TL_EDIVERGED, TL_REPLAY_DIVERGED, report);
}

/* What a divergence may come of; "" when it may not. */
static const char *say_opaque(const struct tl_replay *replay, char *text, size_t size)
{
    text[0] = '\0';
    if (replay->opaque_at != 0)
        (void)snprintf(text, size,
                       "  not replayable beyond event %llu if that was read past the loop: a "
                       "descriptor from\n  elsewhere was ready, and nobody asked the loop for what "
                       "there was to read\n",
                       (unsigned long long)replay->opaque_at);
    return text;
}

int tl_replay_diverge(struct tl_replay *replay, const struct tl_trace_event *asked, const char *why,
                      ...)
{
    enum { EVENT_TEXT_MAX = 640, BLOB_MAX = 64, WHY_MAX = 160, OPAQUE_MAX = 200 };
    char report[TL_REPORT_MAX], trace[EVENT_TEXT_MAX], program[EVENT_TEXT_MAX] = "", time[40];
    char reason[WHY_MAX], opaque[OPAQUE_MAX];
    va_list args;

    va_start(args, why);
    (void)vsnprintf(reason, sizeof reason, why, args);
    va_end(args);
    tl_trace_format_event(&replay->item, TL_SIDE_TRACE, BLOB_MAX, trace, sizeof trace);
    if (asked != NULL)
        tl_trace_format_event(asked, TL_SIDE_PROGRAM, BLOB_MAX, program, sizeof program);
    tl_time since = (tl_time)((uint64_t)replay->item.time -
                              (uint64_t)replay->reader->streams[replay->index].now);
    (void)snprintf(report, sizeof report,
                   "diverged at event %llu of stream %u, %s s: %s\n"
                   "  the trace has     %s\n%s%s%s%s",
                   (unsigned long long)replay->item.number, replay->index,
                   tl_trace_format_time(since, time, sizeof time), reason, trace,
                   asked != NULL ? "  the program does  " : "", program, asked != NULL ? "\n" : "",
                   say_opaque(replay, opaque, sizeof opaque));
    return end(replay, TL_EDIVERGED, TL_REPLAY_DIVERGED, report);
}

/* --- Going through the trace --- */

/* Reads the next item unless there is one. 0, or what the operation answers. */
static int load(struct tl_replay *replay)
{
    if (replay->fate != 0)
        return replay->fate;
    if (!replay->taken)
        return 0;
    int r = tl_trace_cursor_next(&replay->cursor, &replay->item);
    if (r == 1) {
        replay->taken = false;
        return 0;
    }
    /* Where the trace ends, or a chunk is lost, there is nothing to compare; a chunk that is there
     * and makes no sense is not the program's fault either, but must not pass for a success. */
    return r == -ENOMEM ? r : r == TL_ETRACE ? give_up(replay) : run_out(replay);
}

/* Takes a reading of a clock in, if the item is one. */
static bool take_clock(struct tl_replay *replay)
{
    if (replay->item.kind == TL_TRACE_NOW)
        replay->now = replay->cursor.now;
    else if (replay->item.kind == TL_TRACE_WALL)
        replay->wall = replay->cursor.wall;
    else
        return false;
    replay->taken = true;
    return true;
}

int tl_replay_peek(struct tl_replay *replay)
{
    int r;

    do
        r = load(replay);
    while (r == 0 && take_clock(replay));
    return r;
}

void tl_replay_take(struct tl_replay *replay)
{
    replay->taken = true;
    tl_trace_reader_matched(replay->reader, replay->index);
}

/* --- Comparing --- */

static bool same_arg(const struct tl_trace_event *trace, const struct tl_trace_event *asked, int i)
{
    int64_t a = trace->arg[i], b = asked->arg[i];

    if (trace->kind == TL_TRACE_POLL && i == 0 && a >= 0 && b >= 0)
        return a < b ? b - a < TIMEOUT_SLACK : a - b < TIMEOUT_SLACK;
    return a == b;
}

/* How much of the trace's blob is the program's question. */
static size_t question_size(const struct tl_trace_event *trace)
{
    const char *prefix = tl_trace_rows[trace->kind].blob;

    if (trace->kind == TL_TRACE_INFO)
        return strnlen((const char *)trace->blob, trace->blob_len) + 1;
    if (strncmp(prefix, "addr:", 5) == 0 || strncmp(prefix, "text:", 5) == 0)
        return trace->blob_len;
    return 0;
}

static bool same_blob(const struct tl_trace_event *trace, const struct tl_trace_event *asked)
{
    size_t size = question_size(trace);

    if (size == 0 && asked->blob_len == 0)
        return true;
    return size == asked->blob_len && size <= trace->blob_len &&
           memcmp(trace->blob, asked->blob, size) == 0;
}

/* What differs; NULL when nothing does. */
static const char *difference(const struct tl_trace_event *trace,
                              const struct tl_trace_event *asked)
{
    const struct tl_trace_row *row = &tl_trace_rows[trace->kind];

    if (trace->kind != asked->kind)
        return "operation";
    if (strncmp(row->object, "new ", 4) != 0 && trace->object != asked->object)
        return row->object;
    for (int i = 0; i < row->fields / TL_FIELD_ARG; i++)
        if (*row->arg[i] != '=' && !same_arg(trace, asked, i))
            return row->arg[i];
    if (!same_blob(trace, asked))
        return strchr(row->blob, ':') + 1;
    return NULL;
}

/* Whether it is about what a descriptor has to give, or takes. */
static bool asks_descriptor(const struct tl_trace_event *event)
{
    return event->kind == TL_TRACE_READ || event->kind == TL_TRACE_WRITE ||
           event->kind == TL_TRACE_ACCEPT || event->kind == TL_TRACE_OPTION ||
           event->kind == TL_TRACE_SENDFILE;
}

int tl_replay_match(struct tl_replay *replay, const struct tl_trace_event *asked)
{
    int r = tl_replay_peek(replay);
    if (r < 0)
        return r;
    const char *differs = difference(&replay->item, asked);
    if (differs != NULL)
        return tl_replay_diverge(replay, asked, "another %s", differs);
    if (replay->told != 0 && asks_descriptor(asked) && asked->object == replay->told)
        replay->told = 0;
    tl_replay_take(replay);
    return 0;
}

int tl_replay_match_packed(struct tl_replay *replay, struct tl_trace_event *asked)
{
    if (replay->pack.failed)
        return -ENOMEM;
    asked->blob = replay->pack.data;
    asked->blob_len = replay->pack.len;
    return tl_replay_match(replay, asked);
}

int64_t tl_replay_result_of(struct tl_replay *replay, const struct tl_trace_event *asked)
{
    int r = tl_replay_match(replay, asked);
    return r < 0 ? r : replay->item.result;
}

/* --- The clocks --- */

/* Takes readings in until one of the clock that is asked for; where none follows the last one of
 * that clock stands. */
static void read_clock(struct tl_replay *replay, enum tl_trace_kind kind)
{
    while (load(replay) == 0) {
        enum tl_trace_kind got = replay->item.kind;
        if (!take_clock(replay) || got == kind)
            return;
    }
}

static tl_time replay_now(struct tl_kernel *kernel)
{
    struct tl_replay *replay = tl_replay_of(kernel);

    if (replay->header_now) {
        replay->header_now = false;
        return replay->reader->streams[replay->index].now;
    }
    read_clock(replay, TL_TRACE_NOW);
    return replay->now;
}

static tl_time replay_wall(struct tl_kernel *kernel)
{
    struct tl_replay *replay = tl_replay_of(kernel);

    if (replay->header_wall) {
        replay->header_wall = false;
        return replay->reader->streams[replay->index].wall;
    }
    read_clock(replay, TL_TRACE_WALL);
    return replay->wall;
}

/* --- Making and destroying --- */

static void free_replay(struct tl_replay *replay)
{
    tl_allocator allocator = replay->allocator;

    tl_replay_posts_finish(&replay->posts);
    tl_trace_cursor_finish(&replay->cursor);
    tl_trace_objects_finish(&replay->fds);
    tl_trace_objects_finish(&replay->children);
    tl_trace_objects_finish(&replay->requests);
    tl_trace_pack_finish(&replay->pack);
    tl_allocator_free(&allocator, replay->slots);
    tl_allocator_free(&allocator, replay);
}

static void replay_destroy(struct tl_kernel *kernel)
{
    struct tl_replay *replay = tl_replay_of(kernel);

    const struct tl_trace_event asked = {.kind = TL_TRACE_DESTROY};

    if (tl_replay_match(replay, &asked) == 0)
        tl_trace_reader_note(replay->reader, replay->index, TL_REPLAY_COMPLETE, NULL);
    tl_replay_close_adopted(replay);
    free_replay(replay);
}

static const struct tl_kernel_ops replay_ops = {
    .name = "replay",
    .destroy = replay_destroy,
    .now = replay_now,
    .wall = replay_wall,
    .entropy = tl_replay_entropy,
    .watch = tl_replay_watch,
    .poll = tl_replay_poll,
    .post = tl_replay_post,
    .socket = tl_replay_socket,
    .bind = tl_replay_bind,
    .listen = tl_replay_listen,
    .accept = tl_replay_accept,
    .connect = tl_replay_connect,
    .shutdown = tl_replay_shutdown,
    .option = tl_replay_option,
    .address = tl_replay_address,
    .pipe = tl_replay_pipe,
    .close = tl_replay_close,
    .read = tl_replay_read,
    .write = tl_replay_write,
    .sendfile = tl_replay_sendfile,
    .open = tl_replay_open,
    .pread = tl_replay_pread,
    .pwrite = tl_replay_pwrite,
    .stat = tl_replay_stat,
    .unlink = tl_replay_unlink,
    .rename = tl_replay_rename,
    .fsync = tl_replay_fsync,
    .adopt = tl_replay_adopt,
    .release = tl_replay_release,
    .spawn = tl_replay_spawn,
    .kill = tl_replay_kill,
    .adopt_child = tl_replay_adopt_child,
    .release_child = tl_replay_release_child,
    .signal = tl_replay_signal,
    .resolve = tl_replay_resolve,
    .work = tl_replay_work,
    .cancel = tl_replay_cancel,
    .retire = tl_replay_retire,
    .info = tl_replay_info,
    .note = tl_replay_note,
};

int tl_replay_kernel_new(tl_trace_reader *reader, unsigned index, struct tl_kernel **ret)
{
    if (reader == NULL || ret == NULL)
        return -EINVAL;
    if (index >= reader->streams_count || !reader->streams[index].known)
        return -ENOENT;
    struct tl_replay *replay = tl_calloc(sizeof *replay);
    if (replay == NULL)
        return -ENOMEM;
    replay->kernel.ops = &replay_ops;
    replay->reader = reader;
    replay->index = index;
    replay->allocator = *tl_get_allocator();
    replay->taken = true;
    replay->now = reader->streams[index].now;
    replay->wall = reader->streams[index].wall;
    replay->process = tl_trace_file_process();
    replay->pid = -1;
    tl_replay_posts_init(&replay->posts);
    tl_trace_cursor_init(&replay->cursor, reader, index);
    tl_trace_objects_init(&replay->fds, &replay->allocator, true);
    tl_trace_objects_init(&replay->children, &replay->allocator, true);
    tl_trace_objects_init(&replay->requests, &replay->allocator, true);
    tl_trace_pack_init(&replay->pack, &replay->allocator);
    tl_trace_reader_note(reader, index, TL_REPLAY_RUNNING, NULL);
    *ret = &replay->kernel;
    return 0;
}

void tl_replay_kernel_set_patience(struct tl_kernel *kernel, tl_time patience)
{
    tl_replay_of(kernel)->posts.patience = patience;
}

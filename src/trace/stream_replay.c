/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stream replayer: a kernel that plays the other sides of a recorded program's conversations,
 * for a program that need not be quite the same any more.
 *
 * A trace becomes a script (stream_replay_script.h): the inputs of all kinds in one total order,
 * and what each connection was sent. The program asks what it likes; sockets, options, readiness
 * are this kernel's own, made up as it goes along, and what is asked by name is answered as it was
 * then. Three things are the script's:
 *
 *   - *When an input comes.* The next one in order is given when the program is quiet, that is when
 *     its poll would wait, and its own connection has been sent as much as it had been then
 *     (stream_replay_poll.c). A program that waits without having sent that much gets the input all
 *     the same: it is counted as early.
 *   - *The clock.* It stands on what the recorded program read, at first on the instant at which
 *     its poll returned. Only for a timer that the recorded program did not have it stops in
 *     between, at the timer's deadline.
 *   - *What is sent.* Each connection's output is compared as one stream of bytes, and so is what
 *     is written to a file (stream_replay_output.c, stream_replay_output_files.c). The first
 *     difference ends the replay as in the strict one: it is reported with both sides, and from
 *     then on every operation answers TL_EDIVERGED.
 *
 * This file makes and destroys the kernel, has the clocks, and says how it ended.
 */
#include "trace/stream_replay.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/alloc.h"
#include "trace/file.h"

/* --- How it ends --- */

static void tell(struct tl_stream_replay *replay, enum tl_replay_end end, const char *report)
{
    tl_trace_reader_count(replay->reader, replay->index, &replay->counts);
    tl_trace_reader_note(replay->reader, replay->index, end, report);
}

int tl_play_diverge(struct tl_stream_replay *replay, const char *format, ...)
{
    char report[TL_REPORT_MAX];
    va_list args;

    va_start(args, format);
    int len = vsnprintf(report, sizeof report, format, args);
    va_end(args);
    if (len > 0 && (size_t)len < sizeof report)
        (void)snprintf(report + len, sizeof report - (size_t)len,
                       "  after %llu inputs, of which %llu were early\n",
                       (unsigned long long)replay->counts.inputs,
                       (unsigned long long)replay->counts.early);
    replay->fate = TL_EDIVERGED;
    tell(replay, TL_REPLAY_DIVERGED, report);
    return TL_EDIVERGED;
}

int tl_play_run_out(struct tl_stream_replay *replay)
{
    replay->fate = TL_EOUTOFREACH;
    tell(replay, TL_REPLAY_SHORT, NULL);
    return TL_EOUTOFREACH;
}

/* At the end of a trace that was cut off there is nothing more to ask of the program. */
void tl_play_passed(struct tl_stream_replay *replay)
{
    bool last = replay->step == replay->script.steps_count;

    if (last && !replay->script.closed)
        tell(replay, TL_REPLAY_SHORT, NULL);
    else
        tl_trace_reader_count(replay->reader, replay->index, &replay->counts);
}

/* Whether somebody would have missed this input: one that is not the end of something, for what the
 * program had and has not closed. */
static bool is_missed(const struct tl_play_step *step)
{
    switch (step->kind) {
    case TL_STEP_INSTANT:
    case TL_STEP_END:
    case TL_STEP_ERROR:
    case TL_STEP_ROOM:
    case TL_STEP_STIR:
        return false;
    case TL_STEP_ANSWER:
        return step->request->asker != NULL;
    case TL_STEP_CHILD:
        return !step->child->gone;
    case TL_STEP_SIGNAL:
    case TL_STEP_POSTED:
    case TL_STEP_MESSAGE:
        return true;
    default:
        return step->peer->handle != NULL || !step->peer->taken;
    }
}

/* The program closes its loop: whether it has had everything, and sent everything. */
static void end(struct tl_stream_replay *replay)
{
    const struct tl_play_script *script = &replay->script;

    for (size_t i = 0; i < script->peers_count; i++) {
        struct tl_play_peer *peer = script->peers[i];
        if (tl_play_compare_end(replay, peer,
                                peer->taken ? "the program ends" : "the program has none") < 0)
            return;
    }
    /* What the last poll had beside the input that made the program end is no loss, nor what the
     * recorded program had from polls that did not wait: how soon others finish decides that. */
    bool begun = false;
    for (; replay->step < script->steps_count; replay->step++) {
        const struct tl_play_step *step = &script->steps[replay->step];
        begun = begun || (step->kind == TL_STEP_INSTANT && step->waited);
        if (begun && is_missed(step)) {
            (void)tl_play_diverge(replay,
                                  "diverged: the program ends before the input of event %llu\n",
                                  (unsigned long long)step->number);
            return;
        }
        replay->counts.unused += step->kind != TL_STEP_INSTANT;
    }
    tell(replay, script->closed ? TL_REPLAY_COMPLETE : TL_REPLAY_SHORT, NULL);
}

/* --- The clocks --- */

static tl_time stream_now(struct tl_kernel *kernel)
{
    struct tl_stream_replay *replay = tl_stream_replay_of(kernel);

    if (replay->header_now) {
        replay->header_now = false;
        return replay->reader->streams[replay->index].now;
    }
    if (replay->nows < replay->nows_limit) {
        tl_time now = replay->script.nows[replay->nows++];
        replay->now = replay->now > now ? replay->now : now;
    }
    return replay->now;
}

static tl_time stream_wall(struct tl_kernel *kernel)
{
    struct tl_stream_replay *replay = tl_stream_replay_of(kernel);

    if (replay->header_wall) {
        replay->header_wall = false;
        return replay->reader->streams[replay->index].wall;
    }
    if (replay->walls < replay->walls_limit) {
        replay->wall = replay->script.walls[replay->walls++];
        replay->wall_now = replay->now;
    }
    /* Asked more often than then: it has moved as the other one. */
    return (tl_time)((uint64_t)replay->wall + (uint64_t)replay->now - (uint64_t)replay->wall_now);
}

/* --- The rest --- */

static int stream_watch(struct tl_kernel *kernel, int fd, unsigned events, void *token)
{
    const struct tl_stream_replay *replay = tl_stream_replay_of(kernel);

    if (replay->fate == 0 && tl_play_file_of(replay, fd) != NULL)
        return events != 0 ? -EPERM : 0; /* a file is always ready */
    return tl_play_watch(kernel, fd, events, token);
}

static int stream_post(struct tl_kernel *kernel, struct tl_post *post)
{
    tl_replay_posts_add(&tl_stream_replay_of(kernel)->posts, post);
    return 0;
}

static int stream_retire(struct tl_kernel *kernel, struct tl_workers *workers)
{
    (void)workers;
    return tl_stream_replay_of(kernel)->fate;
}

static int stream_note(struct tl_kernel *kernel, enum tl_note kind, const void *data, size_t len)
{
    struct tl_stream_replay *replay = tl_stream_replay_of(kernel);

    (void)data, (void)len;
    if (kind == TL_NOTE_RECORDING) {
        replay->header_now = true;
        replay->header_wall = true;
    }
    return 0;
}

/* --- Making and destroying --- */

static void free_replay(struct tl_stream_replay *replay)
{
    tl_allocator allocator = replay->allocator;

    tl_replay_posts_finish(&replay->posts);
    tl_play_free_handles(replay);
    tl_trace_pack_finish(&replay->pack);
    tl_play_script_finish(&replay->script);
    tl_allocator_free(&allocator, replay);
}

static void stream_destroy(struct tl_kernel *kernel)
{
    struct tl_stream_replay *replay = tl_stream_replay_of(kernel);

    if (replay->fate == 0)
        end(replay);
    free_replay(replay);
}

static const struct tl_kernel_ops stream_ops = {
    .name = "replay",
    .destroy = stream_destroy,
    .now = stream_now,
    .wall = stream_wall,
    .entropy = tl_play_entropy,
    .watch = stream_watch,
    .poll = tl_play_poll,
    .post = stream_post,
    .socket = tl_play_socket,
    .bind = tl_play_bind,
    .listen = tl_play_listen,
    .accept = tl_play_accept,
    .connect = tl_play_connect,
    .shutdown = tl_play_shutdown,
    .option = tl_play_option,
    .address = tl_play_address,
    .pipe = tl_play_pipe,
    .close = tl_play_close,
    .read = tl_play_read,
    .write = tl_play_write,
    .sendfile = tl_play_sendfile,
    .open = tl_play_open,
    .pread = tl_play_pread,
    .pwrite = tl_play_pwrite,
    .stat = tl_play_stat,
    .unlink = tl_play_unlink,
    .rename = tl_play_rename,
    .fsync = tl_play_fsync,
    .adopt = tl_play_adopt,
    .release = tl_play_release,
    .spawn = tl_play_spawn,
    .kill = tl_play_kill,
    .adopt_child = tl_play_adopt_child,
    .release_child = tl_play_release_child,
    .signal = tl_play_signal,
    .resolve = tl_play_resolve,
    .work = tl_play_work,
    .cancel = tl_play_cancel,
    .retire = stream_retire,
    .info = tl_play_info,
    .note = stream_note,
};

/* The clocks before the first step. */
static void start(struct tl_stream_replay *replay)
{
    const struct tl_play_script *script = &replay->script;
    const struct tl_trace_stream *stream = &replay->reader->streams[replay->index];
    const struct tl_play_step *first = script->steps_count > 0 ? script->steps : NULL;

    replay->now = replay->wall_now = stream->now > 0 ? stream->now : 0;
    replay->wall = stream->wall;
    replay->nows_limit = first != NULL ? first->nows : script->nows_count;
    replay->walls_limit = first != NULL ? first->walls : script->walls_count;
    tell(replay, TL_REPLAY_RUNNING, NULL);
    if (first == NULL)
        tl_play_passed(replay);
}

int tl_stream_replay_kernel_new(tl_trace_reader *reader, unsigned index, struct tl_kernel **ret)
{
    if (reader == NULL || ret == NULL)
        return -EINVAL;
    if (index >= reader->streams_count || !reader->streams[index].known)
        return -ENOENT;
    struct tl_stream_replay *replay = tl_calloc(sizeof *replay);
    if (replay == NULL)
        return -ENOMEM;
    replay->kernel.ops = &stream_ops;
    replay->reader = reader;
    replay->index = index;
    replay->allocator = *tl_get_allocator();
    replay->ready.prev = replay->ready.next = &replay->ready;
    replay->process = tl_trace_file_process();
    tl_replay_posts_init(&replay->posts);
    tl_trace_pack_init(&replay->pack, &replay->allocator);
    int r = tl_play_script_make(&replay->script, &replay->allocator, reader, index);
    if (r < 0) {
        if (r != -ENOMEM)
            tell(replay, r == -ENOTSUP ? TL_REPLAY_REFUSED : TL_REPLAY_DIVERGED,
                 replay->script.problem);
        free_replay(replay);
        return r;
    }
    start(replay);
    *ret = &replay->kernel;
    return 0;
}

void tl_stream_replay_kernel_set_patience(struct tl_kernel *kernel, tl_time patience)
{
    tl_stream_replay_of(kernel)->posts.patience = patience;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The replayer's children, signals, requests, facts and notes; see replay.c. No process is started
 * and no name looked up: their ends are events of the trace.
 */
#include <errno.h>
#include <string.h>
#include "trace/file.h"
#include "trace/replay.h"

/* --- Children and signals --- */

static int64_t stdio(struct tl_replay *replay, int fd)
{
    return fd < 0 ? fd : (int64_t)tl_replay_ordinal(replay, fd);
}

int64_t tl_replay_spawn(struct tl_kernel *kernel, const struct tl_spawn *spawn)
{
    struct tl_replay *replay = tl_replay_of(kernel);
    struct tl_trace_event asked = {
        .kind = TL_TRACE_SPAWN,
        .arg = {stdio(replay, spawn->fds[0]), stdio(replay, spawn->fds[1]),
                stdio(replay, spawn->fds[2]), spawn->new_session},
    };

    int r = tl_trace_objects_reserve(&replay->children, 1);
    if (r < 0)
        return r;
    tl_trace_pack_spawn(&replay->pack, spawn);
    r = tl_replay_match_packed(replay, &asked);
    if (r < 0)
        return r;
    int64_t pid = replay->item.result;
    if (pid >= 0)
        tl_trace_objects_add(&replay->children, (uint64_t)pid, replay->item.object)->token =
            spawn->token;
    return pid;
}

int tl_replay_kill(struct tl_kernel *kernel, int64_t pid, int signum)
{
    struct tl_replay *replay = tl_replay_of(kernel);
    struct tl_trace_event asked = {
        .kind = TL_TRACE_KILL,
        .object = tl_trace_objects_ordinal(&replay->children, (uint64_t)pid),
        .arg = {signum, pid},
    };

    return (int)tl_replay_result_of(replay, &asked);
}

/* A live program's children have other numbers than the recorded one's had: the number is the
 * recorded answer's business, and not compared. */
int tl_replay_adopt_child(struct tl_kernel *kernel, int64_t pid, void *token)
{
    struct tl_replay *replay = tl_replay_of(kernel);
    struct tl_trace_event asked = {.kind = TL_TRACE_ADOPT_CHILD, .arg = {pid}};

    int r = tl_trace_objects_reserve(&replay->children, 1);
    if (r == 0)
        r = (int)tl_replay_result_of(replay, &asked);
    if (r >= 0)
        tl_trace_objects_add(&replay->children, (uint64_t)pid, replay->item.object)->token = token;
    return r;
}

int tl_replay_release_child(struct tl_kernel *kernel, int64_t pid)
{
    struct tl_replay *replay = tl_replay_of(kernel);
    struct tl_trace_object *child = tl_trace_objects_find(&replay->children, (uint64_t)pid);
    struct tl_trace_event asked = {
        .kind = TL_TRACE_RELEASE_CHILD,
        .object = child != NULL ? child->ordinal : 0,
        .arg = {pid},
    };

    int r = (int)tl_replay_result_of(replay, &asked);
    if (r >= 0 && child != NULL)
        tl_trace_objects_remove(&replay->children, child);
    return r;
}

int tl_replay_signal(struct tl_kernel *kernel, int signum, bool enable)
{
    struct tl_trace_event asked = {.kind = TL_TRACE_SIGNAL, .arg = {signum, enable}};

    return (int)tl_replay_result_of(tl_replay_of(kernel), &asked);
}

/* --- Requests --- */

static void made(struct tl_replay *replay, struct tl_request *request)
{
    request->owner = NULL;
    tl_trace_objects_add(&replay->requests, (uintptr_t)request, replay->item.object)->token =
        request;
}

int tl_replay_resolve(struct tl_kernel *kernel, struct tl_query *query)
{
    struct tl_replay *replay = tl_replay_of(kernel);
    struct tl_trace_event asked;

    int r = tl_trace_objects_reserve(&replay->requests, 1);
    if (r < 0)
        return r;
    tl_trace_query_event(&asked, query, replay->reader->minor);
    tl_trace_pack_question(&replay->pack, query);
    r = tl_replay_match_packed(replay, &asked);
    if (r < 0)
        return r;
    if (replay->item.result >= 0)
        made(replay, &query->request);
    return (int)replay->item.result;
}

int tl_replay_work(struct tl_kernel *kernel, struct tl_work *work)
{
    struct tl_replay *replay = tl_replay_of(kernel);
    struct tl_trace_event asked = {
        .kind = TL_TRACE_WORK,
        .arg = {work->out != NULL ? (int64_t)work->out_len : 0},
    };

    int r = tl_trace_objects_reserve(&replay->requests, 1);
    if (r == 0)
        r = (int)tl_replay_result_of(replay, &asked);
    if (r >= 0) {
        made(replay, &work->request);
        work->request.owner = &replay->jobs; /* by which it is known from a lookup */
        tl_replay_job_add(&replay->jobs, &work->request);
    }
    return r;
}

int tl_replay_cancel(struct tl_kernel *kernel, struct tl_request *request)
{
    struct tl_replay *replay = tl_replay_of(kernel);
    struct tl_trace_object *object = tl_trace_objects_find(&replay->requests, (uintptr_t)request);
    struct tl_trace_event asked = {
        .kind = TL_TRACE_CANCEL,
        .object = object != NULL ? object->ordinal : 0,
    };

    int r = (int)tl_replay_result_of(replay, &asked);
    if (r == 0 && object != NULL) {
        tl_trace_objects_remove(&replay->requests, object);
        (void)tl_replay_job_take(request);
    }
    return r;
}

int tl_replay_retire(struct tl_kernel *kernel, struct tl_workers *workers)
{
    struct tl_trace_event asked = {.kind = TL_TRACE_RETIRE};

    (void)workers;
    return (int)tl_replay_result_of(tl_replay_of(kernel), &asked);
}

/* --- Facts and notes --- */

/* The process that was recorded. Its number is in the trace where it was asked for first. A child
 * that the program forks has one of its own, by which loops know that they do not run there. */
static int64_t recorded_pid(struct tl_replay *replay)
{
    int64_t process = tl_trace_file_process();

    if (process != replay->process)
        return process;
    if (tl_replay_peek(replay) == 0 && replay->item.kind == TL_TRACE_INFO &&
        replay->item.arg[0] == TL_INFO_PID) {
        replay->pid = replay->item.result;
        tl_replay_take(replay);
    }
    return replay->pid >= 0 ? replay->pid : process;
}

int64_t tl_replay_info(struct tl_kernel *kernel, enum tl_info what, const char *name, char *text,
                       size_t size)
{
    struct tl_replay *replay = tl_replay_of(kernel);
    struct tl_trace_event asked = {.kind = TL_TRACE_INFO, .arg = {what}};

    if (what == TL_INFO_PID)
        return recorded_pid(replay);
    tl_trace_pack_begin(&replay->pack);
    tl_trace_pack_text(&replay->pack, name);
    int r = tl_replay_match_packed(replay, &asked);
    if (r < 0)
        return r;
    /* What was matched is the name, so what is behind it is the answer. */
    size_t len = replay->item.blob_len - replay->pack.len;
    if (replay->item.result >= 0 && text != NULL && size > 0) {
        len = len < size - 1 ? len : size - 1;
        memcpy(text, replay->item.blob + replay->pack.len, len);
        text[len] = '\0';
    }
    return replay->item.result;
}

int tl_replay_note(struct tl_kernel *kernel, enum tl_note kind, const void *data, size_t len)
{
    struct tl_replay *replay = tl_replay_of(kernel);
    struct tl_trace_event asked = {
        .kind = TL_TRACE_NOTE, .arg = {kind}, .blob = data, .blob_len = len};

    if (kind == TL_NOTE_RECORDING) {
        replay->header_now = true;
        replay->header_wall = true;
        return 0;
    }
    return (int)tl_replay_result_of(replay, &asked);
}

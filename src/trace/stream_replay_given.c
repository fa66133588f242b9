/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pipes and descriptors made elsewhere in a stream replay; see stream_replay.c.
 *
 * Which recorded one each of them is, is known when it comes to be: the first pipe of a kind is the
 * first recorded one of that kind, the first descriptor that is brought in the first that was, and
 * so on. What happens to them afterwards is as with sockets. Nothing is read from a descriptor that
 * was brought in: what it is was recorded too.
 */
#include <errno.h>
#include <unistd.h>
#include "trace/stream_replay.h"

/* The next recorded answer to a question without a name. 0; the error that it is; or the end of the
 * replay, when there is none that is left. */
static int next(struct tl_stream_replay *replay, uint32_t kind, int64_t arg,
                const struct tl_play_told **ret)
{
    struct tl_trace_event asked = {.kind = kind, .arg = {arg}};
    struct tl_play_question *question =
        tl_play_script_question(&replay->script, kind, arg, NULL, 0);

    if (question == NULL)
        return tl_play_unknown(replay, &asked);
    *ret = question->next;
    if ((*ret)->result < 0)
        return (int)tl_play_take_told(question)->result;
    if ((*ret)->peer->taken)
        return tl_play_unknown(replay, &asked);
    return 0;
}

/* The answer was given. */
static void took(struct tl_stream_replay *replay, uint32_t kind, int64_t arg)
{
    (void)tl_play_take_told(tl_play_script_question(&replay->script, kind, arg, NULL, 0));
}

/* Makes one end of a pair. */
static struct tl_play_handle *make_end(struct tl_stream_replay *replay, struct tl_play_peer *peer)
{
    struct tl_play_handle *handle = tl_play_new_handle(replay, peer->family, TL_STREAM);

    if (handle == NULL)
        return NULL;
    handle->pipe = peer->role == TL_PEER_PIPE;
    handle->remote = peer->remote;
    tl_play_attach(handle, peer);
    return handle;
}

int tl_play_pipe(struct tl_kernel *kernel, enum tl_pipe_kind kind, int ret_fds[2])
{
    struct tl_stream_replay *replay = tl_stream_replay_of(kernel);
    const struct tl_play_told *told = NULL;

    int r = replay->fate != 0 ? replay->fate : next(replay, TL_TRACE_PIPE, kind, &told);
    if (r < 0 || told == NULL)
        return r;
    struct tl_play_peer *peers[2] = {told->peer, told->other};
    struct tl_play_handle *first = make_end(replay, peers[0]);
    struct tl_play_handle *second = first != NULL ? make_end(replay, peers[1]) : NULL;
    if (second == NULL) {
        if (first != NULL)
            tl_play_forget_handle(replay, first);
        peers[0]->taken = false;
        return -ENOMEM;
    }
    took(replay, TL_TRACE_PIPE, kind);
    ret_fds[0] = first->fd;
    ret_fds[1] = second->fd;
    return 0;
}

/* --- Made elsewhere --- */

int tl_play_adopt(struct tl_kernel *kernel, int fd, struct tl_adopted *ret)
{
    struct tl_stream_replay *replay = tl_stream_replay_of(kernel);
    const struct tl_play_told *told = NULL;

    if (replay->fate != 0)
        return replay->fate;
    if (tl_play_any_handle_of(replay, fd) != NULL)
        return -EEXIST;
    int r = next(replay, TL_TRACE_ADOPT, 0, &told);
    if (r < 0 || told == NULL)
        return r;
    if (fd < 0) /* only the trace knows whether this was asked then */
        return -EBADF;
    struct tl_play_peer *peer = told->peer;
    struct tl_play_handle *handle = tl_play_give_handle(replay, fd, peer->family, peer->type);
    if (handle == NULL)
        return -ENOMEM;
    took(replay, TL_TRACE_ADOPT, 0);
    *ret = peer->adopted;
    handle->pipe = peer->role == TL_PEER_PIPE;
    if (peer->role == TL_PEER_FILE) {
        handle->file = peer;
        handle->position = TL_PLAY_STOOD;
        peer->taken = true;
        return 0;
    }
    handle->listening = peer->adopted.kind == TL_ADOPTED_LISTENER;
    handle->remote = peer->adopted.peer;
    tl_play_attach(handle, peer);
    return 0;
}

/* The program is done with a descriptor, as far as this kernel goes. */
static int leave(struct tl_stream_replay *replay, const struct tl_play_handle *handle,
                 const char *what)
{
    const struct tl_play_peer *peer = handle->peer;

    if (replay->fate != 0 || peer == NULL || handle->shut_write)
        return 0;
    if (peer->attempts != NULL && !peer->established) /* another one may go on with it */
        return 0;
    return tl_play_compare_end(replay, handle->peer, what);
}

int tl_play_release(struct tl_kernel *kernel, int fd)
{
    struct tl_stream_replay *replay = tl_stream_replay_of(kernel);
    struct tl_play_handle *handle = tl_play_any_handle_of(replay, fd);

    if (replay->fate != 0 || handle == NULL)
        return replay->fate != 0 ? replay->fate : -EBADF;
    int r = leave(replay, handle, "the program gives it back");
    tl_play_forget_handle(replay, handle);
    return r;
}

int tl_play_close(struct tl_kernel *kernel, int fd)
{
    struct tl_stream_replay *replay = tl_stream_replay_of(kernel);
    struct tl_play_handle *handle = tl_play_any_handle_of(replay, fd);

    if (handle == NULL)
        return -EBADF;
    int r = leave(replay, handle, "the program closes it");
    if (handle->real)
        (void)close(fd);
    tl_play_forget_handle(replay, handle);
    return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files by path in a stream replay; see stream_replay.c.
 *
 * There is no file system: what is asked by path is answered by the next recorded answer to the
 * same question, and when there is none by the last one again. A descriptor is what the recorded
 * open of that path has opened; what is in it is in stream_replay_file_bytes.c.
 */
#include <errno.h>
#include <string.h>
#include "trace/print.h"
#include "trace/stream_replay.h"

/* --- Questions --- */

/* Where the trace was cut off it may have been asked behind that. */
int tl_play_unknown_there(struct tl_stream_replay *replay, const struct tl_trace_event *asked,
                          const char *where)
{
    char text[640];

    if (!replay->script.closed && replay->step == replay->script.steps_count)
        return tl_play_run_out(replay);
    return tl_play_diverge(
        replay, "diverged: the program asks for what the trace does not have\n  %s%s\n",
        tl_trace_format_event(asked, TL_SIDE_PROGRAM, 64, text, sizeof text), where);
}

int tl_play_unknown(struct tl_stream_replay *replay, const struct tl_trace_event *asked)
{
    return tl_play_unknown_there(replay, asked, "");
}

static struct tl_play_question *find(const struct tl_stream_replay *replay,
                                     const struct tl_trace_event *asked, int64_t arg)
{
    return tl_play_script_question(&replay->script, asked->kind, arg, asked->blob, asked->blob_len);
}

const struct tl_play_told *tl_play_take_told(struct tl_play_question *question)
{
    const struct tl_play_told *told = question->next;

    if (told->next != NULL)
        question->next = told->next;
    return told;
}

/* Asks what has no more to it than a name. */
static int ask(struct tl_stream_replay *replay, const struct tl_trace_event *asked,
               const struct tl_play_told **ret)
{
    if (replay->fate != 0)
        return replay->fate;
    struct tl_play_question *question = find(replay, asked, 0);
    if (question == NULL)
        return tl_play_unknown(replay, asked);
    *ret = tl_play_take_told(question);
    return (int)(*ret)->result;
}

int tl_play_stat(struct tl_kernel *kernel, const char *path, struct tl_stat *ret)
{
    struct tl_trace_event asked = {
        .kind = TL_TRACE_STAT, .blob = (const uint8_t *)path, .blob_len = strlen(path)};
    const struct tl_play_told *told = NULL;

    int r = ask(tl_stream_replay_of(kernel), &asked, &told);
    if (r >= 0 && told != NULL)
        *ret = (struct tl_stat){
            .size = told->arg[0],
            .modified = told->arg[1],
            .kind = (uint32_t)told->arg[2],
            .identity = (uint64_t)told->arg[3],
        };
    return r;
}

int tl_play_unlink(struct tl_kernel *kernel, const char *path)
{
    struct tl_trace_event asked = {
        .kind = TL_TRACE_UNLINK, .blob = (const uint8_t *)path, .blob_len = strlen(path)};
    const struct tl_play_told *told;

    return ask(tl_stream_replay_of(kernel), &asked, &told);
}

int tl_play_rename(struct tl_kernel *kernel, const char *source, const char *target)
{
    struct tl_stream_replay *replay = tl_stream_replay_of(kernel);
    struct tl_trace_event asked = {.kind = TL_TRACE_RENAME};
    const struct tl_play_told *told;

    tl_trace_pack_begin(&replay->pack);
    tl_trace_pack_text(&replay->pack, source);
    tl_trace_pack_bytes(&replay->pack, target, strlen(target));
    if (replay->pack.failed)
        return -ENOMEM;
    asked.blob = replay->pack.data;
    asked.blob_len = replay->pack.len;
    return ask(replay, &asked, &told);
}

/* --- Opening --- */

int tl_play_open(struct tl_kernel *kernel, const char *path, unsigned flags, unsigned mode)
{
    struct tl_stream_replay *replay = tl_stream_replay_of(kernel);
    struct tl_trace_event asked = {
        .kind = TL_TRACE_OPEN,
        .arg = {flags, mode},
        .blob = (const uint8_t *)path,
        .blob_len = strlen(path),
    };

    if (replay->fate != 0)
        return replay->fate;
    struct tl_play_question *question = find(replay, &asked, flags);
    if (question == NULL)
        return tl_play_unknown(replay, &asked);
    struct tl_play_peer *peer = question->next->peer;
    if (peer == NULL)
        return (int)tl_play_take_told(question)->result;
    struct tl_play_handle *handle = tl_play_new_handle(replay, TL_FAMILY_NONE, TL_STREAM);
    if (handle == NULL)
        return -ENOMEM;
    handle->file = peer;
    (void)tl_play_take_told(question);
    peer->taken = true;
    if (peer->file->fresh) {
        peer->file->size = 0;
        if (peer->file->data != NULL)
            memset(peer->file->data, 0, peer->file->data_capacity);
    }
    return handle->fd;
}

/* A file may always be synced once more. */
int tl_play_fsync(struct tl_kernel *kernel, int fd)
{
    struct tl_stream_replay *replay = tl_stream_replay_of(kernel);
    const struct tl_play_peer *peer = tl_play_file_of(replay, fd);

    if (replay->fate != 0)
        return replay->fate;
    if (peer == NULL)
        return tl_play_any_handle_of(replay, fd) != NULL ? -EINVAL : -EBADF;
    struct tl_play_question *question =
        find(replay, &(struct tl_trace_event){.kind = TL_TRACE_FSYNC}, (int64_t)peer->ordinal);
    return question != NULL ? (int)tl_play_take_told(question)->result : 0;
}

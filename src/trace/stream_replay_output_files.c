/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What files have to do with the program's output in a stream replay; see stream_replay_output.c.
 *
 * Of a part of a file that was sent as such the trace has only which part that is and the hash of
 * its bytes: the program sends the same part, or the same bytes. What is written to a file is
 * compared like what is sent, and where it goes.
 */
#include <inttypes.h>
#include <string.h>
#include "trace/stream_replay_output.h"

/* Bytes where the recorded program sent a part of a file as such. */
int tl_play_compare_with_file(struct tl_stream_replay *replay, struct tl_play_peer *peer,
                              const struct tl_play_mark *mark, const uint8_t *ours, size_t len)
{
    char trace[TL_SHOWN_TEXT], program[TL_SHOWN_TEXT];
    int64_t offset = tl_play_place_of(peer, mark);

    tl_play_remember(peer, ours, len);
    tl_trace_hash_add(&peer->instead, ours, len);
    for (size_t done = 0; done < len;) {
        size_t part = len - done;
        const uint8_t *theirs = tl_play_file_bytes(mark->file, offset + (int64_t)done, &part);
        if (theirs == NULL && mark->hash != 0)
            return 0; /* the hash will tell */
        if (theirs == NULL)
            return tl_play_report(replay, peer,
                                  "it is sent bytes for a part of a file that is not known",
                                  tl_play_show_part(mark->file, offset, mark->len, trace),
                                  tl_play_show_bytes(ours, len, program));
        if (memcmp(theirs, ours + done, part) != 0)
            return tl_play_report(replay, peer, "it is sent other bytes than the file has",
                                  tl_play_show_bytes(theirs, part, trace),
                                  tl_play_show_bytes(ours + done, len - done, program));
        done += part;
    }
    return 0;
}

/* Of a part that was sent as such only in part nothing can be told. */
bool tl_play_is_other_part(const struct tl_play_peer *peer, const struct tl_play_mark *mark)
{
    return mark->hash != 0 && peer->instead.length == mark->len &&
           tl_trace_hash_value(&peer->instead) != mark->hash;
}

/* --- Files --- */

/* Whether two opens have opened the same: stat may tell, otherwise the path does. */
static bool is_same_file(const struct tl_play_peer *a, const struct tl_play_peer *b)
{
    return a == b ||
           (!a->file->fresh && !b->file->fresh && a->produced == 0 && b->produced == 0 &&
            a->file->identity == b->file->identity && a->file->path_len == b->file->path_len &&
            memcmp(a->file->path, b->file->path, a->file->path_len) == 0);
}

bool tl_play_sends_next(const struct tl_play_peer *peer, const struct tl_play_peer *file,
                        int64_t offset)
{
    const struct tl_play_mark *mark = tl_play_mark_of(peer);

    return mark != NULL && mark->file != NULL && is_same_file(mark->file, file) &&
           tl_play_place_of(peer, mark) == offset;
}

/* Part of a file where the recorded program sent something else, or in another way. */
static ssize_t compare_known(struct tl_stream_replay *replay, struct tl_play_peer *peer,
                             struct tl_play_peer *file, int64_t offset, size_t len)
{
    char trace[TL_SHOWN_TEXT], program[TL_SHOWN_TEXT];
    const struct tl_play_mark *mark = tl_play_mark_of(peer);
    size_t part = len;
    const uint8_t *ours = tl_play_file_bytes(file, offset, &part);

    if (ours == NULL)
        return tl_play_report(replay, peer, "it is sent a part of a file that is not known",
                              mark != NULL ? tl_play_show_rest(peer, mark, trace) : "no more",
                              tl_play_show_part(file, offset, len, program));
    int r = tl_play_compare_piece(replay, peer, ours, part);
    return r < 0 ? r : (ssize_t)part;
}

ssize_t tl_play_compare_file(struct tl_stream_replay *replay, struct tl_play_peer *peer,
                             struct tl_play_peer *file, int64_t offset, size_t len)
{
    const struct tl_play_mark *mark = tl_play_mark_of(peer);
    int64_t size = file->file->size;

    if (mark != NULL && tl_play_sends_next(peer, file, offset)) {
        uint64_t left = mark->end - peer->produced;
        size_t part = len < left ? len : (size_t)left;
        tl_play_pass_bytes(replay, peer, part);
        if (part == left)
            tl_play_pass_mark(peer);
        return (ssize_t)part;
    }
    if (size >= 0 && offset >= size)
        return 0;
    if (size >= 0 && (uint64_t)(size - offset) < len)
        len = (size_t)(size - offset);
    if (mark != NULL || tl_play_is_whole(replay, peer) || (size < 0 && replay->script.closed))
        return compare_known(replay, peer, file, offset, len);
    if (size < 0) /* the trace was cut off, and does not say where the file ends */
        return tl_play_run_out(replay);
    peer->produced += len;
    return (ssize_t)len;
}

static int written_elsewhere(struct tl_stream_replay *replay, const struct tl_play_peer *file,
                             const struct tl_play_mark *mark, int64_t offset)
{
    char name[TL_PEER_NAME_MAX], trace[TL_PLACE_TEXT_MAX], program[TL_PLACE_TEXT_MAX];

    return tl_play_diverge(replay,
                           "diverged: %s: byte %" PRIu64 " of what is written goes elsewhere\n"
                           "  the trace has       %s, event %" PRIu64 "\n"
                           "  the program writes  %s\n",
                           tl_play_peer_name(file, name), file->produced,
                           tl_play_show_place(tl_play_place_of(file, mark), trace), mark->number,
                           tl_play_show_place(offset, program));
}

ssize_t tl_play_compare_written(struct tl_stream_replay *replay, struct tl_play_peer *file,
                                const void *buf, size_t len, int64_t offset)
{
    const uint8_t *ours = buf;
    size_t done = 0;

    while (done < len) {
        const struct tl_play_mark *mark = tl_play_mark_of(file);
        uint64_t left = mark != NULL ? mark->end - file->produced : len - done;
        if (mark != NULL && left == 0 && done == 0) {
            tl_play_pass_mark(file);
            return mark->error;
        }
        if (left == 0)
            break; /* the next write meets the error */
        if (mark != NULL && tl_play_place_of(file, mark) != offset + (int64_t)done)
            return written_elsewhere(replay, file, mark, offset + (int64_t)done);
        size_t part = len - done < left ? len - done : (size_t)left;
        int r = tl_play_compare_piece(replay, file, ours + done, part);
        if (r < 0)
            return r;
        done += part;
        if (part == left && mark != NULL && mark->cut)
            break;
    }
    return (ssize_t)done;
}

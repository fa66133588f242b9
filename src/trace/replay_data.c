/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The replayer's operations that move bytes, and those on files; see replay.c.
 *
 * What the program received is copied out of the trace. What it sends is compared, as far as it was
 * taken: with the bytes if the trace has them, else with the running hash of the descriptor.
 */
#include <errno.h>
#include <string.h>
#include "trace/replay.h"

static size_t messages_size(const struct tl_message *messages, size_t count)
{
    size_t size = 0;

    for (size_t i = 0; i < count; i++)
        size += tl_trace_iov_size(messages[i].iov, messages[i].iov_count);
    return size;
}

/* --- Bytes coming in --- */

/* Copies the matched event's bytes to iov, which they must fit: result, or the end of the replay.
 */
static int64_t answer_bytes(struct tl_replay *replay, const struct iovec *iov, size_t count)
{
    const struct tl_trace_event *event = &replay->item;

    if (event->result < 0)
        return event->result;
    if ((uint64_t)event->result != event->blob_len ||
        event->blob_len > tl_trace_iov_size(iov, count))
        return tl_replay_diverge(replay, NULL, "bytes that do not fit their number");
    tl_trace_scatter(iov, event->blob, event->blob_len);
    return event->result;
}

ssize_t tl_replay_read(struct tl_kernel *kernel, int fd, struct tl_message *messages, size_t count)
{
    struct tl_replay *replay = tl_replay_of(kernel);
    struct tl_trace_event asked = {
        .kind = TL_TRACE_READ,
        .object = tl_replay_ordinal(replay, fd),
        .arg = {(int64_t)messages_size(messages, count), (int64_t)count},
    };

    int r = tl_replay_match(replay, &asked);
    if (r < 0)
        return r;
    if (replay->item.arg[2] == 0 && count == 1) {
        int64_t n = answer_bytes(replay, messages->iov, messages->iov_count);
        if (n >= 0)
            messages->len = (size_t)n;
        return (ssize_t)n;
    }
    int64_t result = replay->item.result;
    if (result >= 0 && !tl_trace_unpack_messages(replay->item.blob, replay->item.blob_len, messages,
                                                 count, result))
        return tl_replay_diverge(replay, NULL, "messages that cannot be understood");
    return (ssize_t)result;
}

ssize_t tl_replay_pread(struct tl_kernel *kernel, int file, void *buf, size_t len, int64_t offset)
{
    struct tl_replay *replay = tl_replay_of(kernel);
    struct iovec iov = {buf, len};
    struct tl_trace_event asked = {
        .kind = TL_TRACE_PREAD,
        .object = tl_replay_ordinal(replay, file),
        .arg = {(int64_t)len, offset},
    };

    int r = tl_replay_match(replay, &asked);
    return r < 0 ? r : (ssize_t)answer_bytes(replay, &iov, 1);
}

int tl_replay_entropy(struct tl_kernel *kernel, void *buf, size_t len)
{
    struct tl_replay *replay = tl_replay_of(kernel);
    struct tl_trace_event asked = {.kind = TL_TRACE_ENTROPY};

    if (buf == NULL)
        len = 0;
    asked.arg[0] = (int64_t)len;
    int r = (int)tl_replay_result_of(replay, &asked);
    if (r < 0)
        return r;
    if (replay->item.blob_len != len)
        return tl_replay_diverge(replay, NULL, "bytes that do not fit their number");
    if (len > 0)
        memcpy(buf, replay->item.blob, len);
    return r;
}

/* --- Bytes going out --- */

/* What a descriptor has taken of what it was offered. */
struct taken {
    const struct iovec *iov;
    size_t iov_count;
    size_t len; /* at most what all pieces have */
};

/* The first byte at which what was taken differs from the trace's; its length when none does. */
static size_t first_difference(const struct taken *taken, const uint8_t *trace)
{
    size_t at = 0;

    for (size_t piece = 0; piece < taken->iov_count; piece++) {
        const uint8_t *ours = taken->iov[piece].iov_base;
        for (size_t i = 0; i < taken->iov[piece].iov_len && at < taken->len; i++, at++)
            if (ours[i] != trace[at])
                return at;
    }
    return taken->len;
}

static void add_to_hash(struct tl_trace_hash *hash, const struct taken *taken)
{
    size_t left = taken->len;

    for (size_t piece = 0; piece < taken->iov_count; piece++) {
        size_t size = taken->iov[piece].iov_len;
        size_t part = size < left ? size : left;
        tl_trace_hash_add(hash, taken->iov[piece].iov_base, part);
        left -= part;
    }
}

/* Compares what fd has taken with the matched event's. The event's result, or the end of the
 * replay. */
static int64_t compare_output(struct tl_replay *replay, struct tl_trace_event *asked, int fd,
                              const struct taken *taken)
{
    const struct tl_trace_event *event = &replay->item;
    struct tl_trace_object *object = tl_trace_objects_find(&replay->fds, (uint64_t)(int64_t)fd);

    if (taken->len > 0) { /* as far as it is in one piece, which is enough for a report */
        asked->blob = taken->iov->iov_base;
        asked->blob_len = taken->iov->iov_len < taken->len ? taken->iov->iov_len : taken->len;
    }
    if (event->blob_is == TL_BLOB_HASH) {
        if (object == NULL)
            return tl_replay_diverge(replay, asked, "a hash of what is no descriptor's output");
        add_to_hash(&object->written, taken);
        if (tl_trace_hash_value(&object->written) != event->blob_hash)
            return tl_replay_diverge(replay, asked, "other bytes (the trace has only their hash)");
        return event->result;
    }
    if (event->blob_len != taken->len)
        return tl_replay_diverge(replay, asked, "bytes that do not fit their number");
    size_t at = first_difference(taken, event->blob);
    if (at < taken->len)
        return tl_replay_diverge(replay, asked, "other bytes from byte %zu on", at);
    return event->result;
}

/* Whether result says that more was taken than was offered, which only a broken trace can. */
static bool too_much(int64_t result, size_t offered)
{
    return result > 0 && (uint64_t)result > offered;
}

ssize_t tl_replay_write(struct tl_kernel *kernel, int fd, struct tl_message *messages, size_t count)
{
    struct tl_replay *replay = tl_replay_of(kernel);
    bool plain = count == 1 && messages->addr == NULL;
    size_t offered = messages_size(messages, count);
    struct tl_trace_event asked = {
        .kind = TL_TRACE_WRITE,
        .object = tl_replay_ordinal(replay, fd),
        .arg = {(int64_t)offered, (int64_t)count, !plain},
    };

    int r = tl_replay_match(replay, &asked);
    if (r < 0)
        return r;
    int64_t result = replay->item.result;
    if (too_much(result, count == 1 ? offered : count))
        return tl_replay_diverge(replay, NULL, "more than was offered");
    if (count == 1 && result >= 0)
        messages->len = (size_t)result;
    if (plain)
        return (ssize_t)compare_output(
            replay, &asked, fd,
            &(struct taken){messages->iov, messages->iov_count, result > 0 ? (size_t)result : 0});

    /* Of several messages those that were taken were taken whole. */
    for (int64_t i = 0; count != 1 && i < result; i++)
        messages[i].len = tl_trace_iov_size(messages[i].iov, messages[i].iov_count);
    tl_trace_pack_begin(&replay->pack);
    tl_trace_pack_messages(&replay->pack, messages, count, result, false);
    if (replay->pack.failed)
        return tl_replay_diverge(replay, NULL, "no memory to compare the bytes");
    struct iovec iov = {replay->pack.data, replay->pack.len};
    return (ssize_t)compare_output(replay, &asked, fd, &(struct taken){&iov, 1, iov.iov_len});
}

ssize_t tl_replay_pwrite(struct tl_kernel *kernel, int file, const void *buf, size_t len,
                         int64_t offset)
{
    struct tl_replay *replay = tl_replay_of(kernel);
    struct tl_trace_event asked = {
        .kind = TL_TRACE_PWRITE,
        .object = tl_replay_ordinal(replay, file),
        .arg = {(int64_t)len, offset},
    };

    int r = tl_replay_match(replay, &asked);
    if (r < 0)
        return r;
    int64_t result = replay->item.result;
    if (too_much(result, len))
        return tl_replay_diverge(replay, NULL, "more than was offered");
    struct iovec iov = {(void *)buf, len};
    return (ssize_t)compare_output(replay, &asked, file,
                                   &(struct taken){&iov, 1, result > 0 ? (size_t)result : 0});
}

ssize_t tl_replay_sendfile(struct tl_kernel *kernel, int fd, int file, int64_t *offset,
                           size_t count, struct tl_witness *witness)
{
    struct tl_replay *replay = tl_replay_of(kernel);
    struct tl_trace_event asked = {
        .kind = TL_TRACE_SENDFILE,
        .object = tl_replay_ordinal(replay, fd),
        .arg = {(int64_t)tl_replay_ordinal(replay, file), *offset, (int64_t)count},
    };

    (void)witness; /* the trace has no bytes to show */
    int64_t n = tl_replay_result_of(replay, &asked);
    if (n > 0)
        *offset += n;
    return (ssize_t)n;
}

/* --- Files by name --- */

int tl_replay_stat(struct tl_kernel *kernel, const char *path, struct tl_stat *ret)
{
    struct tl_replay *replay = tl_replay_of(kernel);
    struct tl_trace_event asked = {
        .kind = TL_TRACE_STAT, .blob = (const uint8_t *)path, .blob_len = strlen(path)};

    int r = (int)tl_replay_result_of(replay, &asked);
    if (r >= 0)
        *ret = (struct tl_stat){
            .size = replay->item.arg[0],
            .modified = replay->item.arg[1],
            .kind = (uint32_t)replay->item.arg[2],
            .identity = (uint64_t)replay->item.arg[3],
        };
    return r;
}

int tl_replay_unlink(struct tl_kernel *kernel, const char *path)
{
    struct tl_trace_event asked = {
        .kind = TL_TRACE_UNLINK, .blob = (const uint8_t *)path, .blob_len = strlen(path)};

    return (int)tl_replay_result_of(tl_replay_of(kernel), &asked);
}

int tl_replay_rename(struct tl_kernel *kernel, const char *source, const char *target)
{
    struct tl_replay *replay = tl_replay_of(kernel);
    struct tl_trace_event asked = {.kind = TL_TRACE_RENAME};

    tl_trace_pack_begin(&replay->pack);
    tl_trace_pack_text(&replay->pack, source);
    tl_trace_pack_bytes(&replay->pack, target, strlen(target));
    int r = tl_replay_match_packed(replay, &asked);
    return r < 0 ? r : (int)replay->item.result;
}

int tl_replay_fsync(struct tl_kernel *kernel, int file)
{
    struct tl_replay *replay = tl_replay_of(kernel);
    struct tl_trace_event asked = {.kind = TL_TRACE_FSYNC,
                                   .object = tl_replay_ordinal(replay, file)};

    return (int)tl_replay_result_of(replay, &asked);
}

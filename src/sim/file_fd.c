/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open files: what a process has a descriptor for.
 *
 * A regular file is always ready, so nothing waits for one: watch refuses it, as epoll does.
 */
#include <errno.h>
#include <stdio.h>

#include "core/alloc.h"
#include "sim/choice.h"
#include "sim/file.h"
#include "sim/host.h"
#include "sim/iov.h"
#include "sim/mix.h"
#include "sim/world.h"

static const struct tl_descriptor_ops file_ops;

struct tl_open_file *tl_open_file_of(struct tl_descriptor *descriptor)
{
    if (descriptor->ops != &file_ops)
        return NULL;
    return tl_listed(descriptor, struct tl_open_file, descriptor);
}

/* --- Writing at any offset -------------------------------------------------------------------- */

/* Whether the disk is full, for what would need more of it. */
static bool is_refused(struct tl_open_file *open, size_t len, int64_t offset)
{
    const struct tl_file *file = open->file;
    bool fits = offset <= TL_FILE_SIZE_MAX && len <= (uint64_t)(TL_FILE_SIZE_MAX - offset);
    if (len == 0 || !fits || (uint64_t)offset + len <= file->size)
        return false;
    return tl_choices_ask(file->host->world, TL_AT_DISK_FULL, open->descriptor.item.id,
                          &open->draws, 2) != 0;
}

ssize_t tl_open_file_put(struct tl_open_file *open, const void *data, size_t len, int64_t offset)
{
    if (is_refused(open, len, offset))
        return -ENOSPC;
    return tl_file_put(open->file, data, len, offset);
}

/* --- Bytes at the position -------------------------------------------------------------------- */

static ssize_t file_read(struct tl_descriptor *descriptor, struct tl_message *messages,
                         size_t count)
{
    struct tl_open_file *open = tl_open_file_of(descriptor);
    struct tl_iov_cursor cursor = {.iov = messages[0].iov};
    const unsigned char *bytes;
    if (count != 1)
        return -EINVAL;
    if (!(open->flags & TL_OPEN_READ))
        return -EBADF;
    size_t room = tl_iov_total(&messages[0]);
    if (room > 0 && open->file->kind == TL_FILE_DIRECTORY)
        return -EISDIR;
    size_t len = tl_file_look(open->file, open->position, room, &bytes);
    tl_iov_scatter(&cursor, bytes, len);
    open->position += (int64_t)len;
    messages[0].len = len;
    messages[0].truncated = 0;
    return (ssize_t)len;
}

static ssize_t file_write(struct tl_descriptor *descriptor, struct tl_message *messages,
                          size_t count, uint64_t *ret_content)
{
    struct tl_open_file *open = tl_open_file_of(descriptor);
    uint64_t content = 0;
    size_t put = 0;
    if (count != 1)
        return -EINVAL;
    if (!(open->flags & TL_OPEN_WRITE))
        return -EBADF;
    for (size_t i = 0; i < messages[0].iov_count; i++) {
        const struct iovec *iov = &messages[0].iov[i];
        /* Before, for the bytes may be this file's, which move when it gets longer. */
        uint64_t hash = tl_mix_bytes(iov->iov_base, iov->iov_len);
        ssize_t n = tl_open_file_put(open, iov->iov_base, iov->iov_len, open->position);
        if (n < 0 && put == 0)
            return n;
        if (n < 0)
            break;
        content = tl_mix(content, hash);
        open->position += n;
        put += (size_t)n;
    }
    *ret_content = content;
    messages[0].len = put;
    return (ssize_t)put;
}

/* --- Life ------------------------------------------------------------------------------------- */

static enum tl_adopted_kind kind(const struct tl_descriptor *descriptor)
{
    const struct tl_open_file *open = tl_listed(descriptor, struct tl_open_file, descriptor);
    return open->file->kind == TL_FILE_REGULAR ? TL_ADOPTED_FILE : TL_ADOPTED_OTHER;
}

static uint32_t readiness(const struct tl_descriptor *descriptor)
{
    (void)descriptor;
    return TL_READABLE | TL_WRITABLE;
}

static void file_close(struct tl_descriptor *descriptor)
{
    struct tl_open_file *open = tl_open_file_of(descriptor);
    const tl_allocator *allocator = &open->file->host->world->allocator;
    tl_file_unref(open->file);
    tl_allocator_free(allocator, open);
}

static void describe(const struct tl_descriptor *descriptor, char *text, size_t size)
{
    const struct tl_open_file *open = tl_listed(descriptor, struct tl_open_file, descriptor);
    snprintf(text, size, "file \"%s\", %zu bytes", open->file->name, open->file->size);
}

static const struct tl_descriptor_ops file_ops = {
    .always_ready = true,
    .kind = kind,
    .readiness = readiness,
    .read = file_read,
    .write = file_write,
    .close = file_close,
    .describe = describe,
};

/* --- Opening ---------------------------------------------------------------------------------- */

/* Why what is there cannot be opened so; 0 when it can. */
static int refusal(const struct tl_file_place *place, unsigned flags)
{
    const unsigned changes = TL_OPEN_WRITE | TL_OPEN_CREATE | TL_OPEN_TRUNCATE;
    bool create = (flags & TL_OPEN_CREATE) != 0;
    if (create && place->slash && !place->dots)
        return -EISDIR;
    if (place->file == NULL)
        return create ? 0 : -ENOENT;
    if (create && (flags & TL_OPEN_EXCLUSIVE) != 0)
        return -EEXIST;
    if (place->file->kind == TL_FILE_DIRECTORY)
        return (flags & changes) != 0 ? -EISDIR : 0;
    if (place->slash)
        return -ENOTDIR;
    return place->file->kind == TL_FILE_SOCKET ? -ENXIO : 0;
}

int tl_file_open(tl_host *host, const char *path, unsigned flags, struct tl_descriptor **ret)
{
    struct tl_file_place place;
    int r = tl_file_walk(host, path, &place);
    if (r == 0)
        r = refusal(&place, flags);
    if (r < 0)
        return r;
    struct tl_open_file *open = tl_allocator_calloc(&host->world->allocator, sizeof *open);
    if (open == NULL)
        return -ENOMEM;
    open->file = place.file;
    if (open->file == NULL)
        r = tl_file_create(&place, TL_FILE_REGULAR, &open->file);
    if (r < 0) {
        tl_allocator_free(&host->world->allocator, open);
        return r;
    }
    if ((flags & TL_OPEN_TRUNCATE) != 0)
        tl_file_truncate(open->file);
    tl_file_ref(open->file);
    open->descriptor.ops = &file_ops;
    open->flags = flags;
    *ret = &open->descriptor;
    return 0;
}

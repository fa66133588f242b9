/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pipes: their life, and bytes going in and out.
 *
 * Nothing takes time: what is written can be read at once. The order of checks and the use of slots
 * are those of Linux, since they decide how much a full pipe takes and when it is writable again.
 * Left open, and so a choice, is only how much less than it could a write of more than PIPE_BUF
 * takes: a read returns what is there, up to what was asked for, and programs rely on that.
 */
#include "sim/pipe.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sim/iov.h"
#include "sim/kernel.h"
#include "sim/mix.h"

enum { PIPES_IN_SLAB = 8, ENDS_IN_SLAB = 16, PAGES_IN_SLAB = 8 };

static const struct tl_descriptor_ops pipe_ops;

static struct tl_pipe_end *end_of(struct tl_descriptor *descriptor)
{
    return tl_listed(descriptor, struct tl_pipe_end, descriptor);
}

/* --- Life ------------------------------------------------------------------------------------- */

void tl_pipe_pools_init(struct tl_pipe_pools *pools, const tl_allocator *allocator)
{
    tl_pool_init(&pools->pipes, allocator, sizeof(struct tl_pipe), PIPES_IN_SLAB);
    tl_pool_init(&pools->ends, allocator, sizeof(struct tl_pipe_end), ENDS_IN_SLAB);
    tl_pool_init(&pools->pages, allocator, TL_PIPE_PAGE, PAGES_IN_SLAB);
}

void tl_pipe_pools_finish(struct tl_pipe_pools *pools)
{
    tl_pool_finish(&pools->pipes);
    tl_pool_finish(&pools->ends);
    tl_pool_finish(&pools->pages);
}

static struct tl_pipe_end *add_end(struct tl_pipe *pipe, bool writes, uint64_t entity)
{
    struct tl_pipe_end *end = tl_pool_get(&pipe->world->pipes.ends);
    if (end == NULL)
        return NULL;
    *end = (struct tl_pipe_end){.pipe = pipe, .writes = writes};
    tl_ready_item_init(&end->descriptor.item, TL_READY_DESCRIPTOR, entity);
    end->descriptor.ops = &pipe_ops;
    end->descriptor.fd = -1;
    tl_list_push(&pipe->ends, &end->place);
    if (writes)
        pipe->writers++;
    else
        pipe->readers++;
    return end;
}

/* The oldest slot is empty, or of no interest any more. */
static void drop_slot(struct tl_pipe *pipe)
{
    tl_pool_put(&pipe->world->pipes.pages, pipe->slots[pipe->first].page);
    pipe->slots[pipe->first] = (struct tl_pipe_slot){0};
    pipe->first = (pipe->first + 1) % TL_PIPE_SLOTS;
    pipe->used--;
}

static void touch_all(struct tl_pipe *pipe)
{
    for (struct tl_list *at = pipe->ends.next; at != &pipe->ends; at = at->next)
        tl_descriptor_touch(&tl_listed(at, struct tl_pipe_end, place)->descriptor);
}

/* Frees an end, and the pipe with the last of them; the others learn of it. */
static void remove_end(struct tl_pipe_end *end)
{
    struct tl_pipe *pipe = end->pipe;
    struct tl_pipe_pools *pools = &pipe->world->pipes;
    tl_list_remove(&end->place);
    if (end->writes)
        pipe->writers--;
    else
        pipe->readers--;
    tl_pool_put(&pools->ends, end);
    touch_all(pipe);
    if (!tl_list_empty(&pipe->ends))
        return;
    while (pipe->used > 0)
        drop_slot(pipe);
    tl_pool_put(&pools->pipes, pipe);
}

int tl_pipe_new(tl_world *world, const uint64_t entities[2], struct tl_descriptor *ret[2])
{
    struct tl_pipe *pipe = tl_pool_get(&world->pipes.pipes);
    if (pipe == NULL)
        return -ENOMEM;
    *pipe = (struct tl_pipe){.world = world};
    tl_list_init(&pipe->ends);
    struct tl_pipe_end *reader = add_end(pipe, false, entities[0]);
    if (reader == NULL) {
        tl_pool_put(&world->pipes.pipes, pipe);
        return -ENOMEM;
    }
    struct tl_pipe_end *writer = add_end(pipe, true, entities[1]);
    if (writer == NULL) {
        remove_end(reader);
        return -ENOMEM;
    }
    ret[0] = &reader->descriptor;
    ret[1] = &writer->descriptor;
    return 0;
}

/* --- Reading ---------------------------------------------------------------------------------- */

static size_t unread(const struct tl_pipe *pipe)
{
    size_t len = 0;
    for (unsigned i = 0; i < pipe->used; i++)
        len += pipe->slots[(pipe->first + i) % TL_PIPE_SLOTS].len;
    return len;
}

/* Copies len bytes, which are there. A slot is free only once it is empty. */
static void take(struct tl_pipe *pipe, const struct iovec *iov, size_t len)
{
    struct tl_iov_cursor cursor = {.iov = iov};
    while (len > 0) {
        struct tl_pipe_slot *slot = &pipe->slots[pipe->first];
        uint32_t part = slot->len < len ? slot->len : (uint32_t)len;
        tl_iov_scatter(&cursor, slot->page + slot->start, part);
        slot->start += part;
        slot->len -= part;
        len -= part;
        if (slot->len == 0)
            drop_slot(pipe);
    }
}

static ssize_t pipe_read(struct tl_descriptor *descriptor, struct tl_message *messages,
                         size_t count)
{
    struct tl_pipe_end *end = end_of(descriptor);
    struct tl_pipe *pipe = end->pipe;
    if (count != 1)
        return -EINVAL;
    if (end->writes)
        return -EBADF;
    size_t len = tl_iov_total(&messages[0]);
    size_t there = unread(pipe);
    if (len > 0 && there == 0 && pipe->writers > 0)
        return -EAGAIN;
    if (len > there)
        len = there;
    take(pipe, messages[0].iov, len);
    touch_all(pipe);
    messages[0].len = len;
    messages[0].truncated = 0;
    return (ssize_t)len;
}

/* --- Writing ---------------------------------------------------------------------------------- */

static void fill(struct tl_pipe_slot *slot, struct tl_iov_cursor *cursor, uint32_t len,
                 uint64_t *content)
{
    unsigned char *target = slot->page + slot->start + slot->len;
    tl_iov_gather(cursor, target, len);
    *content = tl_mix(*content, tl_mix_bytes(target, len));
    slot->len += len;
}

/* Puts what goes beyond whole pages into the last slot, if it fits; how much that was. */
static size_t join(struct tl_pipe *pipe, struct tl_iov_cursor *cursor, size_t len,
                   uint64_t *content)
{
    uint32_t odd = (uint32_t)(len % TL_PIPE_PAGE);
    if (odd == 0 || pipe->used == 0)
        return 0;
    struct tl_pipe_slot *last = &pipe->slots[(pipe->first + pipe->used - 1) % TL_PIPE_SLOTS];
    if (last->whole || last->start + last->len + odd > TL_PIPE_PAGE)
        return 0;
    fill(last, cursor, odd, content);
    return odd;
}

/* Puts up to so much of a page into a new slot; how much that was: 0 when all are in use, or memory
 * is out. */
static size_t add(struct tl_pipe *pipe, struct tl_iov_cursor *cursor, size_t len, uint32_t most,
                  uint64_t *content)
{
    if (pipe->used == TL_PIPE_SLOTS)
        return 0;
    struct tl_pipe_slot *slot = &pipe->slots[(pipe->first + pipe->used) % TL_PIPE_SLOTS];
    slot->page = tl_pool_get(&pipe->world->pipes.pages);
    if (slot->page == NULL)
        return 0;
    pipe->used++;
    uint32_t part = len < most ? (uint32_t)len : most;
    fill(slot, cursor, part, content);
    return part;
}

/* How much less than it could a write takes that is not taken whole anyway. */
static size_t choose_cut(struct tl_pipe_end *end, size_t len)
{
    uint32_t bound = len < UINT32_MAX ? (uint32_t)len : UINT32_MAX;
    return tl_choices_ask(end->pipe->world, TL_AT_STREAM_WRITE, end->descriptor.item.id,
                          &end->draws, bound);
}

static ssize_t pipe_write(struct tl_descriptor *descriptor, struct tl_message *messages,
                          size_t count, uint64_t *ret_content)
{
    struct tl_pipe_end *end = end_of(descriptor);
    struct tl_pipe *pipe = end->pipe;
    struct tl_iov_cursor cursor = {.iov = messages[0].iov};
    if (count != 1)
        return -EINVAL;
    if (!end->writes)
        return -EBADF;
    size_t len = tl_iov_total(&messages[0]);
    messages[0].len = 0;
    if (len == 0)
        return 0;
    if (pipe->readers == 0)
        return -EPIPE;
    if (len > TL_PIPE_PAGE)
        len -= choose_cut(end, len);
    size_t put = join(pipe, &cursor, len, ret_content);
    size_t part = 1;
    for (; put < len && part > 0; put += part)
        part = add(pipe, &cursor, len - put, TL_PIPE_PAGE, ret_content);
    if (put == 0)
        return pipe->used == TL_PIPE_SLOTS ? -EAGAIN : -ENOMEM;
    touch_all(pipe);
    messages[0].len = put;
    return (ssize_t)put;
}

/* Each page of a file, or what is sent of it, has a slot of its own. Sendfile has asked before
 * whether there is one. */
static ssize_t pipe_write_pages(struct tl_descriptor *descriptor, const struct iovec *bytes,
                                size_t place, uint64_t *ret_content)
{
    struct tl_pipe_end *end = end_of(descriptor);
    struct tl_pipe *pipe = end->pipe;
    struct tl_iov_cursor cursor = {.iov = bytes};
    size_t room = (size_t)(TL_PIPE_SLOTS - pipe->used) * TL_PIPE_PAGE;
    size_t len = bytes->iov_len < room ? bytes->iov_len : room;
    size_t put = 0;
    size_t part = 1;
    if (len > TL_PIPE_PAGE)
        len -= choose_cut(end, len);
    for (; put < len && part > 0; put += part) {
        uint32_t most = TL_PIPE_PAGE - (uint32_t)((place + put) % TL_PIPE_PAGE);
        part = add(pipe, &cursor, len - put, most, ret_content);
        if (part > 0)
            pipe->slots[(pipe->first + pipe->used - 1) % TL_PIPE_SLOTS].whole = true;
    }
    if (put == 0)
        return -ENOMEM;
    touch_all(pipe);
    return (ssize_t)put;
}

/* --- For poll and for people ------------------------------------------------------------------ */

static uint32_t readiness(const struct tl_descriptor *descriptor)
{
    const struct tl_pipe_end *end = tl_listed(descriptor, struct tl_pipe_end, descriptor);
    const struct tl_pipe *pipe = end->pipe;
    if (end->writes)
        return (pipe->used < TL_PIPE_SLOTS ? TL_WRITABLE : 0) | (pipe->readers == 0 ? TL_FAULT : 0);
    return (pipe->used > 0 ? TL_READABLE : 0) | (pipe->writers == 0 ? TL_HANGUP : 0);
}

static void describe(const struct tl_descriptor *descriptor, char *text, size_t size)
{
    const struct tl_pipe_end *end = tl_listed(descriptor, struct tl_pipe_end, descriptor);
    const struct tl_pipe *pipe = end->pipe;
    snprintf(text, size, "%s end of a pipe, %zu bytes unread, %u readers, %u writers",
             end->writes ? "writing" : "reading", unread(pipe), pipe->readers, pipe->writers);
}

static void pipe_close(struct tl_descriptor *descriptor)
{
    remove_end(end_of(descriptor));
}

static enum tl_adopted_kind kind(const struct tl_descriptor *descriptor)
{
    (void)descriptor;
    return TL_ADOPTED_FIFO;
}

static const struct tl_descriptor_ops pipe_ops = {
    .kind = kind,
    .readiness = readiness,
    .read = pipe_read,
    .write = pipe_write,
    .write_pages = pipe_write_pages,
    .close = pipe_close,
    .describe = describe,
};

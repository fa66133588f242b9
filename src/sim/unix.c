/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unix-domain stream sockets: their life, and bytes going from one end to the other.
 *
 * A write becomes one message or more in the peer's queue, and each costs the writer what Linux
 * counts for it on a machine with pages of 4096 bytes: a head, and pages. The writer may go on
 * until that comes to its send buffer, and is called writable again when it is down to a quarter.
 * A message counts until its last byte is read.
 */
#include "sim/unix.h"

#include <errno.h>
#include <stdio.h>

#include "sim/buffer.h"
#include "sim/iov.h"
#include "sim/kernel.h"
#include "sim/mix.h"

enum {
    UNIXES_IN_SLAB = 8,
    PAGE = 4096,
    HEAD_MAX = 3776,       /* bytes that a message keeps outside of pages */
    HEAD_EXTRA = 320,      /* what is kept there besides */
    HEAD_MIN = 512,        /* its memory comes in powers of two from here on */
    HEAD_COST = 256,       /* of what describes it */
    PAGES_MAX = 32768,     /* bytes in pages */
    PAGES_IN_MESSAGE = 16, /* of a file that is sent */
    SEND_RESERVE = 64,     /* a message is this much less than half the send buffer at most */
};

static const struct tl_descriptor_ops unix_ops;

/* --- Life ------------------------------------------------------------------------------------- */

void tl_unix_pool_init(struct tl_pool *pool, const tl_allocator *allocator)
{
    tl_pool_init(pool, allocator, sizeof(struct tl_unix), UNIXES_IN_SLAB);
}

struct tl_unix *tl_unix_new(tl_host *host, uint64_t entity)
{
    struct tl_unix *socket = tl_pool_get(&host->world->unixes);
    if (socket == NULL)
        return NULL;
    *socket = (struct tl_unix){.host = host};
    tl_ready_item_init(&socket->descriptor.item, TL_READY_DESCRIPTOR, entity);
    socket->descriptor.ops = &unix_ops;
    socket->descriptor.fd = -1;
    socket->name.family = TL_FAMILY_UNIX;
    tl_list_init(&socket->queue);
    return socket;
}

void tl_unix_free(struct tl_unix *socket)
{
    tl_segments_drop(&tl_unix_world(socket)->segments, &socket->unread);
    tl_pool_put(&tl_unix_world(socket)->unixes, socket);
}

void tl_unix_join(struct tl_unix *a, struct tl_unix *b)
{
    a->peer = b;
    b->peer = a;
    a->state = TL_UNIX_CONNECTED;
    b->state = TL_UNIX_CONNECTED;
}

int tl_unix_pair_new(tl_host *host, const uint64_t entities[2], struct tl_descriptor *ret[2])
{
    struct tl_unix *a = tl_unix_new(host, entities[0]);
    struct tl_unix *b = tl_unix_new(host, entities[1]);
    if (a == NULL || b == NULL) {
        if (a != NULL)
            tl_unix_free(a);
        if (b != NULL)
            tl_unix_free(b);
        return -ENOMEM;
    }
    tl_unix_join(a, b);
    ret[0] = &a->descriptor;
    ret[1] = &b->descriptor;
    return 0;
}

void tl_unix_part(struct tl_unix *socket, bool abrupt)
{
    struct tl_unix *peer = socket->peer;
    socket->shut = TL_SHUT_BOTH;
    socket->peer = NULL;
    if (peer == NULL)
        return;
    peer->peer = NULL;
    peer->peer_name = socket->name;
    peer->shut = TL_SHUT_BOTH;
    peer->charged = 0;
    if (abrupt || socket->unread.head != NULL)
        peer->error = -ECONNRESET;
    tl_descriptor_touch(&peer->descriptor);
}

static size_t choose_cut(struct tl_unix *socket, enum tl_sim_site at, uint32_t *draws, size_t len)
{
    uint32_t bound = len < UINT32_MAX ? (uint32_t)len : UINT32_MAX;
    return tl_choices_ask(tl_unix_world(socket), at, socket->descriptor.item.id, draws, bound);
}

/* --- Reading ---------------------------------------------------------------------------------- */

/* What a read says that finds nothing to read. */
static ssize_t read_nothing(struct tl_unix *socket)
{
    int error = socket->error;
    socket->error = 0;
    if (error != 0)
        return error;
    return socket->shut & TL_SHUT_READ ? 0 : -EAGAIN;
}

/* A message has been read: its writer's buffer has that much more room. */
static void drop_message(struct tl_unix *socket)
{
    struct tl_segment *message = tl_segment_pop(&socket->unread);
    if (socket->peer != NULL)
        socket->peer->charged -= message->charge;
    tl_segment_free(&tl_unix_world(socket)->segments, message);
}

/* Copies len bytes, which are there. */
static void take(struct tl_unix *socket, const struct iovec *iov, size_t len)
{
    struct tl_segment_queue *unread = &socket->unread;
    struct tl_iov_cursor cursor = {.iov = iov};
    while (len > 0) {
        struct tl_segment *message = unread->head;
        uint32_t part = message->len < len ? message->len : (uint32_t)len;
        tl_iov_scatter(&cursor, message->data + message->start, part);
        len -= part;
        if (part == message->len) {
            drop_message(socket);
            continue;
        }
        message->start += part;
        message->len -= part;
        unread->bytes -= part;
    }
}

static ssize_t unix_read(struct tl_descriptor *descriptor, struct tl_message *messages,
                         size_t count)
{
    struct tl_unix *socket = tl_unix_of(descriptor);
    if (count != 1 || socket->state != TL_UNIX_CONNECTED)
        return -EINVAL;
    messages[0].len = 0;
    messages[0].truncated = 0;
    if (socket->unread.bytes == 0)
        return read_nothing(socket);
    size_t len = tl_iov_total(&messages[0]);
    if (len > socket->unread.bytes)
        len = socket->unread.bytes;
    len -= choose_cut(socket, TL_AT_STREAM_READ, &socket->read_draws, len);
    take(socket, messages[0].iov, len);
    if (socket->peer != NULL)
        tl_descriptor_touch(&socket->peer->descriptor);
    messages[0].len = len;
    return (ssize_t)len;
}

/* --- Writing ---------------------------------------------------------------------------------- */

static uint32_t send_buffer(const struct tl_unix *socket)
{
    return (uint32_t)tl_buffer_get(socket->send_room);
}

/* How long the next message is of len bytes. */
static uint32_t message_len(const struct tl_unix *socket, size_t len)
{
    uint32_t most = send_buffer(socket) / 2 - SEND_RESERVE;
    if (most > HEAD_MAX + PAGES_MAX)
        most = HEAD_MAX + PAGES_MAX;
    return len < most ? (uint32_t)len : most;
}

uint32_t tl_unix_cost(uint32_t len, uint32_t paged)
{
    uint32_t pages = (paged + PAGE - 1) / PAGE * PAGE;
    uint32_t kept = HEAD_EXTRA + (len > pages ? (len - pages + 63) / 64 * 64 : 0);
    uint32_t head = HEAD_MIN;
    while (head < kept)
        head *= 2;
    return head + HEAD_COST + pages;
}

/* Puts one message into the peer's queue: how much of it; 0 when memory is out. It may be in
 * several segments, of which the last one counts for all. */
static uint32_t put_message(struct tl_unix *socket, struct tl_iov_cursor *cursor, uint32_t len,
                            uint32_t charge, uint64_t *content)
{
    struct tl_segment *last = NULL;
    uint32_t put = 0;
    while (put < len) {
        struct tl_segment *segment = tl_segment_new(&tl_unix_world(socket)->segments, len - put);
        if (segment == NULL)
            break;
        segment->len = len - put < segment->room ? len - put : segment->room;
        segment->charge = 0;
        tl_iov_gather(cursor, segment->data, segment->len);
        *content = tl_mix(*content, tl_mix_bytes(segment->data, segment->len));
        put += segment->len;
        tl_segment_push(&socket->peer->unread, segment);
        last = segment;
    }
    if (last == NULL)
        return 0;
    last->charge = charge;
    socket->charged += charge;
    return put;
}

/* Whether so much may be written now. */
static int may_write(const struct tl_unix *socket, size_t len)
{
    if (socket->state != TL_UNIX_CONNECTED)
        return -ENOTCONN;
    if (socket->shut & TL_SHUT_WRITE)
        return -EPIPE;
    if (len > 0 && socket->charged >= send_buffer(socket))
        return -EAGAIN;
    /* It may have shut down before it connected, and told nobody. */
    return len > 0 && socket->peer->shut & TL_SHUT_READ ? -EPIPE : 0;
}

static ssize_t unix_write(struct tl_descriptor *descriptor, struct tl_message *messages,
                          size_t count, uint64_t *ret_content)
{
    struct tl_unix *socket = tl_unix_of(descriptor);
    struct tl_iov_cursor cursor = {.iov = messages[0].iov};
    size_t put = 0;
    if (count != 1)
        return -EINVAL;
    size_t len = tl_iov_total(&messages[0]);
    int r = may_write(socket, len);
    if (r < 0)
        return r;
    len -= choose_cut(socket, TL_AT_STREAM_WRITE, &socket->write_draws, len);
    while (put < len && socket->charged < send_buffer(socket)) {
        uint32_t next = message_len(socket, len - put);
        uint32_t charge = tl_unix_cost(next, next > HEAD_MAX ? next - HEAD_MAX : 0);
        uint32_t part = put_message(socket, &cursor, next, charge, ret_content);
        if (part == 0)
            break;
        put += part;
    }
    if (put == 0 && len > 0)
        return -ENOBUFS;
    tl_descriptor_touch(&socket->peer->descriptor);
    messages[0].len = put;
    return (ssize_t)put;
}

/* A file's pages are not copied, from Linux 6.5 on: a message has so many of them, and counts their
 * bytes in use. */
static ssize_t unix_write_pages(struct tl_descriptor *descriptor, const struct iovec *bytes,
                                size_t place, uint64_t *ret_content)
{
    struct tl_unix *socket = tl_unix_of(descriptor);
    struct tl_iov_cursor cursor = {.iov = bytes};
    size_t len = bytes->iov_len;
    size_t put = 0;
    int r = may_write(socket, len);
    if (r < 0)
        return r;
    len -= choose_cut(socket, TL_AT_STREAM_WRITE, &socket->write_draws, len);
    while (put < len && socket->charged < send_buffer(socket)) {
        uint32_t most = PAGES_IN_MESSAGE * PAGE - (uint32_t)((place + put) % PAGE);
        uint32_t next = len - put < most ? (uint32_t)(len - put) : most;
        uint32_t charge = tl_unix_cost(0, 0) + next;
        uint32_t part = put_message(socket, &cursor, next, charge, ret_content);
        if (part == 0)
            break;
        put += part;
    }
    if (put == 0)
        return -ENOBUFS;
    tl_descriptor_touch(&socket->peer->descriptor);
    return (ssize_t)put;
}

/* --- For poll and for people ------------------------------------------------------------------ */

static uint32_t readiness(const struct tl_descriptor *descriptor)
{
    const struct tl_unix *socket = tl_listed(descriptor, struct tl_unix, descriptor);
    uint32_t ready = 0;
    if (socket->error != 0)
        ready |= TL_FAULT;
    if (socket->shut == TL_SHUT_BOTH || socket->state == TL_UNIX_CLOSED)
        ready |= TL_HANGUP;
    if (socket->shut & TL_SHUT_READ || socket->unread.head != NULL || socket->waiting > 0)
        ready |= TL_READABLE;
    /* Linux counts one more than what is charged. */
    if (socket->state != TL_UNIX_LISTENING && 4 * (socket->charged + 1) <= send_buffer(socket))
        ready |= TL_WRITABLE;
    return ready;
}

static void describe(const struct tl_descriptor *descriptor, char *text, size_t size)
{
    const struct tl_unix *socket = tl_listed(descriptor, struct tl_unix, descriptor);
    const struct tl_unix *peer = socket->peer;
    char own_text[TL_ADDR_TEXT_MAX];
    char peer_text[TL_ADDR_TEXT_MAX];
    tl_addr_format(&socket->name, own_text, sizeof own_text);
    if (socket->state == TL_UNIX_LISTENING) {
        snprintf(text, size, "listener on %s, %u connections waiting", own_text, socket->waiting);
        return;
    }
    tl_addr_format(peer != NULL ? &peer->name : &socket->peer_name, peer_text, sizeof peer_text);
    snprintf(text, size, "stream %s - %s, %u bytes unread, %u not read by the peer", own_text,
             socket->state == TL_UNIX_CONNECTED ? peer_text : "nobody", socket->unread.bytes,
             peer != NULL ? peer->unread.bytes : 0);
}

static enum tl_adopted_kind kind(const struct tl_descriptor *descriptor)
{
    const struct tl_unix *socket = tl_listed(descriptor, const struct tl_unix, descriptor);
    return socket->state == TL_UNIX_LISTENING ? TL_ADOPTED_LISTENER : TL_ADOPTED_STREAM;
}

static const struct tl_descriptor_ops unix_ops = {
    .socket = &tl_unix_socket_ops,
    .kind = kind,
    .readiness = readiness,
    .read = unix_read,
    .write = unix_write,
    .write_pages = unix_write_pages,
    .close = tl_unix_close,
    .describe = describe,
};

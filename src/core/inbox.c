/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inbox: a row of slots. Datagrams of the internet have at most 64 KiB; those of unix sockets
 * may have more, so for them there are fewer slots and larger ones.
 */
#include "core/inbox.h"

#include "core/alloc.h"
#include "core/loop.h"

enum {
    SLOTS = TL_DATAGRAM_READ_BATCH_MAX,
    SLOTS_UNIX = SLOTS / 4,
    /* A little more than 64 KiB: slots one power of two apart would meet in the processor's cache.
     */
    SLOT_SIZE = 65536 + 192,
};

struct tl_inbox {
    size_t count; /* as it is laid out */
    struct tl_message messages[SLOTS];
    struct iovec iov[SLOTS];
    tl_addr addrs[SLOTS];
    unsigned char bytes[SLOTS * SLOT_SIZE];
};

static void lay_out(struct tl_inbox *inbox, size_t count)
{
    size_t size = sizeof inbox->bytes / count;
    for (size_t i = 0; i < count; i++) {
        inbox->iov[i] = (struct iovec){inbox->bytes + i * size, size};
        inbox->messages[i] =
            (struct tl_message){.iov = &inbox->iov[i], .iov_count = 1, .addr = &inbox->addrs[i]};
    }
    inbox->count = count;
}

struct tl_inbox *tl_loop_inbox(tl_loop *loop, enum tl_family family)
{
    size_t count = family == TL_FAMILY_UNIX ? SLOTS_UNIX : SLOTS;
    if (loop->inbox == NULL) {
        loop->inbox = tl_alloc(sizeof *loop->inbox);
        if (loop->inbox == NULL)
            return NULL;
        loop->inbox->count = 0;
    }
    if (loop->inbox->count != count)
        lay_out(loop->inbox, count);
    return loop->inbox;
}

struct tl_message *tl_inbox_messages(struct tl_inbox *inbox, size_t *ret_count)
{
    *ret_count = inbox->count;
    return inbox->messages;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a loop's endpoints read datagrams into: several messages, laid out once, each with room for
 * the longest datagram there is. Made when a loop first needs it; only what arrives touches its
 * memory.
 */
#ifndef TL_CORE_INBOX_H
#define TL_CORE_INBOX_H

#include <twinloop/datagram.h>
#include <twinloop/kernel.h>

struct tl_inbox;

/* The loop's, laid out for a socket of this family; NULL when memory is out. */
struct tl_inbox *tl_loop_inbox(tl_loop *loop, enum tl_family family);

/* Its messages, and how many there are. */
struct tl_message *tl_inbox_messages(struct tl_inbox *inbox, size_t *ret_count);

#endif

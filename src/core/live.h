/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can act on its own in a loop, as the loop knows it; see core/loop.h for the functions.
 */
#ifndef TL_CORE_LIVE_H
#define TL_CORE_LIVE_H

/* Something that can still act on its own: an open transport, server or attempt to connect. The
 * loop holds it while it is in the loop's list. When the loop is closed under it, abandon is
 * called: it must leave the list, give up the loop's reference and touch neither kernel nor user
 * callbacks, except a protocol's release. */
struct tl_live {
    struct tl_live *next; /* NULL: not in the list */
    struct tl_live *prev;
    void (*abandon)(struct tl_live *live);
};

#endif

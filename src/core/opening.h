/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last part of every operation that results in a transport and its protocol: from a descriptor
 * that is ready for use to the future that is done.
 *
 *     made --later--> queued --> started --> connection_made is queued --> it has returned: the
 *      | |              |         ^   `---cancel: the transport is closed  future has its result
 *      | `--------------|---start-'
 *      `---free         `---cancel: its descriptor is closed, or given back
 *
 * Made before the operation begins, so that what comes last cannot fail for want of memory. Once
 * queued or started it frees itself, whatever happens. What has its descriptor already when the
 * program calls it is queued, since the program's factory is only ever called from the loop.
 */
#ifndef TL_CORE_OPENING_H
#define TL_CORE_OPENING_H

#include "core/given.h"
#include "core/pair.h"
#include "core/stream.h"

struct tl_opening {
    struct tl_stream_owner owner; /* of the transport, once started */
    tl_loop *loop;                /* a reference */
    tl_future *future;            /* a reference */
    tl_pair *pair;                /* the result */

    struct tl_live live;   /* while it is queued */
    struct tl_ready place; /* then too */
    int fd;                /* what it is queued with, from here on */
    struct tl_fd *given;   /* the program's that it is, claimed; NULL: none of the program's */
    const struct tl_stream_type *type;
    tl_protocol_factory factory;
    void *farg;
};

/* NULL when memory is out. */
struct tl_opening *tl_opening_new(tl_loop *loop, tl_future *future);

/* For one that has not been started; NULL is allowed. */
void tl_opening_free(struct tl_opening *opening);

/* Makes a transport of this type on fd, with a protocol made by factory(farg). Takes fd when it
 * succeeds. Otherwise the future has failed, if it was not done already. peer may be NULL. */
int tl_opening_start(struct tl_opening *opening, const struct tl_stream_type *type, int fd,
                     tl_protocol_factory factory, void *farg, const tl_addr *peer);

/* Starts in the next iteration. fd is the opening's, closed if it comes to nothing; or, with given,
 * that claimed one (core/given.h), which is then the program's again. */
void tl_opening_later(struct tl_opening *opening, const struct tl_stream_type *type, int fd,
                      struct tl_fd *given, tl_protocol_factory factory, void *farg);

#endif

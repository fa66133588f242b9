/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last part of every operation that results in a transport and its protocol: from a descriptor
 * that is ready for use to the future that is done.
 *
 *     made --start--> connection_made is queued --> it has returned: the future has its result
 *       |                    `---cancel: the transport is closed
 *       `---free
 *
 * Made before the operation begins, so that what comes last cannot fail for want of memory. Once
 * started it frees itself, whatever happens.
 */
#ifndef TL_CORE_OPENING_H
#define TL_CORE_OPENING_H

#include "core/pair.h"
#include "core/stream.h"

struct tl_opening {
    struct tl_stream_owner owner; /* of the transport, once started */
    tl_loop *loop;                /* a reference */
    tl_future *future;            /* a reference */
    tl_pair *pair;                /* the result */
};

/* NULL when memory is out. */
struct tl_opening *tl_opening_new(tl_loop *loop, tl_future *future);

/* For one that has not been started; NULL is allowed. */
void tl_opening_free(struct tl_opening *opening);

/* Makes a transport of this type on fd, with a protocol made by factory(farg). Takes fd when it
 * succeeds. Otherwise the future has failed, if it was not done already. peer may be NULL. */
int tl_opening_start(struct tl_opening *opening, const struct tl_stream_type *type, int fd,
                     tl_protocol_factory factory, void *farg, const tl_addr *peer);

#endif

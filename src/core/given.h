/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors that the program gives away: to a transport, which closes it then, or to a server.
 *
 *     the program's --claim--> claimed --tl_fd_give_up--> the transport's
 *           ^------unclaim--------'
 *
 * While it is claimed the program is refused, so that what is done to a descriptor between the call
 * and the making of the transport cannot surprise either. An operation that fails or is cancelled
 * meanwhile gives it back.
 */
#ifndef TL_CORE_GIVEN_H
#define TL_CORE_GIVEN_H

#include <twinloop/net.h>
#include "core/fd.h"

struct tl_listen_request;

/* What will do. */
struct tl_given_rule {
    unsigned kinds;  /* a bit for each of enum tl_adopted_kind */
    uint8_t family;  /* enum tl_family; TL_FAMILY_NONE: any, or it is no socket */
    const char *why; /* the message for what will not: -EINVAL */
};

/* Stream sockets: any; Unix-domain ones. */
extern const struct tl_given_rule tl_given_stream;
extern const struct tl_given_rule tl_given_unix_stream;

/* Claims the program's descriptor, which does not block from then on and has no callbacks any more.
 * 0, or an error that the future has been failed with, and everything is as before: -EINVAL,
 * -EBADF, -EBUSY for a transport's and while an operation is pending, -ENOMEM. */
int tl_given_claim(tl_loop *loop, tl_socket socket, const struct tl_given_rule *rule,
                   tl_future *future, struct tl_fd **ret);
void tl_given_unclaim(struct tl_fd *fd);

/* Makes a transport of a stream socket, in the next iteration, in which the future results as
 * create_connection's does. Errors are the future's. */
void tl_given_connect(tl_loop *loop, tl_protocol_factory factory, void *farg, tl_socket socket,
                      const struct tl_given_rule *rule, tl_future *future);

/* Makes a server whose one listener is this bound socket. Errors are the future's, and leave the
 * socket to the program. */
void tl_given_serve(const struct tl_listen_request *request, tl_socket socket,
                    const struct tl_given_rule *rule, tl_future *future);

#endif

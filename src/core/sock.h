/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An operation on a socket of the program's own: tried at once, and again whenever the socket is
 * ready, until it has an outcome or is called off (sock.c); and what each kind of operation tries
 * (sock_receive.c, sock_send.c).
 */
#ifndef TL_CORE_SOCK_H
#define TL_CORE_SOCK_H

#include <twinloop/sock.h>
#include "core/fd.h"
#include "core/future.h"
#include "core/resolve.h"
#include "core/sendfile.h"

/* What a try returns besides 0 and errors: once more when the socket is ready. */
#define TL_SOCK_WAIT 1

struct tl_sock_op {
    /* Fills *ret with the result: 0; TL_SOCK_WAIT; or a negative error. Calls no user code. */
    int (*attempt)(struct tl_sock_op *op, tl_value *ret);
    void (*explain)(struct tl_sock_op *op, int code); /* fails the future; NULL: without a word */
    enum tl_direction direction;
    void *buf; /* the caller's */
    size_t len;
    size_t done; /* of len */
    bool begun;  /* connect has been called */
    tl_addr addr;
    bool resolving; /* addr is being looked up: the socket's readiness does not matter yet */
    struct tl_file_sender file;

    /* The rest is sock.c's. */
    struct tl_fd *fd;
    tl_future *future;        /* a reference */
    struct tl_lookup *lookup; /* that is under way; NULL: none */
};

/* Starts an operation, of which the first part is filled in; the struct is copied if it has to
 * wait. loop is not NULL. */
tl_future *tl_sock_op_start(tl_loop *loop, tl_socket socket, struct tl_sock_op *op);

/* The same for one whose addr has a name, which is looked up for this kind of socket unless it is
 * numeric; the first answer is taken. */
tl_future *tl_sock_op_start_named(tl_loop *loop, tl_socket socket, struct tl_sock_op *op,
                                  const char *host, const char *service);

/* The socket may be ready. */
void tl_sock_op_ready(struct tl_sock_op *op);

/* Ends it with an error, because the descriptor is closed. */
void tl_sock_op_fail(struct tl_sock_op *op, int code);

/* Forgets it, because the loop is closed: its future stays pending. */
void tl_sock_op_abandon(struct tl_sock_op *op);

#endif

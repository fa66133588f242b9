/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The descriptors of a loop that are the program's own: a table by number, of those that were made
 * or used through the public functions. What belongs to a transport is not in it, and that is how
 * the two are told apart: the kernel refuses to adopt what it has already.
 */
#ifndef TL_CORE_FD_H
#define TL_CORE_FD_H

#include <stdbool.h>
#include <twinloop/fd.h>
#include "core/loop.h"
#include "core/watch.h"

struct tl_sock_op;

enum tl_direction {
    TL_READING,
    TL_WRITING,
};

/* One direction of a descriptor: at most one of the two. */
struct tl_fd_side {
    tl_callback callback; /* add_reader's, add_writer's; NULL: none */
    void *arg;
    struct tl_sock_op *op; /* the sock_ operation that waits; NULL: none */
};

/* Stays where it is, under its number, until the loop is closed. */
struct tl_fd {
    tl_loop *loop;       /* borrowed: the table is the loop's */
    struct tl_fd *older; /* while it is known: its neighbours, in the order of becoming known */
    struct tl_fd *newer;
    struct tl_watch watch;
    struct tl_fd_side side[2]; /* by enum tl_direction */
    bool known;                /* the program has it; else the number is unused */
    bool claimed;              /* it is about to be a transport's or a server's (core/given.h) */
    bool adopted;              /* made elsewhere: stays open when the loop is closed */
    bool kept;                 /* adopted for longer than it is used */
    bool blocking;             /* as it was found or made since */
    uint8_t kind;              /* enum tl_adopted_kind: when it was made or found */
    unsigned holders;          /* sendfiles that send it: it cannot be closed */
    tl_traceback *origin;      /* in debug mode, where the loop made it; or NULL */
};

/* The program's descriptor with this number; one that is not known yet is adopted. 0, and after the
 * call tl_fd_done is due; -EBADF; -EBUSY when it is a transport's, or about to be; TL_ECLOSED;
 * -ENOMEM. */
int tl_fd_get(tl_loop *loop, tl_socket socket, struct tl_fd **ret);

/* Whoever used it is done. What is only known for its use is given back when nobody uses it any
 * more: its number may mean something else at any time. */
void tl_fd_done(struct tl_fd *fd);

/* The same without adopting: NULL when it is not known. */
struct tl_fd *tl_fd_find(const tl_loop *loop, tl_socket socket);

/* Makes a new descriptor of the kernel's the program's. Closes it when memory is out: -ENOMEM.
 * origin, or NULL for this very call, is where debug mode says that it was made. */
int tl_fd_add(tl_loop *loop, int fd, enum tl_adopted_kind kind, const tl_traceback *origin);

/* The table forgets it, and the kernel does not: for whoever takes it over. Nothing may be pending.
 */
void tl_fd_give_up(struct tl_fd *fd);

/* Holds on to a file: tl_fd_get, with tl_fd_done in unhold; it stays known and open until then
 * (file.c). */
int tl_fd_hold(tl_loop *loop, int file, struct tl_fd **ret);
void tl_fd_unhold(struct tl_fd *fd);

/* Calls visit with each that is known, in the order in which they came to be so: numbers mean
 * nothing, since what else the process opens has some too. visit may make and close any. */
void tl_fds_visit(tl_loop *loop, void (*visit)(struct tl_fd *fd));

/* Watches for what the two sides want. 0 or the kernel's error. */
int tl_fd_update(struct tl_fd *fd);

/* Nobody is called any more. */
void tl_fd_quieten(struct tl_fd *fd);

/* Fails a future, and says what -EBUSY means here. */
void tl_fd_fail(tl_future *future, int code, tl_socket socket);

/* The loop is about to be closed: callbacks are dropped, operations forgotten, what was adopted is
 * given back. */
void tl_fds_close(tl_loop *loop);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Servers inside the core: the object (server.c) and how it is made (listen.c).
 */
#ifndef TL_CORE_SERVER_H
#define TL_CORE_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <twinloop/net.h>
#include <twinloop/timer.h>
#include "core/loop.h"
#include "core/stream.h"
#include "core/waiters.h"
#include "core/watch.h"

struct tl_serving;

/* One listening socket. */
struct tl_listener {
    tl_server *server;
    struct tl_watch watch;
    struct tl_timer retry; /* runs while accepting pauses, when something was short */
    tl_addr address;       /* as it was bound */
};

struct tl_server {
    tl_object object;
    struct tl_stream_owner owner; /* of the connections, each of which holds a reference */
    struct tl_live live;          /* until close; the loop holds a reference meanwhile */
    tl_loop *loop;                /* a reference */
    tl_traceback *origin;         /* in debug mode, where it was asked for; or NULL */
    tl_protocol_factory factory;
    void *farg;
    tl_future *created;      /* create_server's, until it is done */
    struct tl_ready started; /* finishes it */
    int backlog;
    bool serving;
    bool closed;
    bool given; /* its listener was made by the program, which may not have seen to its options */
    size_t connections;         /* not lost yet */
    struct tl_waiters waiters;  /* wait_closed's */
    struct tl_serving *forever; /* serve_forever's; or NULL */
    size_t listeners_count;     /* of those that have a socket */
    struct tl_listener listeners[];
};

/* What create_server was asked for, without the hosts. */
struct tl_listen_request {
    tl_loop *loop;
    tl_protocol_factory factory;
    void *farg;
    tl_server_opts opts;
};

/* A server with room for that many listeners and none yet, in the loop's care. NULL when memory is
 * out. */
tl_server *tl_server_new(const struct tl_listen_request *request, size_t listeners_max);

/* Takes a bound socket as the next listener. */
void tl_server_add_listener(tl_server *server, int fd, const tl_addr *address);

/* Makes every listener listen, for a server that does not. 0; or the error of the one listener
 * whose address *ret_failed names, and then it does not serve. */
int tl_server_listen(tl_server *server, const tl_addr **ret_failed);

/* The server is closed and its last connection lost (serve_forever.c). */
void tl_serving_end(struct tl_serving *serving);

/* Queues the end of create_server: in the next iteration the future, of which the server takes a
 * reference, results in the server. Cancelling it until then closes the server. */
void tl_server_announce(tl_server *server, tl_future *future);

/* The server whose place among the loop's live objects this is, or NULL. */
tl_server *tl_server_living(struct tl_live *live);

#endif

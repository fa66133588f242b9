/* SPDX-License-Identifier: Apache-2.0 */
/*
 * create_connection's insides: the connection in the making (connect.c), its attempts (attempt.c),
 * which of them run when (race.c), and what they failed with (connect_errors.c).
 */
#ifndef TL_CORE_CONNECT_H
#define TL_CORE_CONNECT_H

#include <twinloop/net.h>
#include <twinloop/timer.h>
#include "core/loop.h"
#include "core/opening.h"
#include "core/resolve.h"
#include "core/watch.h"

struct tl_connecting;

/* --- What went wrong --- */

/* Where an attempt failed. */
enum tl_connect_step {
    TL_STEP_SOCKET,   /* the message is the error's own */
    TL_STEP_BIND,     /* "error while attempting to bind on address ..." */
    TL_STEP_NO_LOCAL, /* "no matching local address ..." */
    TL_STEP_CONNECT,  /* "Connect call failed ..." */
};

struct tl_connect_error {
    size_t attempt; /* which of them */
    enum tl_connect_step step;
    int code;
    tl_addr addr; /* that was bound or connected to */
};

/* In the order in which the attempts began; one needs no memory of its own. */
struct tl_connect_errors {
    struct tl_connect_error first;
    struct tl_connect_error *more;
    size_t count;
    size_t capacity; /* of more */
    bool incomplete; /* memory ran out */
};

void tl_connect_errors_add(struct tl_connect_errors *errors, const struct tl_connect_error *error);
void tl_connect_errors_finish(struct tl_connect_errors *errors);

/* Fails the future with all of them, of which there is one at least: asyncio's rules, by which one
 * speaks for several that say the same. separately: each as the cause of the one before it. */
void tl_connect_errors_tell(const struct tl_connect_errors *errors, tl_future *future,
                            bool separately);

/* --- Attempts --- */

/* To connect to one address: while it runs it has a socket. Must not move meanwhile. */
struct tl_attempt {
    struct tl_connecting *connecting;
    struct tl_watch watch;   /* fd is -1 when it does not run */
    const tl_addrinfo *info; /* one of the connection's addresses */
};

/* Begins. 0: tl_race_ended will be called, from the loop; or an error, which has been noted. */
int tl_attempt_start(struct tl_attempt *attempt, struct tl_connecting *connecting,
                     const tl_addrinfo *info);

/* Closes its socket; a no-op for one that does not run. */
void tl_attempt_stop(struct tl_attempt *attempt);

/* --- The race --- */

/* asyncio's interleave: the first count - 1 addresses of the first family, then one of each family
 * in turn. 0 or -ENOMEM. */
int tl_race_interleave(struct tl_addresses *addresses, size_t count);

/* Begins with the first address. The end is tl_connecting_won or tl_connecting_lost, which may come
 * from inside the call. */
void tl_race_start(struct tl_connecting *connecting);

/* An attempt has connected (result 0), and still has its socket; or has failed, and has none. */
void tl_race_ended(struct tl_attempt *attempt, int result);

/* Stops every attempt. */
void tl_race_stop(struct tl_connecting *connecting);

/* --- The connection in the making --- */

struct tl_connecting {
    struct tl_live live;
    tl_loop *loop;              /* a reference */
    tl_future *future;          /* a reference */
    struct tl_opening *opening; /* what comes then */
    tl_protocol_factory factory;
    void *farg;
    tl_addrinfo_hints hints;
    tl_time stagger; /* happy_eyeballs_delay; 0: one after the other */
    long interleave; /* first address family count; 0: leave the order */
    bool all_errors;
    bool binds; /* to one of locals first */
    struct tl_lookup *lookup;
    struct tl_addresses addresses;
    struct tl_addresses locals;
    struct tl_connect_errors errors;

    size_t begun;          /* attempts, in the order of addresses */
    size_t running;        /* of these */
    bool timed;            /* timer has been initialised */
    struct tl_timer timer; /* until the next one may begin although the last one runs */
    struct tl_attempt first;
    struct tl_attempt *attempts; /* one for each address, if several may run at once; or NULL */

    char local_port[8];
    char local_host[]; /* until it has been looked up; "": none */
};

/* The race is over: this attempt has won, or all have failed. */
void tl_connecting_won(struct tl_connecting *connecting, struct tl_attempt *attempt);
void tl_connecting_lost(struct tl_connecting *connecting);

#endif

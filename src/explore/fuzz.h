/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One input of a fuzzer: the conversation that it spells (fuzz_steps.c), the clients that hold it
 * (fuzz_client.c), and the world in which that happens (fuzz.c).
 *
 * Everything lives on the caller's stack. The server's loop runs as a guest of the world; the
 * clients have a kernel of their own on the same host, which never polls. What they do happens in
 * an event of the world's agenda, `turn`, which adds itself again for the instant at which the
 * conversation goes on: so steps fall between the server's, in virtual time.
 */
#ifndef TL_EXPLORE_FUZZ_H
#define TL_EXPLORE_FUZZ_H

#include <twinloop/fuzz.h>
#include <twinloop/kernel.h>
#include "core/self.h"
#include "explore/fuzz_memory.h"
#include "sim/agenda.h"
#include "sim/kernel.h"
#include "sim/world.h"

enum { TL_FUZZ_PORT = 7, TL_FUZZ_READ_SIZE = 16384 };

struct tl_endpoint;

/* Where a client's end of a connection is, or was. */
struct tl_fuzz_client {
    struct tl_fuzz_connection connection; /* for the checks */
    int fd;                               /* -1: none */
    struct tl_endpoint *endpoint;         /* of fd */
};

/* What follows the conversation. */
enum tl_fuzz_phase {
    TL_FUZZ_TALKING,
    TL_FUZZ_HALF_CLOSING, /* once the world is quiet */
    TL_FUZZ_CLOSING,
    TL_FUZZ_STOPPING,
};

struct tl_fuzzer {
    const struct tl_fuzz_target *target;
    FILE *log;

    /* What the library sees of its process while an input runs: everything comes from memory, and
     * is given back to it before the next one. The world's own is kept. */
    struct tl_thread *outside; /* tl_self's before */
    struct tl_thread thread;
    struct tl_context context;
    struct tl_fuzz_memory memory;
    struct tl_fuzz_memory kept;

    tl_world *world;
    tl_host *host;
    tl_loop *loop;                 /* the server's */
    struct tl_sim_kernel *server;  /* the loop's kernel */
    struct tl_sim_kernel *clients; /* theirs */
    tl_addr address;               /* the server's */
    tl_time latency;               /* one way */
    uint64_t schedule;             /* the last input's hashes */
    uint64_t content;

    const uint8_t *at; /* of the input: what is not done yet of the conversation */
    const uint8_t *end;
    struct tl_fuzz_client *current;
    struct tl_agenda_event turn; /* when the clients go on */
    tl_time settled_by;          /* they wait for quiet, but no longer than this; 0: they do not */
    enum tl_fuzz_phase phase;

    unsigned open; /* a bit for each client that has a connection */
    struct tl_fuzz_client client[TL_FUZZ_CONNECTIONS];
    char *states; /* of the target's checks, one after the other */
    char buffer[TL_FUZZ_READ_SIZE];
};

/* --- Steps (fuzz_steps.c) --- */

/* Begins with an input: the conversation is up to its marked end, the rest is the tape. */
void tl_fuzz_steps_begin(tl_fuzzer *fuzzer, const uint8_t *data, size_t size,
                         struct tl_world_options *options);

/* The turn of the clients. */
void tl_fuzz_turn(struct tl_agenda_event *event);

/* --- Clients (fuzz_client.c) --- */

/* Connects a client that has no connection. */
void tl_fuzz_client_open(tl_fuzzer *fuzzer, struct tl_fuzz_client *client);

/* Whether it has a connection that is still being made. */
bool tl_fuzz_client_connecting(const struct tl_fuzz_client *client);

/* Sends as many of the bytes as the connection takes now; the rest is never sent. */
void tl_fuzz_client_send(tl_fuzzer *fuzzer, struct tl_fuzz_client *client, const uint8_t *data,
                         size_t len);

/* Reads what has come, if it reads. */
void tl_fuzz_client_read(tl_fuzzer *fuzzer, struct tl_fuzz_client *client);

/* These are no-ops for one without connection. */
void tl_fuzz_client_half_close(tl_fuzzer *fuzzer, struct tl_fuzz_client *client);
void tl_fuzz_client_close(tl_fuzzer *fuzzer, struct tl_fuzz_client *client, bool reset);

/* A line for the log. */
void tl_fuzz_log(const tl_fuzzer *fuzzer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A loop with a server and connections to it on 127.0.0.1, for tests of transports and servers.
 *
 * Each end of a connection is a struct side: a protocol that writes down what it is told, in a log
 * of its own ("made data(hello) eof lost released"), and does what the test's hooks say. What the
 * two ends log is compared end by end: the order between them is the kernel's.
 *
 * A test never waits for a time: it runs the loop until what it waits for has happened. A guard
 * ends a run in which it never does.
 */
#ifndef TL_TESTS_SCENE_H
#define TL_TESTS_SCENE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <twinloop.h>
#include "support/contract.h"

struct side;
struct scene;

/* What a side does besides logging. NULL: nothing. Returns what the callback returns. */
struct hooks {
    int (*made)(struct side *side);
    int (*data)(struct side *side, const char *data, size_t len);
    int (*eof)(struct side *side);
    int (*pause)(struct side *side);
    int (*resume)(struct side *side);
    int (*lost)(struct side *side, int code); /* the result is of no interest */
    void (*released)(struct side *side);
    int (*get_buffer)(struct side *side, void **ret_buffer, size_t *ret_len);
    int (*updated)(struct side *side, size_t len);
};

struct side {
    tl_protocol protocol;
    struct scene *scene;
    struct hooks hooks;
    tl_transport *transport; /* borrowed from connection_made until connection_lost */
    char log[4096];
    bool quiet;         /* data is counted and checked against the pattern; neither that nor pause
                           and resume are logged */
    bool paused;        /* between pause and resume */
    bool in_data;       /* the last entry of the log is data, and may grow */
    size_t received;    /* bytes */
    size_t wrong;       /* quiet: bytes that were not the pattern's */
    size_t sent;        /* for hooks that send the pattern */
    size_t total;       /* for hooks: how much to send, or to expect */
    int count;          /* for hooks */
    char buffer[65536]; /* where a buffered side's bytes go, unless a hook says otherwise */
    size_t buffer_size; /* how much of it is offered at a time; 0: all */
    void *user;         /* for hooks */
    bool is_lost;
    bool is_released;
};

/* A protocol with these hooks, streaming or buffered; not yet part of a connection. */
void side_init(struct side *side, struct scene *scene, enum tl_protocol_kind kind,
               const struct hooks *hooks);

/* Adds a formatted entry to the log, separated by a space. */
void side_log(struct side *side, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Byte number n of the pattern that large transfers consist of. */
char pattern_byte(size_t n);

/* Writes the pattern from sent on until total is sent or the transport pauses; a resume hook. */
int side_send_pattern(struct side *side);

struct scene {
    struct contract *contract;
    tl_loop *loop;
    tl_server *server;
    char port[8];
    struct side client; /* of the connection that scene_connect makes */
    struct side peer;   /* the server's end of the first connection accepted */
    bool accepted;      /* peer has been given out */
    int lost;           /* calls of connection_lost so far, of all sides */
    int awaited;        /* the loop stops when lost comes to this; 0: it does not */
    char errors[2048];  /* what the exception handler was told: "message: CODE" one a line */
    tl_timer_handle *guard;
    bool guard_fired;
};

/* A loop of this world with a server on 127.0.0.1; both sides are streaming and have no hooks. */
void scene_open(struct scene *scene, struct contract *contract);

/* The same on a loop that the caller has made; fails with a negative error instead of the test. */
int scene_open_on(struct scene *scene, tl_loop *loop);

/* Replaces the server by one with another factory, whose farg is the scene. */
void scene_serve(struct scene *scene, tl_protocol_factory factory);

/* Starts to connect scene->client; the result is dropped, errors are the exception handler's. */
void scene_connect(struct scene *scene);

/* Runs until the loop is stopped. Fails the test when that never happens. */
void scene_run(struct scene *scene);

/* Runs until connection_lost has been called that often in all; not at all when it has. */
void scene_await(struct scene *scene, int lost);

/* Connects, and runs until both sides are lost. */
void scene_play(struct scene *scene);

/* Closes the server and the loop. The logs stay. */
void scene_close(struct scene *scene);

/* Takes a future that has failed, with this error; message may be NULL. */
void scene_expect_failed(tl_future *future, int code, const char *message);

/* Factories for the sides of a scene, which is their farg. */
tl_protocol *scene_client_factory(void *scene);
tl_protocol *scene_peer_factory(void *scene);

/* --- Hooks that many tests use --- */

int hook_write_hello(struct side *side);
int hook_write_hello_and_eof(struct side *side);
int hook_send_and_close(struct side *side); /* the pattern; for made and resume */
int hook_send_at_once(struct side *side);   /* the pattern in one write */
int hook_write_eof(struct side *side);      /* and logs the answer */
int hook_close(struct side *side);
int hook_keep_open(struct side *side); /* 1, for eof */
int hook_ref(struct side *side);       /* keeps a reference of the transport in user */
int hook_echo(struct side *side, const char *data, size_t len);
int hook_close_when_whole(struct side *side, const char *data, size_t len); /* total received */

/* Calls callback(side) after some short whiles, in which the other side has its chance. */
struct later {
    int turns;
    struct side *side;
    void (*callback)(struct side *side);
};

void later_start(struct later *later);
int hook_later(struct side *side); /* starts the struct later in user; 1 */

#define assert_log(side, expected) assert_string_equal((side)->log, expected)

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both ends of a pipe or socket pair in one loop, for tests of pipes as transports: a scene in
 * which the client writes and the peer reads.
 */
#ifndef TL_TESTS_ENDS_H
#define TL_TESTS_ENDS_H

#include "support/scene.h"

/* More than a pipe or a socket's buffers hold. */
#define ENDS_LARGE ((size_t)1 << 20)

struct ends {
    struct scene scene;
    struct side *writer; /* the scene's client */
    struct side *reader; /* the scene's peer */
    struct tl_kernel *kernel;
    int fds[2]; /* to read, to write */
};

struct ends *ends_of(struct side *side);

/* A scene, and in its loop two descriptors of this kind that nobody uses yet. */
void ends_open(struct ends *ends, struct contract *contract, enum tl_pipe_kind kind);

/* Starts to connect one of them; the result is dropped, errors are the exception handler's. */
void ends_connect_reader(struct ends *ends);
void ends_connect_writer(struct ends *ends);

/* Connects both, runs until both are lost, and closes the scene. */
void ends_play(struct ends *ends);

/* Runs until the loop has had its chance to do everything it could. */
void ends_settle(struct ends *ends);

/* Hooks for the writer. */
int ends_write_hello_and_close(struct side *side);
int ends_send_large(struct side *side); /* the pattern, ENDS_LARGE bytes at once */

#endif

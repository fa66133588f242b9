/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small steps on a bare kernel, for the tests of the seam: each does one thing that a body needs
 * over and over, and fails the test if it cannot.
 *
 * None of them assumes more than kernel.h promises: they wait for readiness before they conclude
 * anything, and take what a read gives. Waiting ends with a failure after SEAM_PATIENCE of the
 * kernel's time.
 */
#ifndef TL_TESTS_SEAM_H
#define TL_TESTS_SEAM_H

#include <stddef.h>
#include <sys/types.h>
#include <twinloop/kernel.h>

#define SEAM_PATIENCE (20 * TL_SECOND)

/* The next event, whatever it is. */
struct tl_event seam_event(struct tl_kernel *kernel);

/* Fails the test if anything happens within the given time. */
void seam_expect_nothing(struct tl_kernel *kernel, tl_time timeout);

/* Waits until fd has some of events, or is hung up or faulty; returns its whole readiness. Nothing
 * else may happen meanwhile. fd is watched by nobody afterwards. */
unsigned seam_await(struct tl_kernel *kernel, int fd, unsigned events);

/* A socket that listens on a free port of 127.0.0.1, and where. */
int seam_listen(struct tl_kernel *kernel, int backlog, tl_addr *ret_addr);

/* Begins to connect a new socket to addr; connect's answer must be 0 or -EINPROGRESS. */
int seam_start_connect(struct tl_kernel *kernel, const tl_addr *addr);

/* Waits for the end of a connect: 0 or its error. */
int seam_finish_connect(struct tl_kernel *kernel, int fd);

/* Waits for a connection and accepts it. ret_peer may be NULL. */
int seam_accept(struct tl_kernel *kernel, int listener, tl_addr *ret_peer);

/* A connection over a listener that is closed again: ret[0] connected, ret[1] accepted. */
void seam_connection(struct tl_kernel *kernel, int ret[2]);

/* One read or write of one piece. */
ssize_t seam_read(struct tl_kernel *kernel, int fd, void *data, size_t len);
ssize_t seam_write(struct tl_kernel *kernel, int fd, const void *data, size_t len);

/* Reads until len bytes or the end have come; returns how many came. */
size_t seam_read_all(struct tl_kernel *kernel, int fd, void *data, size_t len);
void seam_write_all(struct tl_kernel *kernel, int fd, const void *data, size_t len);

/* Waits for something to read, and returns what a read then says (data is thrown away). */
ssize_t seam_read_error(struct tl_kernel *kernel, int fd);

void seam_close(struct tl_kernel *kernel, int fd);

#endif

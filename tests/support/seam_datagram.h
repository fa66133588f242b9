/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small steps on a bare kernel with sockets of datagrams, as seam.h has them for streams.
 */
#ifndef TL_TESTS_SEAM_DATAGRAM_H
#define TL_TESTS_SEAM_DATAGRAM_H

#include <stddef.h>
#include <sys/types.h>
#include <twinloop/kernel.h>

/* An address in digits. */
tl_addr seam_numeric(const char *host, uint16_t port);

/* A new socket. */
int seam_datagrams(struct tl_kernel *kernel, enum tl_family family);

/* What a socket's own address is. */
tl_addr seam_name(struct tl_kernel *kernel, int fd);

/* Sets an option; takes the pending error. */
void seam_set(struct tl_kernel *kernel, int fd, enum tl_option option, int value);
int seam_error(struct tl_kernel *kernel, int fd);

/* A socket bound to a free port of host, and where that is. */
int seam_bound(struct tl_kernel *kernel, const char *host, tl_addr *ret);

/* An address where nobody is: a socket was bound there, and is closed. */
tl_addr seam_deserted(struct tl_kernel *kernel);

/* Sends one datagram; addr may be NULL. */
ssize_t seam_send(struct tl_kernel *kernel, int fd, const void *data, size_t len,
                  const tl_addr *addr);

/* Receives one without waiting. ret_from and ret_truncated may be NULL. */
ssize_t seam_receive(struct tl_kernel *kernel, int fd, void *data, size_t len, tl_addr *ret_from,
                     unsigned *ret_truncated);

/* Waits for a datagram, which must be text, and come from there, if from is not NULL. */
void seam_expect(struct tl_kernel *kernel, int fd, const char *text, const tl_addr *from);

/* Nothing has arrived. */
void seam_expect_no_datagram(struct tl_kernel *kernel, int fd);

#endif

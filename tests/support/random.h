/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests that drive transports at random share: numbers that repeat, and a kernel that
 * takes little of what it is given.
 */
#ifndef TL_TESTS_RANDOM_H
#define TL_TESTS_RANDOM_H

#include <errno.h>
#include <stdint.h>
#include "support/patch.h"

/* The next number below bound of a sequence that its first state decides. */
static inline uint32_t draw_from(uint64_t *random, uint32_t bound)
{
    *random = *random * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)((*random >> 33) % bound);
}

/* A patch whose write is stingy_write, once that has been put in its place. */
struct stingy {
    struct kernel_patch patch;
    uint64_t writes;
};

/* Takes little of what it is given, or nothing, so that queues grow. */
static inline ssize_t stingy_write(struct tl_kernel *kernel, int fd, struct tl_message *messages,
                                   size_t count)
{
    struct stingy *stingy = tl_container_of(kernel_patch(kernel), struct stingy, patch);
    if (stingy->writes++ % 3 == 0)
        return -EAGAIN;
    struct iovec iov = messages[0].iov[0];
    size_t most = 1 + stingy->writes * stingy->writes % 5000;
    if (iov.iov_len > most)
        iov.iov_len = most;
    struct tl_message message = {.iov = &iov, .iov_count = 1};
    return stingy->patch.inner->write(kernel, fd, &message, count);
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Randomness: the system's, of which anybody may as well have a generator of his own.
 */
#include <errno.h>
#include <sys/random.h>
#include "real/real.h"

int tl_real_entropy(struct tl_kernel *kernel, void *buf, size_t len)
{
    unsigned char *at = buf;

    (void)kernel;
    if (buf == NULL)
        return 1;
    while (len > 0) {
        ssize_t n = getrandom(at, len, 0);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0) {
            at += n;
            len -= (size_t)n;
        }
    }
    return 0;
}
